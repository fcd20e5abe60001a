import { runService } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService('payments', () => readConfig(process.env), createApp);
