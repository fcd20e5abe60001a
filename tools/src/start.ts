import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import colors from 'picocolors';
import { freePort, isFree, startIssuer, type Issuer } from '@kassa/testing';
import { banner } from './banner.ts';
import { openControl } from './control.ts';
import { openDataFolder, temporaryDataFolder, writePrivate, type DataFolder } from './data-folder.ts';
import { environments } from './environment.ts';
import { Failure, runCommand } from './failure.ts';
import { generate } from './generate.ts';
import { importKinds } from './import-client.ts';
import { createLifetime, type Lifetime } from './lifetime.ts';
import { migrateAll } from './migrate.ts';
import { help, readOptions, type StartOptions } from './options.ts';
import { startOwnPostgres, useExternalPostgres, type Postgres } from './postgres.ts';
import { markOf } from './processes.ts';
import { byteBar, say } from './progress.ts';
import { missingKinds, seed } from './seed.ts';
import { keepIssuerKey, loadSecrets, type Secrets } from './secrets.ts';
import { anyPorts, perService, serviceNames, services, tablePorts, type Ports } from './services.ts';
import { createSupervisor, readableLine, type Supervisor } from './supervisor.ts';
import type { System } from './system.ts';

const workspace = resolve(import.meta.dirname, '../..');

await runCommand(async () => {
  const options = readOptions(process.argv.slice(2), process.env, workspace);
  if (options === 'help') return console.log(help);
  if (process.env['NODE_ENV'] === 'production') {
    throw new Failure(
      'NODE_ENV=production allows neither the development token issuer nor the simulated acquirer that npm start runs.',
    );
  }
  const lifetime = createLifetime();
  try {
    await run(options, lifetime);
  } catch (error) {
    if (!lifetime.isOver()) await lifetime.end();
    else await lifetime.ended;
    throw error;
  }
});

/** Starts everything in order; what each step opened is closed in reverse order when the lifetime ends. */
async function run(options: StartOptions, lifetime: Lifetime): Promise<void> {
  const folder =
    options.dataFolder === undefined ? temporaryDataFolder() : await openDataFolder(options.dataFolder, options.mustReset, say);
  lifetime.onEnd(() => folder.release());
  const ports = options.isEphemeral ? await anyPorts(freePort) : tablePorts(options.portShift);
  await refuseTakenPorts(ports, options);
  generate(workspace, options.run, say);

  const secrets = loadSecrets(folder.path);
  const postgres = options.externalPostgres
    ? await useExternalPostgres(options.externalPostgres, secrets, options.mustReset)
    : await startOwnPostgres(folder.path, ports.postgres, secrets, options.isEphemeral);
  lifetime.onEnd(() => postgres.stop());
  void postgres.exited.then(() => lifetime.fail(new Failure('PostgreSQL ended, and Kassa stops with it.')));
  say(`PostgreSQL ${postgres.version} is up.`);
  const applied = await migrateAll(workspace, folder.path, postgres.urls);
  if (applied > 0) say(`Applied ${applied} migrations.`);

  const issuer = await openIssuer(folder, ports, secrets);
  lifetime.onEnd(() => issuer.stop());
  const env = environments({ ports, postgres, secrets, issuerUrl: issuer.url });
  const listener = options.isVerbose
    ? (name: string, line: string) => console.error(`${colors.cyan(name)} ${readableLine(line)}`)
    : undefined;
  const supervisor = createSupervisor({ workspace, dataFolder: folder, environments: env, ...(listener ? { listener } : {}) });
  lifetime.onEnd(() => supervisor.stop());
  void supervisor.failed.then((failure) => lifetime.fail(failure));
  say(`Starting ${options.run.join(', ')} …`);
  await supervisor.start(options.run);

  const control = await openControl(supervisor, secrets.control, () => keepSystem());
  lifetime.onEnd(() => control.stop());
  const system = () => describeSystem({ folder, ports, secrets, postgres, issuer, env, supervisor, control, options });
  const keepSystem = () => writePrivate(join(folder.path, 'system.json'), system());
  const bar = byteBar();
  const token = () => issuer.token({ role: 'operator', shop: null, sub: 'npm-start' });
  const seeding = { workspace, system: system(), token, say, progress: bar.show };
  const missing = missingKinds(folder.path);
  await seed(
    missing.filter((kind) => options.run.includes(importKinds[kind].service)),
    seeding,
  );
  keepSystem();

  if (options.asJson) console.log(JSON.stringify({ system: join(folder.path, 'system.json') }));
  else console.log(banner(await bannerFacts()));
  void seedLater(missing.filter((kind) => !options.run.includes(importKinds[kind].service)));
  await lifetime.ended;

  async function bannerFacts() {
    const cashier = await issuer.token({ sub: 'employee-1', shop: 'dk-001', register: 'dk-001-01', expiresInSeconds: 8 * 3600 });
    const where = `${new URL(postgres.adminUrl).host.replace('127.0.0.1', 'localhost')}, databases ${serviceNames.map((name) => new URL(postgres.urls[name]).pathname.slice(1)).join(', ')}`;
    return {
      system: system(),
      seconds: performance.now() / 1000,
      postgres: where,
      token: cashier,
      isEphemeral: options.isEphemeral,
    };
  }

  /** A service left out here may join later (nx serve); the data it lacks is imported when it does. */
  async function seedLater(kinds: typeof missing): Promise<void> {
    for (const kind of kinds) {
      const { health } = system().services[importKinds[kind].service];
      while (!(await fetch(`${health}/readyz`).catch(() => undefined))?.ok) await sleep(1000, undefined, { ref: false });
      await seed([kind], seeding).catch((error: unknown) => say(String(error)));
    }
  }
}

interface SystemParts {
  folder: DataFolder;
  ports: Ports;
  secrets: Secrets;
  postgres: Postgres;
  issuer: Issuer;
  env: ReturnType<typeof environments>;
  supervisor: Supervisor;
  control: { url: string };
  options: StartOptions;
}

function describeSystem({ folder, ports, secrets, postgres, issuer, env, supervisor, control, options }: SystemParts): System {
  return {
    dataFolder: folder.path,
    process: markOf('npm start', process.pid),
    issuer: { url: issuer.url, tokenUrl: `${issuer.url}/token`, clientId: 'desk', clientSecret: secrets.desk },
    postgresUrl: postgres.adminUrl,
    control: { url: control.url, token: secrets.control },
    services: perService((name) => {
      const { http, grpc, health, metrics } = ports.services[name];
      const pid = supervisor.pidOf(name);
      return {
        isStarted: options.run.includes(name),
        http: `http://127.0.0.1:${http}`,
        ...(services[name].hasGrpc ? { grpc: `127.0.0.1:${grpc}` } : {}),
        health: `http://127.0.0.1:${health}`,
        metrics: `http://127.0.0.1:${metrics}`,
        ...(pid === undefined ? {} : { pid }),
        databaseUrl: postgres.urls[name],
        logFile: join(folder.path, 'logs', `${name}.log`),
        env: env[name],
      };
    }),
  };
}

async function openIssuer(folder: DataFolder, ports: Ports, secrets: Secrets): Promise<Issuer> {
  const issuer = await startIssuer({
    port: ports.issuer,
    secrets: { ...secrets.clients, desk: secrets.desk },
    ...(secrets.issuerKey ? { key: secrets.issuerKey } : {}),
  });
  keepIssuerKey(folder.path, secrets, issuer.key);
  return issuer;
}

async function refuseTakenPorts(ports: Ports, options: StartOptions): Promise<void> {
  const wanted: [number, string][] = [[ports.issuer, 'the token issuer']];
  if (!options.externalPostgres) wanted.push([ports.postgres, 'PostgreSQL']);
  for (const name of options.run) {
    const { http, grpc, health, metrics } = ports.services[name];
    wanted.push([http, `${name}'s HTTP API`], [health, `${name}'s health`], [metrics, `${name}'s metrics`]);
    if (services[name].hasGrpc) wanted.push([grpc, `${name}'s gRPC`]);
  }
  const free = await Promise.all(wanted.map(([port]) => isFree(port)));
  const taken = wanted.filter((_, index) => !free[index]).map(([port, what]) => `${port} (${what})`);
  if (taken.length === 0) return;
  const which = taken.length === 1 ? `Port ${taken[0]} is` : `Ports ${taken.join(', ')} are`;
  throw new Failure(`${which} taken by another program: end it, or choose others with npm start -- --ports 18080.`);
}
