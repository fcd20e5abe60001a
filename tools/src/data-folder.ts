import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Failure } from './failure.ts';
import { commandLineOf, endProcess, isAlive, markOf, parentOf, type ProcessMark } from './processes.ts';

export interface DataFolder {
  path: string;
  /** Remembers a process so that the next start can end it if this one is killed. */
  remember(mark: ProcessMark): void;
  /** Removes the lock; an ephemeral folder goes away as a whole. */
  release(): void;
}

interface Lock {
  holder: ProcessMark;
  /** The npm that started the holder, if one did. A holder without its npm is itself left over. */
  npm: ProcessMark[];
}

/** What Kassa writes into a data folder, and the only things --reset removes. */
const contents = ['postgres', 'postgres.new', 'logs', 'secrets.json', 'imported.json', 'processes.json', 'system.json'];

/**
 * Takes the data folder for this process: makes it, refuses it while another npm start holds it, and ends what a killed one left
 * running. Throws Failure. `say` is told of what was ended.
 */
export async function openDataFolder(path: string, mustReset: boolean, say: (sentence: string) => void): Promise<DataFolder> {
  if (existsSync(path) && readdirSync(path).some((name) => !contents.includes(name) && !name.startsWith('lock.json'))) {
    throw new Failure(`${path} holds files that are not Kassa's; name another folder in KASSA_DATA.`);
  }
  // Others may pass, since PostgreSQL does not run as root; each file within says who may read it.
  mkdirSync(path, { recursive: true, mode: 0o711 });
  await takeLock(path);
  await endLeftovers(path, say);
  if (mustReset) for (const name of contents) rmSync(join(path, name), { recursive: true, force: true });
  return folder(path, () => rmSync(join(path, 'lock.json'), { force: true }));
}

/** A folder of its own below the system's temporary one. */
export function temporaryDataFolder(): DataFolder {
  const path = mkdtempSync(join(tmpdir(), 'kassa-'));
  chmodSync(path, 0o711);
  return folder(path, () => rmSync(path, { recursive: true, force: true }));
}

/** Writes a file that only this user may read, whole or not at all. */
export function writePrivate(file: string, value: unknown): void {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.tmp`, file);
}

function folder(path: string, release: () => void): DataFolder {
  const remembered: ProcessMark[] = [];
  mkdirSync(join(path, 'logs'), { recursive: true, mode: 0o700 });
  return {
    path,
    remember(mark) {
      remembered.push(mark);
      writePrivate(join(path, 'processes.json'), remembered);
    },
    release() {
      rmSync(join(path, 'processes.json'), { force: true });
      rmSync(join(path, 'system.json'), { force: true });
      release();
    },
  };
}

/** The npm processes above this one: npm itself and the shell it runs the script in. */
export function npmAbove(): ProcessMark[] {
  if (process.env['npm_lifecycle_event'] === undefined) return [];
  const above: ProcessMark[] = [];
  for (let pid = process.ppid; pid > 1; pid = parentOf(pid) ?? 0) {
    above.push(markOf('npm', pid));
    if (/\bnpm\b/.test(commandLineOf(pid))) return above;
  }
  return [];
}

async function takeLock(path: string): Promise<void> {
  const file = join(path, 'lock.json');
  for (let tries = 0; tries < 5; tries++) {
    try {
      const lock: Lock = { holder: markOf('npm start', process.pid), npm: npmAbove() };
      writeFileSync(file, JSON.stringify(lock), { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const lock = readJson<Lock>(file);
    if (lock && isAlive(lock.holder)) {
      if (lock.npm.every(isAlive))
        throw new Failure(`Kassa already runs on ${path} (process ${lock.holder.pid}); stop it there with Ctrl-C.`);
      await endProcess(lock.holder, 'SIGTERM', 30_000);
    }
    // Renamed before it is removed: of two that find the same dead holder, one fails here and looks again.
    const stale = `${file}.${process.pid}`;
    try {
      renameSync(file, stale);
    } catch {
      continue; // Somebody else removed it, or its holder did.
    }
    rmSync(stale, { force: true });
  }
  throw new Failure(`${file} cannot be taken; is another npm start running on this folder?`);
}

/** Ends what a killed npm start left: the services it remembered, then PostgreSQL, which names itself in postmaster.pid. */
async function endLeftovers(path: string, say: (sentence: string) => void): Promise<void> {
  const left = (readJson<ProcessMark[]>(join(path, 'processes.json')) ?? []).filter(isAlive);
  if (left.length > 0) say(`Ending what an earlier start left running: ${left.map((mark) => mark.name).join(', ')}.`);
  await Promise.all(left.map((mark) => endProcess(mark, 'SIGTERM', 5_000)));
  rmSync(join(path, 'processes.json'), { force: true });
  rmSync(join(path, 'system.json'), { force: true });

  const postgres = join(path, 'postgres');
  const pid = existsSync(join(postgres, 'postmaster.pid'))
    ? Number(readFileSync(join(postgres, 'postmaster.pid'), 'utf8').split('\n')[0])
    : NaN;
  if (!Number.isInteger(pid) || !commandLineOf(pid).includes(` -D ${postgres} `)) return;
  say('Ending the PostgreSQL an earlier start left running.');
  await endProcess(markOf('PostgreSQL', pid), 'SIGINT', 20_000);
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined; // Absent, or cut off by a crash: nothing to learn from it.
  }
}
