import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, testDatabase } from '@kassa/testing';
import { fetchToken } from '../src/token.ts';
import {
  alive,
  command,
  postmaster,
  ready,
  removeFolders,
  start,
  temporaryFolder,
  workspace,
  type StartedCommand,
} from './kassa.ts';

/*
 * One service is enough to see how processes begin and end, and the acquirer needs no other. The ports lie between those of a
 * running npm start and those freePort gives.
 */
const ports = String(9_400 + (process.pid % 5) * 10);
const small = ['--only', 'acquirer', '--ports', ports, '--json'];

// A start takes two seconds on an idle machine, and many times that where others work on it and on its disk.
vi.setConfig({ testTimeout: 90_000 });

const data = temporaryFolder();
const env = { KASSA_DATA: data };
const begun: StartedCommand[] = [];
const begin = (args = small, more: Record<string, string> = env) => {
  const started = start(args, more);
  begun.push(started);
  return started;
};
const end = async (started: StartedCommand) => {
  started.child.kill('SIGINT');
  return started.ended;
};

afterEach(async () => {
  for (const started of begun.splice(0)) if (started.child.exitCode === null) await end(started);
});
afterAll(removeFolders);

async function adminQuery(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

describe('a system that is started and ended', () => {
  test('keeps its data, its secrets to itself, and leaves no process', async () => {
    const first = await ready(begin());
    expect((await fetch(`${first.system.services.acquirer.health}/readyz`)).status).toBe(200);
    for (const file of ['secrets.json', 'system.json']) expect(statSync(join(data, file)).mode & 0o777).toBe(0o600);
    const secrets = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8')) as { postgres: string; desk: string };
    for (const secret of [secrets.postgres, secrets.desk]) expect(first.output()).not.toContain(secret);
    const token = await fetchToken(first.system, { roles: ['operator'] });
    expect(await end(first)).toBe(0);
    expect(alive(first.processes)).toEqual([]);
    expect(existsSync(join(data, 'system.json'))).toBe(false);

    const second = await ready(begin());
    expect(JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8'))).toEqual(secrets);
    const keys = createRemoteJWKSet(new URL(`${second.system.issuer.url}/jwks`));
    await expect(jwtVerify(token, keys, { audience: 'kassa' })).resolves.toBeTruthy();
    expect(await end(second)).toBe(0);
  });

  test('gives each service a database no other service may enter', async () => {
    const kassa = await ready(begin());
    const { acquirer, payments } = kassa.system.services;
    expect(await adminQuery(acquirer.databaseUrl, 'SELECT current_user::text AS role')).toEqual([{ role: 'acquirer' }]);
    const trespass = new URL(payments.databaseUrl);
    trespass.username = 'acquirer';
    trespass.password = new URL(acquirer.databaseUrl).password;
    await expect(adminQuery(trespass.href, 'SELECT 1')).rejects.toThrow(/permission denied for database "payments"/);
  });

  test('restarts a service that another tool asks it to crash', async () => {
    const kassa = await ready(begin());
    const { control, services } = kassa.system;
    const ask = (token: string) =>
      fetch(`${control.url}/services/acquirer/restart?downMs=10`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}` },
      });
    expect((await ask('guess')).status).toBe(401);
    expect((await ask(control.token)).status).toBe(204);
    expect((await fetch(`${services.acquirer.health}/readyz`)).status).toBe(200);
    const after = JSON.parse(readFileSync(join(data, 'system.json'), 'utf8')).services.acquirer.pid as number;
    expect(after).not.toBe(services.acquirer.pid);
  });
});

describe('a second start', () => {
  test('on the same data folder is refused in one sentence, and the first goes on', async () => {
    const first = await ready(begin());
    const second = begin();
    expect(await second.ended).toBe(1);
    expect(second.output()).toBe(`Kassa already runs on ${data} (process ${first.child.pid}); stop it there with Ctrl-C.\n`);
    expect((await fetch(`${first.system.services.acquirer.health}/readyz`)).status).toBe(200);
  });
});

describe('after kill -9', () => {
  test('of npm start, services and PostgreSQL end by themselves', async () => {
    const kassa = await ready(begin());
    kassa.child.kill('SIGKILL');
    await kassa.ended;
    await eventually(() => expect(alive(kassa.processes)).toEqual([]));
  });

  test('whatever could not end by itself is ended by the next start', async () => {
    const kassa = await ready(begin());
    const guard = guardOf(postmaster(data).pid);
    process.kill(guard, 'SIGKILL');
    process.kill(kassa.system.services.acquirer.pid ?? 0, 'SIGSTOP');
    kassa.child.kill('SIGKILL');
    await kassa.ended;
    expect(alive(kassa.processes)).toEqual(['acquirer', 'PostgreSQL']);

    const next = await ready(begin());
    expect(alive(kassa.processes)).toEqual([]);
    expect(next.output()).toContain('Ending what an earlier start left running: acquirer.');
    expect(next.output()).toContain('Ending the PostgreSQL an earlier start left running.');
  });

  test('a process that was given a remembered id since is left alone', async () => {
    const kassa = await ready(begin());
    await end(kassa);
    writeFileSync(join(data, 'processes.json'), JSON.stringify([{ name: 'sales', pid: process.pid, started: 'another time' }]));
    writeFileSync(
      join(data, 'lock.json'),
      JSON.stringify({ holder: { name: 'npm start', pid: process.pid, started: 'another time' }, npm: [] }),
    );
    writeFileSync(join(data, 'postgres/postmaster.pid'), `${process.pid}\n${data}/postgres\n`);
    await ready(begin());
  });

  test('of the npm around it, everything ends', async () => {
    const npm = command('npm', ['start', '--silent', '--', ...small], env);
    begun.push(npm);
    const kassa = await ready(npm);
    npm.child.kill('SIGKILL');
    await eventually(() => expect(alive([kassa.system.process, ...kassa.processes])).toEqual([]));
  });

  test('of a service, all ends, and one sentence says which it was', async () => {
    const kassa = await ready(begin());
    process.kill(kassa.system.services.acquirer.pid ?? 0, 'SIGKILL');
    expect(await kassa.ended).toBe(1);
    expect(kassa.output()).toContain('acquirer was killed by SIGKILL, and Kassa stops with it.');
    expect(kassa.output()).toContain('Its last words:\n\n    ');
    expect(alive(kassa.processes)).toEqual([]);
  });

  test('of PostgreSQL, all ends', async () => {
    const kassa = await ready(begin());
    process.kill(postmaster(data).pid, 'SIGKILL');
    expect(await kassa.ended).toBe(1);
    expect(kassa.output()).toContain('PostgreSQL ended, and Kassa stops with it.');
    expect(alive(kassa.processes)).toEqual([]);
  });
});

describe('what stands in the way is said in one sentence', () => {
  const refusal = async (args = small, more: Record<string, string> = env) => {
    const started = begin(args, more);
    expect(await started.ended).toBe(1);
    return started.output();
  };

  test('a taken port', async () => {
    const other = createServer().listen(Number(ports) + 5, '127.0.0.1');
    expect(await refusal()).toBe(
      `Port ${Number(ports) + 5} (acquirer's HTTP API) is taken by another program: end it, or choose others with npm start -- --ports 18080.\n`,
    );
    other.close();
  });

  test('production', async () => {
    expect(await refusal(small, { ...env, NODE_ENV: 'production' })).toBe(
      'NODE_ENV=production allows neither the development token issuer nor the simulated acquirer that npm start runs.\n',
    );
  });

  test('a folder of somebody else', async () => {
    expect(await refusal(small, { KASSA_DATA: workspace })).toContain(
      `${workspace} holds files that are not Kassa's; name another folder in KASSA_DATA.`,
    );
  });

  test('a migration that was changed after it had run', async () => {
    const kassa = await ready(begin());
    await adminQuery(kassa.system.services.acquirer.databaseUrl, "UPDATE _prisma_migrations SET checksum = 'other'");
    await end(kassa);
    expect(await refusal()).toMatch(
      /acquirer: migration \w+ was changed after it had been applied; npm start -- --reset makes the data anew.\n$/,
    );
  });

  test('another major version of PostgreSQL', async () => {
    const old = temporaryFolder();
    mkdirSync(join(old, 'postgres'), { recursive: true });
    writeFileSync(join(old, 'postgres/PG_VERSION'), '17\n');
    writeFileSync(join(old, 'secrets.json'), '{ "postgres": "of then", "control": "of then" }');
    expect(await refusal(small, { KASSA_DATA: old })).toBe(
      `${join(old, 'postgres')} was written by PostgreSQL 17, and this is PostgreSQL 18; npm start -- --reset makes it anew.\n`,
    );
  });

  test('damaged data, after --reset made it anew', async () => {
    await end(await ready(begin([...small, '--reset'])));
    rmSync(join(data, 'postgres/global/pg_control'));
    expect(await refusal()).toMatch(
      /The data in .* is damaged and PostgreSQL cannot use it; npm start -- --reset makes it anew.\n\n {4}.*pg_control/s,
    );
    rmSync(join(data, 'secrets.json'));
    expect(await refusal()).toContain('secrets.json is missing or damaged; npm start -- --reset makes the data anew.');
  });
});

describe('an ephemeral system', () => {
  const ephemeral = ['--only', 'acquirer', '--ephemeral', '--json'];

  test('runs beside another and leaves nothing behind', async () => {
    const [one, other] = await Promise.all([ready(begin(ephemeral)), ready(begin(ephemeral))]);
    for (const kassa of [one, other]) expect((await fetch(`${kassa.system.services.acquirer.health}/readyz`)).status).toBe(200);
    expect(await end(one)).toBe(0);
    expect(existsSync(one.system.dataFolder)).toBe(false);
    other.child.kill('SIGKILL');
    await eventually(() => expect(existsSync(other.system.dataFolder)).toBe(false));
    await eventually(() => expect(alive(other.processes)).toEqual([]));
  });
});

describe('a PostgreSQL that is not ours', () => {
  let server: Awaited<ReturnType<typeof testDatabase>>;
  beforeAll(async () => {
    server = await testDatabase();
  });
  afterAll(() => server.drop());

  test('gets databases named kassa_…, which --reset drops and makes again', async () => {
    const external = { KASSA_DATA: temporaryFolder(), KASSA_DATABASE_URL: server.url };
    const kassa = await ready(begin(small, external));
    const { databaseUrl } = kassa.system.services.acquirer;
    await adminQuery(databaseUrl, 'CREATE TABLE kept (id int)');
    await end(kassa);
    await end(await ready(begin(small, external)));
    expect(await adminQuery(databaseUrl, "SELECT current_database() AS name, to_regclass('kept')::text AS kept")).toEqual([
      { name: 'kassa_acquirer', kept: 'kept' },
    ]);
    const again = await ready(begin([...small, '--reset'], external));
    const { databaseUrl: anew } = again.system.services.acquirer;
    expect(await adminQuery(anew, "SELECT to_regclass('kept')::text AS kept")).toEqual([{ kept: null }]);
  });

  test('serves one npm start at a time, whatever their data folders', async () => {
    await ready(begin(small, { KASSA_DATA: temporaryFolder(), KASSA_DATABASE_URL: server.url }));
    const others = ['--only', 'acquirer', '--ports', String(Number(ports) + 9_000), '--reset'];
    const second = begin(others, { KASSA_DATA: temporaryFolder(), KASSA_DATABASE_URL: server.url });
    expect(await second.ended).toBe(1);
    expect(second.output()).toMatch(
      /^Another npm start uses the PostgreSQL at .* \(KASSA_DATABASE_URL\); end that one, or .*\n$/,
    );
  });

  test('is named when it does not answer', async () => {
    const external = { KASSA_DATA: temporaryFolder(), KASSA_DATABASE_URL: 'postgresql://nobody:nothing@127.0.0.1:1/postgres' };
    const started = begin(small, external);
    expect(await started.ended).toBe(1);
    expect(started.output()).toMatch(/^PostgreSQL at 127.0.0.1:1 \(KASSA_DATABASE_URL\) cannot be used: .*ECONNREFUSED.*\n$/);
  });
});

function guardOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-axwwo', 'pid=,args='], { encoding: 'utf8' });
  const line = new RegExp(`^ *(\\d+) .*^kassa-postgres-guard|kassa-postgres-guard ${pid} `);
  const guard = stdout.split(/\n(?= *\d+ \/bin\/sh)/).find((process) => line.test(process));
  return Number(guard?.trim().split(' ')[0]);
}
