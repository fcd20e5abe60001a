import { chmodSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { startEmbeddedPostgres } from './embedded-postgres.ts';
import { freePort } from './free-port.ts';

/** A PostgreSQL server for tests, and the right to make databases on it. */
export interface PostgresServer {
  /** What it is, in words. */
  description: string;
  url(database: string): string;
  stop(): Promise<void>;
}

/**
 * A real PostgreSQL, whichever this machine offers first: the server named in TEST_DATABASE_URL, a container where a Docker
 * engine runs and has the image postgres:18, the embedded server otherwise. KASSA_TEST_DATABASE chooses by name instead:
 * `embedded`, or `testcontainers`, which then fails rather than fall back.
 */
export async function openPostgresServer(env: NodeJS.ProcessEnv): Promise<PostgresServer> {
  const wanted = env['KASSA_TEST_DATABASE'];
  const named = env['TEST_DATABASE_URL'];
  if (named && !wanted) return describe(named, 'the server of TEST_DATABASE_URL', () => Promise.resolve());
  if (wanted !== 'embedded') {
    const container = await startContainer(env, wanted === 'testcontainers');
    if (container) return container;
  }
  return startEmbedded();
}

async function startEmbedded(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), 'kassa-test-postgres-'));
  chmodSync(folder, 0o711);
  const server = await startEmbeddedPostgres({
    folder: join(folder, 'data'),
    port: await freePort(),
    password: 'kassa',
    isDurable: false,
    logFile: join(folder, 'postgres.log'),
    removeAfterwards: folder,
  });
  return describe(server.url('postgres'), 'the embedded server', () => server.stop('immediate'));
}

const image = 'postgres:18';

async function startContainer(env: NodeJS.ProcessEnv, mustRun: boolean): Promise<PostgresServer | undefined> {
  // The reaper is an image of its own that has to be pulled; the container is stopped below instead.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  const { getContainerRuntimeClient, ImageName } = await import('testcontainers');
  const runtime = await getContainerRuntimeClient().catch((error: unknown) => {
    if (mustRun) throw error;
    return undefined;
  });
  if (!runtime) return undefined;
  const isThere = env['KASSA_TEST_PULL'] === '1' || (await runtime.image.exists(ImageName.fromString(image)));
  if (!isThere && mustRun)
    throw new Error(`The image ${image} is not on this machine: docker pull ${image}, or set KASSA_TEST_PULL=1`);
  if (!isThere) return undefined;
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql');
  const settings = ['max_connections=200', 'shared_preload_libraries=pg_stat_statements', 'fsync=off', 'synchronous_commit=off'];
  const container = await new PostgreSqlContainer(image)
    .withUsername('kassa')
    .withPassword('kassa')
    .withDatabase('postgres')
    .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
    .start();
  return describe(container.getConnectionUri(), `a container of ${image}`, async () => void (await container.stop()));
}

async function describe(url: string, what: string, stop: () => Promise<void>): Promise<PostgresServer> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ version: string }>("SELECT current_setting('server_version') AS version");
  await client.end();
  return {
    description: `PostgreSQL ${rows[0]?.version ?? ''}, ${what}`,
    url(database) {
      const other = new URL(url);
      other.pathname = `/${database}`;
      return other.href;
    },
    stop,
  };
}
