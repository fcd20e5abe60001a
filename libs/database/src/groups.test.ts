import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { inGroups } from './groups.ts';

/** Work that notes its groups, and ends when it is told to. */
function noting({ most = 16, patienceMs = 60_000 } = {}) {
  const groups: string[][] = [];
  const ends: (() => void)[] = [];
  const act = inGroups<string, string>(
    async (items) => {
      groups.push([...items]);
      await new Promise<void>((end) => ends.push(end));
      if (items.includes('all fail')) throw new Error('all of them');
      return items.map((item) => (item === 'fails' ? new Error('this one') : item.toUpperCase()));
    },
    { most, patienceMs },
  );
  const turn = () => new Promise((done) => setImmediate(() => setImmediate(done)));
  return {
    act,
    groups,
    turn,
    /** Ends the oldest group under way. */
    async end() {
      ends.shift()?.();
      await turn();
    },
  };
}

test('What comes in one turn goes together, what comes meanwhile goes together after it, and each has its own answer', async () => {
  const { act, groups, turn, end } = noting();
  const answers = ['a', 'b'].map(act);
  await turn();
  answers.push(act('c'));
  await turn();
  answers.push(act('d'));
  await turn();
  expect(groups).toEqual([['a', 'b']]);
  await end();
  expect(groups).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  await end();
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'C', 'D']);
});

test('An error is told to the one it is about, and one of the whole group to all of it', async () => {
  const { act, turn, end } = noting();
  const answers = ['a', 'fails'].map(act);
  await turn();
  answers.push(act('b'), act('all fail'));
  void end().then(end);
  expect((await Promise.allSettled(answers)).map((one) => (one.status === 'fulfilled' ? one.value : String(one.reason)))).toEqual(
    ['A', 'Error: this one', 'Error: all of them', 'Error: all of them'],
  );
});

test('A group has an end, and those beyond it are the next one', async () => {
  const { act, groups, turn, end } = noting({ most: 2 });
  const first = act('a');
  await turn();
  const rest = ['b', 'c', 'd'].map(act);
  await end();
  expect(groups).toEqual([['a'], ['b', 'c']]);
  await end();
  expect(groups).toEqual([['a'], ['b', 'c'], ['d']]);
  await end();
  expect(await Promise.all([first, ...rest])).toEqual(['A', 'B', 'C', 'D']);
});

test('A group that takes long is not waited for', async () => {
  const { act, groups, turn, end } = noting({ patienceMs: 20 });
  const slow = act('a');
  await turn();
  const next = act('b');
  await sleep(40);
  expect(groups).toEqual([['a'], ['b']]);
  await end();
  await end();
  expect(await Promise.all([slow, next])).toEqual(['A', 'B']);
});
