import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { platform } from 'node:os';

/** Processor time a process and its children have used so far, in milliseconds. Children that have ended count where the system tells. */
export function cpuMsOf(pids: readonly number[], withChildren: boolean): number {
  const wanted = new Set(pids);
  const processes = platform() === 'linux' ? linuxProcesses() : psProcesses();
  return processes
    .filter(({ pid, parent }) => wanted.has(pid) || (withChildren && wanted.has(parent)))
    .reduce((sum, { pid, cpuMs, endedChildrenMs }) => sum + cpuMs + (withChildren && wanted.has(pid) ? endedChildrenMs : 0), 0);
}

/** Resident memory in megabytes. */
export function memoryMbOf(pid: number): number {
  const { stdout } = spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return Number(stdout.trim()) / 1024;
}

interface ProcessTimes {
  pid: number;
  parent: number;
  cpuMs: number;
  endedChildrenMs: number;
}

/** From /proc/<pid>/stat (proc(5)): fields 4, 14 to 17, in ticks. */
function linuxProcesses(): ProcessTimes[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const stat = readStat(name);
      if (stat === undefined) return [];
      const [parent, user, system, childUser, childSystem] = [1, 11, 12, 13, 14].map((index) => Number(stat[index]));
      return [
        {
          pid: Number(name),
          parent: parent ?? 0,
          cpuMs: ((user ?? 0) + (system ?? 0)) * msPerTick,
          endedChildrenMs: ((childUser ?? 0) + (childSystem ?? 0)) * msPerTick,
        },
      ];
    });
}

/** Fields from the third on; undefined for a process that ended meanwhile. */
function readStat(pid: string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

const msPerTick =
  platform() === 'linux' ? 1000 / Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout || 100) : 10;

/** Elsewhere what ps tells, as [[days-]hours:]minutes:seconds. */
function psProcesses(): ProcessTimes[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,time='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [pid, parent, time = ''] = line.trim().split(/\s+/);
      return { pid: Number(pid), parent: Number(parent), cpuMs: clockMs(time), endedChildrenMs: 0 };
    });
}

/** Exported for its test. */
export function clockMs(time: string): number {
  const [clock = '', days = '0'] = time.split('-').reverse();
  const [seconds = 0, minutes = 0, hours = 0] = clock.split(':').reverse().map(Number);
  return (((Number(days) * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}
