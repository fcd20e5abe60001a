/** The stream said nothing for longer than it may: its other end is gone, whatever the connection looks like. */
export class FeedSilent extends Error {
  override readonly name = 'FeedSilent';

  constructor(silenceMs: number) {
    super(`nothing was heard for ${silenceMs} ms`);
  }
}

/**
 * The messages of a server stream, which is opened with the signal it is given. Throws FeedSilent when the next message does not
 * arrive in time, and `stop`'s reason when that is raised; a client that ignores its signal cannot hold the reader.
 * The time a reader spends on a message does not count. However the reading ends, the call is cancelled.
 */
export async function* heardWithin<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  silenceMs: number,
  stop: AbortSignal,
): AsyncGenerator<T> {
  const call = new AbortController();
  const end = () => call.abort(stop.reason);
  stop.addEventListener('abort', end);
  try {
    stop.throwIfAborted();
    const iterator = open(call.signal)[Symbol.asyncIterator]();
    for (;;) {
      const next = await firstOf(iterator.next(), silenceMs, call);
      if (next.done) return;
      yield next.value;
    }
  } finally {
    stop.removeEventListener('abort', end);
    call.abort();
  }
}

function firstOf<T>(next: Promise<T>, silenceMs: number, call: AbortController): Promise<T> {
  return new Promise((resolve, reject) => {
    const refuse = () => settle(() => reject(call.signal.reason as Error));
    const timer = setTimeout(() => call.abort(new FeedSilent(silenceMs)), silenceMs);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', refuse);
      outcome();
    };
    if (call.signal.aborted) refuse();
    else call.signal.addEventListener('abort', refuse);
    next.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error as Error)),
    );
  });
}
