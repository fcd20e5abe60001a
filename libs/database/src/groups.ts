import DataLoader from 'dataloader';

export interface GroupOptions {
  /** Items of a group at most. */
  most: number;
  /** How long an item waits for the group that is under way, in milliseconds. */
  patienceMs: number;
}

/**
 * Does work for several items at once: the first goes without delay, and what comes while it is under way goes together after it, so that
 * groups grow with the load and nothing waits where there is none. One that takes longer than `patienceMs` is not waited for.
 * `work` answers a result or an Error for each item, in their order; where it throws, it has failed for all of them.
 */
export function inGroups<Item, Result>(
  work: (items: readonly Item[]) => Promise<(Result | Error)[]>,
  { most, patienceMs }: GroupOptions,
): (item: Item) => Promise<Result> {
  const gathering = new Set<() => void>();
  let underWay = 0;

  function gather(dispatch: () => void): void {
    const send = () => {
      if (!gathering.delete(send)) return;
      clearTimeout(patience);
      underWay += 1;
      dispatch();
    };
    const patience = setTimeout(send, patienceMs);
    gathering.add(send);
    if (underWay === 0) sendNext();
  }

  /** What else comes in this turn of the event loop goes with it. */
  function sendNext(): void {
    const [send] = gathering;
    if (send) setImmediate(send);
  }

  const loader = new DataLoader<Item, Result>(
    async (items) => {
      try {
        return await work(items);
      } finally {
        underWay -= 1;
        if (underWay === 0) sendNext();
      }
    },
    { cache: false, maxBatchSize: most, batchScheduleFn: gather },
  );
  return (item) => loader.load(item);
}
