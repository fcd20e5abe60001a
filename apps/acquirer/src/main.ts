import { runService } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService('acquirer', () => readConfig(process.env), createApp);
