import { setup } from '@kassa/telemetry';

setup({ service: 'acquirer', env: process.env });
