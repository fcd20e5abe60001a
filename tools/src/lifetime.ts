import { npmAbove } from './data-folder.ts';
import type { Failure } from './failure.ts';
import { isAlive } from './processes.ts';
import { say } from './progress.ts';

export interface Lifetime {
  onEnd(close: () => Promise<void> | void): void;
  /** Ends everything and the process, with the failure's sentence. */
  fail(failure: Failure): void;
  end(): Promise<void>;
  isOver(): boolean;
  /** Rejects with the failure that ended it; otherwise settles when all is closed. */
  ended: Promise<void>;
}

/**
 * From the first thing opened to Ctrl-C, a failure, or the end of the npm that runs this. A second Ctrl-C does not wait; one that comes
 * within a second is the first one again, which reaches us from the terminal and once more from npm.
 */
export function createLifetime(): Lifetime {
  const closers: (() => Promise<void> | void)[] = [];
  let closing: Promise<void> | undefined;
  let settle: { resolve: () => void; reject: (failure: Failure) => void };
  const ended = new Promise<void>((resolve, reject) => (settle = { resolve, reject }));
  ended.catch(() => undefined);

  const end = () => {
    closing ??= (async () => {
      for (const close of closers.reverse()) await Promise.resolve(close()).catch((error: unknown) => console.error(error));
    })();
    return closing;
  };
  let stoppedAt = 0;
  const stopFor = (reason: string) => {
    if (closing && performance.now() - stoppedAt < 1_000) return;
    if (closing) process.exit(130);
    stoppedAt = performance.now();
    say(reason);
    void end().then(() => process.exit(0));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopFor('Ending Kassa …'));
  const npm = npmAbove();
  const watch = setInterval(() => {
    if (npm.every(isAlive)) return;
    clearInterval(watch);
    if (!closing) stopFor('The npm that ran this is gone; ending Kassa …');
  }, 500);
  watch.unref();

  return {
    onEnd(close) {
      if (closing) void close();
      else closers.push(close);
    },
    fail(failure) {
      if (closing) return;
      say('Ending Kassa …');
      void end().then(() => settle.reject(failure));
    },
    end,
    isOver: () => closing !== undefined,
    ended,
  };
}
