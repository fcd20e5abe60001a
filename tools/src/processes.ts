import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process, told apart from a later one that was given the same id. */
export interface ProcessMark {
  name: string;
  pid: number;
  /** When it started, in the words of the operating system. */
  started: string;
}

export function markOf(name: string, pid: number): ProcessMark {
  return { name, pid, started: startOf(pid) ?? '' };
}

/** Whether that very process, not another one with its id, still runs. */
export function isAlive(mark: ProcessMark): boolean {
  return mark.started !== '' && startOf(mark.pid) === mark.started;
}

/** Sends the signal, then SIGKILL after `patienceMs`, and returns when the process is gone. */
export async function endProcess(mark: ProcessMark, signal: NodeJS.Signals, patienceMs: number): Promise<void> {
  if (isAlive(mark)) send(mark.pid, signal);
  if (await gone(mark, patienceMs)) return;
  send(mark.pid, 'SIGKILL');
  await gone(mark, 5_000);
}

/** The parent of a process, where the operating system tells. */
export function parentOf(pid: number): number | undefined {
  const parent = platform() === 'linux' ? Number(linuxStat(pid)?.[1]) : Number(ps(pid, 'ppid='));
  return Number.isInteger(parent) && parent > 0 ? parent : undefined;
}

/** The whole command line, arguments separated by blanks. */
export function commandLineOf(pid: number): string {
  if (platform() !== 'linux') return ps(pid, 'command=') ?? '';
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // Gone.
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function gone(mark: ProcessMark, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (isAlive(mark)) {
    if (performance.now() >= deadline) return false;
    await sleep(50);
  }
  return true;
}

/** Undefined when there is no such process, or only its zombie. */
function startOf(pid: number): string | undefined {
  if (platform() !== 'linux') return ps(pid, 'lstart=');
  const stat = linuxStat(pid);
  if (!stat || stat[0] === 'Z') return undefined;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${stat[19]}`;
}

/** Fields of /proc/<pid>/stat from the third on (proc(5)): state, parent, …, start time in ticks since boot. */
function linuxStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // Gone.
  }
}

function ps(pid: number, column: string): string | undefined {
  const { stdout } = spawnSync('ps', ['-o', column, '-p', String(pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout?.trim() || undefined;
}
