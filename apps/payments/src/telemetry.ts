import { setup } from '@kassa/telemetry';

setup({ service: 'payments', env: process.env });
