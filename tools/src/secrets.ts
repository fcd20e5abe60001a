import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivate } from './data-folder.ts';
import { Failure } from './failure.ts';
import { perService, type ServiceName } from './services.ts';

/** Everything secret in one data folder. Made once, kept with mode 0600, never printed. */
export interface Secrets {
  /** Superuser of the embedded PostgreSQL. */
  postgres: string;
  /** Password of each service's database role. */
  databases: Record<ServiceName, string>;
  /** With which a service asks the issuer for its own token. */
  clients: Record<ServiceName, string>;
  /** With which tools ask the issuer for tokens of persons. */
  desk: string;
  acquirerApiKey: string;
  /** Standard Webhooks v1.0.0: `whsec_` and 32 bytes in base64. */
  acquirerWebhook: string;
  /** Whoever holds it may ask npm start to kill and restart a service. */
  control: string;
  /** The issuer's signing key as a JWK; absent until the issuer made one. */
  issuerKey?: Record<string, unknown>;
}

export function loadSecrets(dataFolder: string): Secrets {
  const file = join(dataFolder, 'secrets.json');
  if (existsSync(file)) return readSecrets(file);
  if (existsSync(join(dataFolder, 'postgres'))) throw damaged(file);
  const secrets: Secrets = {
    postgres: random(),
    databases: perService(random),
    clients: perService(random),
    desk: random(),
    acquirerApiKey: random(),
    acquirerWebhook: `whsec_${randomBytes(32).toString('base64')}`,
    control: random(),
  };
  writePrivate(file, secrets);
  return secrets;
}

/** Keeps the issuer's signing key, so that tokens stay good over a restart. */
export function keepIssuerKey(dataFolder: string, secrets: Secrets, key: Record<string, unknown>): void {
  if (!secrets.issuerKey) writePrivate(join(dataFolder, 'secrets.json'), { ...secrets, issuerKey: key });
}

const random = () => randomBytes(24).toString('base64url');

function readSecrets(file: string): Secrets {
  try {
    const secrets = JSON.parse(readFileSync(file, 'utf8')) as Secrets;
    if (typeof secrets.postgres === 'string' && typeof secrets.control === 'string') return secrets;
  } catch {
    // Not readable as secrets: said below.
  }
  throw damaged(file);
}

const damaged = (file: string) => new Failure(`${file} is missing or damaged; npm start -- --reset makes the data anew.`);
