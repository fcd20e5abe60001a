import type { Postgres } from './postgres.ts';
import type { Secrets } from './secrets.ts';
import { perService, type Ports, type ServiceName } from './services.ts';

export interface EnvironmentInput {
  ports: Ports;
  postgres: Postgres;
  secrets: Secrets;
  issuerUrl: string;
}

/**
 * The whole configuration of each service on this machine. Everything else in this process's environment is passed on below it, so
 * that `CHECKOUT_LEASE_MS=1000 npm start` reaches the service that reads it.
 */
export function environments({
  ports,
  postgres,
  secrets,
  issuerUrl,
}: EnvironmentInput): Record<ServiceName, Record<string, string>> {
  const grpcOf = (name: ServiceName) => `127.0.0.1:${ports.services[name].grpc}`;
  const ofItsOwn: Record<ServiceName, Record<string, string>> = {
    sales: { INVENTORY_GRPC: grpcOf('inventory'), PAYMENTS_GRPC: grpcOf('payments') },
    payments: {
      ACQUIRER_URL: `http://127.0.0.1:${ports.services.acquirer.http}`,
      ACQUIRER_API_KEY: secrets.acquirerApiKey,
      ACQUIRER_WEBHOOK_SECRET: secrets.acquirerWebhook,
    },
    inventory: {},
    'stock-lookup': { INVENTORY_GRPC: grpcOf('inventory') },
    acquirer: {
      API_KEY: secrets.acquirerApiKey,
      WEBHOOK_SECRET: secrets.acquirerWebhook,
      WEBHOOK_URL: `http://127.0.0.1:${ports.services.payments.http}/v1/provider-events/acquirer`,
    },
  };
  return perService((name) => ({
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    HTTP_PORT: String(ports.services[name].http),
    GRPC_PORT: String(ports.services[name].grpc),
    HEALTH_PORT: String(ports.services[name].health),
    METRICS_PORT: String(ports.services[name].metrics),
    DATABASE_URL: postgres.urls[name],
    OIDC_ISSUER: issuerUrl,
    OIDC_JWKS_URI: `${issuerUrl}/jwks`,
    OIDC_TOKEN_URL: `${issuerUrl}/token`,
    OIDC_AUDIENCE: 'kassa',
    SERVICE_CLIENT_ID: name,
    SERVICE_CLIENT_SECRET: secrets.clients[name],
    ...ofItsOwn[name],
  }));
}
