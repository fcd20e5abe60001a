import { runService } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService('sales', () => readConfig(process.env), createApp);
