import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';

/** The one reader of this process's metrics; setup() attaches it, serveMetrics() shows it. */
export const prometheusReader = new PrometheusExporter({
  preventServerStart: true,
  withResourceConstantLabels: /^service\.name$/,
});

/** Serves GET /metrics for Prometheus and answers the port it listens on. */
export function serveMetrics(host: string, port: number): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    if (request.url === '/metrics') return prometheusReader.getMetricsRequestHandler(request, response);
    response.writeHead(404).end('Only /metrics is here.\n');
    return undefined;
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      resolve({
        port: (server.address() as AddressInfo).port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}
