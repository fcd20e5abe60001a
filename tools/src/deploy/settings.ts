import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Read by libs/telemetry, by Node and by PostgreSQL's client library, in every service. */
const everywhere = [
  'NODE_OPTIONS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_TRACES_SAMPLER_ARG',
  'KASSA_VERSION',
  'KASSA_COMMIT',
  'PGOPTIONS',
];

/** The names of the settings each service reads, from its src/config.ts and the common ones; without a service that has none yet. */
export function readSettings(workspace: string): Map<string, Set<string>> {
  const common = namesIn(readFileSync(join(workspace, 'libs/config/src/index.ts'), 'utf8'));
  const services = readdirSync(join(workspace, 'apps')).filter((name) => existsSync(configOf(workspace, name)));
  return new Map(
    services.map((name) => [
      name,
      new Set([...everywhere, ...common, ...namesIn(readFileSync(configOf(workspace, name), 'utf8'))]),
    ]),
  );
}

const configOf = (workspace: string, service: string) => join(workspace, 'apps', service, 'src/config.ts');

/** Settings are the keys in capitals of the table that is given to loadConfig. */
const namesIn = (source: string) => [...source.matchAll(/^ {2}([A-Z][A-Z0-9_]+)[:,]/gm)].map((match) => match[1] ?? '');
