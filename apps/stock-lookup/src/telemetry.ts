import { setup } from '@kassa/telemetry';

setup({ service: 'stock-lookup', env: process.env });
