import { runService } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService('inventory', () => readConfig(process.env), createApp);
