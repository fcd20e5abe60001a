import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pc from 'picocolors';
import { eventually, selfSigned, startIssuer, type Issuer } from '@kassa/testing';
import { openTill } from '../demo-till.ts';
import { Failure } from '../failure.ts';
import { useExternalPostgres } from '../postgres.ts';
import { markOf } from '../processes.ts';
import { cable } from '../sale-line.ts';
import { loadSecrets, type Secrets } from '../secrets.ts';
import { missingKinds, seed } from '../seed.ts';
import { perService, serviceNames, type ServiceName } from '../services.ts';
import type { System } from '../system.ts';
import { fetchToken } from '../token.ts';
import { Containers, podOf } from './containers.ts';
import type { Target } from './stage.ts';

export interface SaleInput {
  /** For secrets and whatever else is made on the way; the caller removes it. */
  folder: string;
  workspace: string;
  /** The image of PostgreSQL. */
  postgres: string;
  imageOf: (app: ServiceName, target: Target) => string;
  say: (sentence: string) => void;
  /** How long 16 tills sell, to see how much memory that takes. */
  loadSeconds: number;
}

/**
 * Starts Kassa from its images and sells one cable: migrations first, then services, then the demo retailer through their own doors, a
 * sale in two requests paid by card and in cash, and a look at the stock. Then 16 tills sell for a while. At last every service is told
 * to end and must end well. Throws Failure with a container's last words.
 */
export async function sellFromImages({ folder, workspace, postgres, imageOf, say, loadSeconds }: SaleInput): Promise<void> {
  const secrets = loadSecrets(folder);
  const containers = new Containers(join(folder, 'mounts'));
  let issuer: Issuer | undefined;
  try {
    const authority = await startPostgres(containers, postgres, secrets);
    const urls = await makeDatabases(containers, secrets);
    issuer = await startIssuer({ host: containers.gateway(), secrets: { ...secrets.clients, desk: secrets.desk } });
    const country = { OIDC_ISSUER: issuer.url, ACQUIRER_URL: 'http://acquirer:8080' };
    const files = perService((app) => secretFiles(app, urls[app], secrets));

    say('Migrating from the images …');
    for (const app of serviceNames) {
      const pod = podOf(workspace, app, 'migrate', imageOf(app, 'migrate'), country);
      containers.start(`${app}-migrate`, pod, { 'database-url': urls[app] }, authority);
    }
    for (const app of serviceNames) await containers.ended(`${app}-migrate`, 120_000);

    say('Starting the services from their images …');
    for (const app of serviceNames) {
      const pod = podOf(workspace, app, 'run', imageOf(app, 'run'), country);
      // As in deploy/local: production refuses the card simulator and an issuer for development.
      containers.start(app, { ...pod, env: { ...pod.env, NODE_ENV: 'development' } }, files[app], authority);
    }
    for (const app of serviceNames) await containers.ready(app, 60_000);
    const system = systemOf(folder, containers, issuer, secrets);
    await sell(system, workspace, say);
    say(`16 tills sell for ${loadSeconds} s …`);
    const peaks = await load(system, containers, loadSeconds);

    for (const app of serviceNames) {
      const { memoryMiB } = podOf(workspace, app, 'run', imageOf(app, 'run'), country);
      const { exitCode, isOutOfMemory, seconds } = containers.stop(app);
      if (exitCode !== 0 || isOutOfMemory)
        throw new Failure(`${app} ended with code ${exitCode}${isOutOfMemory ? ', out of memory' : ''}.`, containers.logs(app));
      console.log(
        `${pc.green('✓')} ${app.padEnd(12)} held ${peaks[app].toFixed(0).padStart(3)} of ${memoryMiB} MiB, ended with code 0 after ${seconds.toFixed(1)} s`,
      );
    }
  } finally {
    await issuer?.stop();
    containers.close();
  }
}

/** PostgreSQL as restricted as everything else, speaking TLS only; returns the certificate to trust. */
async function startPostgres(containers: Containers, image: string, secrets: Secrets): Promise<string> {
  const { certificate, key } = selfSigned('postgres');
  // The server takes a key that nobody else can read, so it is handed over in the environment and written to the container's memory.
  const start = `umask 077; echo "$KEY" > /tmp/server.key; echo "$CERTIFICATE" > /tmp/server.crt
    exec /usr/local/bin/docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tmp/server.crt -c ssl_key_file=/tmp/server.key -c max_connections=200`;
  const env = { KEY: key, CERTIFICATE: certificate, POSTGRES_PASSWORD: secrets.postgres, PGDATA: '/var/lib/postgresql/db' };
  containers.run('postgres', [
    ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--user', '999:999', '--memory', '1g'],
    ...['--tmpfs', '/tmp:mode=1777', '--tmpfs', '/run/postgresql:mode=1777'],
    ...['--tmpfs', '/var/lib/postgresql:uid=999,gid=999,mode=700', '--tmpfs', '/var/run/postgresql:mode=1777'],
    ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
    ...['--entrypoint', '/bin/sh', image, '-c', start],
  ]);
  return certificate;
}

/** A database and a role for each service; answers the addresses as containers use them, checking the server's certificate and name. */
async function makeDatabases(containers: Containers, secrets: Secrets): Promise<Record<ServiceName, string>> {
  const host = containers.address('postgres');
  const admin = `postgresql://postgres:${secrets.postgres}@${host}:5432/postgres`;
  const { urls } = await eventually(() => useExternalPostgres(admin, secrets, false), 60_000);
  return perService((app) => {
    const url = new URL(urls[app]);
    url.hostname = 'postgres';
    url.search = 'sslmode=verify-full&sslrootcert=/etc/kassa/database-ca/ca.crt';
    return url.href;
  });
}

/** Under the names that deploy/base mounts them by. */
function secretFiles(app: ServiceName, databaseUrl: string, secrets: Secrets): Record<string, string> {
  return {
    'database-url': databaseUrl,
    'client-secret': secrets.clients[app],
    'acquirer-api-key': secrets.acquirerApiKey,
    'acquirer-webhook-secret': secrets.acquirerWebhook,
  };
}

/** The containers as the tools of npm start know a system. */
function systemOf(folder: string, containers: Containers, issuer: Issuer, secrets: Secrets): System {
  mkdirSync(folder, { recursive: true });
  return {
    dataFolder: folder,
    process: markOf('image-check', process.pid),
    issuer: { url: issuer.url, tokenUrl: `${issuer.url}/token`, clientId: 'desk', clientSecret: secrets.desk },
    postgresUrl: '',
    control: { url: '', token: '' },
    services: perService((app) => {
      const host = containers.address(app);
      return {
        isStarted: true,
        http: `http://${host}:8080`,
        grpc: `${host}:9000`,
        health: `http://${host}:9090`,
        metrics: `http://${host}:9091`,
        databaseUrl: '',
        logFile: '',
        env: {},
      };
    }),
  };
}

async function sell(system: System, workspace: string, say: SaleInput['say']): Promise<void> {
  const token = () => fetchToken(system, { roles: ['operator'] });
  await seed(missingKinds(system.dataFolder), { workspace, system, token, say, progress: () => undefined });

  const till = await openTill(system, 'dk-001-01');
  const onHand = async () => (await till.lookup.get<{ here: { onHand: number } }>(`/v1/availability/${cable.gtin}`)).here.onHand;
  const before = await onHand();
  const open = await till.open([{ gtin: cable.gtin }]);
  const sale = await till.complete(open, [
    { method: 'terminal', amountMinor: 2_000 },
    { method: 'cash', amountMinor: open.totalMinor },
  ]);
  console.log(`\n${sale.receiptText}\n`);
  await eventually(async () => {
    const after = await onHand();
    if (after !== before - 1) throw new Failure(`stock-lookup says ${after} on hand, and there were ${before} before the sale.`);
  });
  console.log(`${pc.green('✓')} Sold from the images; stock-lookup says ${before - 1} instead of ${before} on hand.`);
}

/** Sixteen tills of sixteen shops sell one sale after another; answers the most memory that was seen in each service, in MiB. */
async function load(system: System, containers: Containers, seconds: number): Promise<Record<ServiceName, number>> {
  const until = performance.now() + seconds * 1000;
  const registers = Array.from({ length: 16 }, (_, index) => `dk-${String(index + 1).padStart(3, '0')}-01`);
  const tills = registers.map(async (register) => {
    const till = await openTill(system, register);
    let sold = 0;
    for (; performance.now() < until; sold++) await till.complete(await till.open([{ gtin: cable.gtin }]), cash);
    return sold;
  });
  const peaks = perService(() => 0);
  const watch = async () => {
    do {
      const held = await containers.memoryMiB(serviceNames);
      for (const app of serviceNames) peaks[app] = Math.max(peaks[app], held[app] ?? 0);
    } while (performance.now() < until);
  };
  const [sold] = await Promise.all([Promise.all(tills), watch()]);
  const total = sold.reduce((sum, count) => sum + count, 0);
  console.log(`${pc.green('✓')} 16 tills sold ${total} times in ${seconds} s.`);
  return peaks;
}

const cash = [{ method: 'cash', amountMinor: 10_000 } as const];
