import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '@kassa/testing';
import { startSystem, type ServiceName, type System } from './system.ts';
import { openTill, type Till } from './till.ts';
import { watchWork, type Work } from './work.ts';
import { agreement } from './witnesses.ts';

// What a sale costs, counted rather than timed: statements, transactions that took an id, and gRPC calls, each averaged over a hundred
// sales of two lines, from the first request until the stock is consumed. Left out are the change feed, the copies it keeps, and the card
// world; what the background loops do to find nothing to do is counted with the rest.

const sales = 100;
const counted = ['sales', 'payments', 'inventory'] as const satisfies readonly ServiceName[];

/** The change feed and its copies, by the tables and functions it alone has. */
const feedStatement =
  /\b(feed|feed_position|stock_changes|pending_changes|sequence_changes_v\d+|prune_changes_v\d+|products AS|shops AS)\b/i;
const feedTables = new Set(['feed', 'feed_position', 'stock_changes', 'pending_changes']);

interface Way {
  title: string;
  budget: { statements: number; commits: number; calls: number };
  sell(till: Till, skus: [string, string], totalMinor: number): Promise<void>;
}

const ways: Way[] = [
  {
    title: 'A sale in two requests, by card at the terminal',
    budget: { statements: 12, commits: 9, calls: 4 },
    async sell(till, [one, two], totalMinor) {
      const sale = await till.open([{ sku: one }, { sku: two }]);
      const answer = await till.sales.post(`/v1/sales/${sale.id}/complete`, {
        tenders: [{ method: 'terminal', amountMinor: totalMinor }],
      });
      expect(answer.status).toBe(200);
    },
  },
  {
    title: 'A sale one step at a time, authorised and then captured',
    budget: { statements: 20, commits: 16, calls: 6 },
    async sell({ sales: api }, [one, two], totalMinor) {
      const { body } = await api.post('/v1/sales', {});
      const sale = `/v1/sales/${String(body['id'])}`;
      await api.post(`${sale}/lines`, { sku: one });
      await api.post(`${sale}/lines`, { sku: two });
      const answer = await api.post(`${sale}/complete`, {
        tenders: [{ method: 'terminal', capture: 'authorise', amountMinor: totalMinor }],
      });
      expect(answer.status).toBe(200);
    },
  },
];

let system: System;
let till: Till;

beforeAll(async () => {
  system = await startSystem({ pace: 'production' });
  till = await openTill(system, 'dk-001-01');
});
afterAll(() => system.stop());

describe.each(ways)('$title', ({ title, budget, sell }) => {
  test(`costs at most ${budget.statements} statements, ${budget.commits} transactions and ${budget.calls} calls`, async () => {
    const [one, two] = [system.demo.products[1]!, system.demo.products[2]!];
    const sellOne = () => sell(till, [one.sku, two.sku], 10_195 + 10_295);
    // The first sale opens connections and fetches keys and tokens.
    await sellOne();
    await agreement(system);

    const callsBefore = await callsOfSales();
    const watch = await watchWork(Object.fromEntries(counted.map((name) => [name, system.databaseUrl(name)])));
    for (let n = 0; n < sales; n++) await sellOne();
    await consumed();
    const work = await watch.end();
    const calls = difference(await callsOfSales(), callsBefore);

    console.log(report(title, work, calls));
    const used = { statements: perSale(statementsOf(work)), commits: perSale(transactionsOf(work)), calls: perSale(calls) };
    expect(used.statements).toBeLessThanOrEqual(budget.statements);
    expect(used.commits).toBeLessThanOrEqual(budget.commits);
    expect(used.calls).toBeLessThanOrEqual(budget.calls);
  });
});

/** Completed sales whose stock is not consumed yet keep their checkout open. */
function consumed(): Promise<void> {
  return eventually(async () => {
    expect(await system.api('sales').all('/v1/checkouts')).toEqual([]);
  });
}

/** Unary calls sales has made so far, by method. */
async function callsOfSales(): Promise<Map<string, number>> {
  const text = await (await fetch(`${system.app('sales').metrics}/metrics`)).text();
  const calls = new Map<string, number>();
  for (const [, labels = '', count] of text.matchAll(/^kassa_grpc_client_duration_seconds_count\{(.*)\} (\d+)/gm)) {
    const method = /method="[^"]*\/(\w+)"/.exec(labels)?.[1] ?? labels;
    calls.set(method, (calls.get(method) ?? 0) + Number(count));
  }
  return calls;
}

function difference(now: Map<string, number>, before: Map<string, number>): Map<string, number> {
  return new Map([...now].map(([name, count]) => [name, count - (before.get(name) ?? 0)]));
}

function statementsOf(work: Map<string, Work>): Map<string, number> {
  const rows = [...work].flatMap(([database, { statements }]) =>
    statements.map(({ text, calls }) => [`${database}: ${text}`, calls] as const),
  );
  return new Map(rows.filter(([text]) => !feedStatement.test(text)));
}

function transactionsOf(work: Map<string, Work>): Map<string, number> {
  const rows = [...work].flatMap(([database, { transactions }]) =>
    transactions
      .filter(({ tables }) => !tables.every((table) => feedTables.has(table)))
      .map(({ tables, count }) => [`${database}: ${tables.join(', ')}`, count] as const),
  );
  return new Map(rows);
}

const perSale = (counts: Map<string, number>): number => [...counts.values()].reduce((sum, count) => sum + count, 0) / sales;

function report(title: string, work: Map<string, Work>, calls: Map<string, number>): string {
  const part = (name: string, counts: Map<string, number>) => {
    const rows = [...counts].filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
    return [
      `${perSale(counts).toFixed(2).padStart(8)} ${name} a sale`,
      ...rows.map(([text, count]) => `${(count / sales).toFixed(2).padStart(14)}  ${text.slice(0, 110)}`),
    ];
  };
  return [
    title,
    ...part('statements', statementsOf(work)),
    ...part('transactions', transactionsOf(work)),
    ...part('calls', calls),
  ].join('\n');
}
