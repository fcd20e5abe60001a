import { setup } from '@kassa/telemetry';

setup({ service: 'inventory', env: process.env });
