import { runService } from '@kassa/telemetry';
import { createApp } from './app.ts';
import { readConfig } from './config.ts';

await runService('stock-lookup', () => readConfig(process.env), createApp);
