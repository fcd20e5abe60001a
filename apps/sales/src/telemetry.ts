import { setup } from '@kassa/telemetry';

setup({ service: 'sales', env: process.env });
