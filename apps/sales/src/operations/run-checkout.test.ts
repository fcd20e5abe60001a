import { describe, expect, test } from 'vitest';
import type { Inventory, Payments, PaymentSaid, Said } from '../clients.ts';
import { planCheckout, type IntentBalance, type TenderRequest } from '../domain/checkout.ts';
import { priceLine } from '../domain/pricing.ts';
import type { Sale } from '../domain/sale.ts';
import type { Events } from '../events.ts';
import type { Checkout } from '../store/checkouts.ts';
import { runCheckout, type CheckoutDeps } from './run-checkout.ts';

/*
 * What is called, in which order, for each way each step can go. Store and neighbours stand in memory here, by their types; what a call
 * does to them is told by the outcome planned for it, and everything else is done.
 */

type Outcome = 'refused' | 'unknown' | 'crash' | 'lost reply';

const priced = priceLine(
  { lineId: 'l1', position: 1, item: 'E1', quantity: 2, serials: [] },
  { sku: 'E1', gtin: '4006381333931', name: 'Kabel', itemGroup: 'x', isSerialised: false, isActive: true, unitMinor: 5000 },
  2500,
);
if ('refusal' in priced) throw new Error(priced.refusal.detail);

const sale: Sale = {
  id: 's1',
  shopId: 'dk-001',
  registerId: 'dk-001-01',
  country: 'dk',
  currency: 'DKK',
  state: 'COMMITTING',
  version: 2,
  attempt: 1,
  totalMinor: 10000,
  roundingMinor: 0,
  changeMinor: 0,
  businessDate: '2026-03-02',
  refusal: null,
  receiptNumber: null,
  openedAt: '2026-03-02T09:00:00.000Z',
  completedAt: null,
  lines: [priced.line],
  tenders: [],
};
const shop = {
  id: 'dk-001',
  gln: '9',
  name: 'Elnord',
  address: 'A',
  postalCode: '1',
  city: 'K',
  timeZone: 'Europe/Copenhagen',
  country: 'dk',
  status: 'open',
  seller: 'S',
  sellerNumber: '1',
};

const ways: Record<string, TenderRequest[]> = {
  card: [{ method: 'terminal', amountMinor: 10000 }],
  authorised: [{ method: 'online', amountMinor: 10000, cardToken: 'tok' }],
  split: [
    { method: 'cash', amountMinor: 2000 },
    { method: 'terminal', amountMinor: 3000 },
    { method: 'online', amountMinor: 5000, cardToken: 'tok' },
  ],
};

function checkoutOf(tenders: TenderRequest[]): Checkout {
  const planned = planCheckout({
    sale: { ...sale, state: 'OPEN', attempt: 0 },
    tenders,
    till: { registerId: 'dk-001-01', kind: 'desktop', terminalId: 'pos-1' },
    country: 'dk',
    soldAt: '2026-03-02T10:15:00.000Z',
    businessDate: '2026-03-02',
    vatBp: 2500,
    actor: { subject: 'p1', role: 'cashier', shopId: 'dk-001', registerId: 'dk-001-01' },
    idOf: (...name) => name.join('/'),
  });
  if ('refusal' in planned) throw new Error(planned.refusal.detail);
  const { plan } = planned;
  const startedAt = '2026-03-02T10:15:00.000Z';
  return {
    saleId: 's1',
    attempt: 1,
    phase: 'COMMITTING',
    plan,
    refusal: null,
    undo: null,
    undoRound: 0,
    keyScope: 'k',
    traceId: 't',
    instance: '/x',
    tries: 0,
    startedAt,
  };
}

/** The world of one test: `fails` names the call that goes wrong (once) and how. */
function world(fails: { call: string; how: Outcome } | undefined = undefined) {
  const calls: string[] = [];
  const intents = new Map<string, IntentBalance>();
  let left = fails;

  /** Notes the call; what it does happens unless it is refused or the process dies before. */
  function step<Done>(
    call: string,
    happen: () => Done,
    refusal: Exclude<Said, { outcome: 'done' }>,
  ): Promise<Done | Exclude<Said, { outcome: 'done' }>> {
    calls.push(call);
    const how = left?.call === call ? left.how : undefined;
    if (how === undefined) return Promise.resolve(happen());
    left = undefined;
    if (how === 'refused') return Promise.resolve(refusal);
    if (how === 'crash') throw new Error('the process dies here');
    if (how === 'lost reply') happen();
    return Promise.resolve({ outcome: 'unknown', problem: 'unavailable' });
  }

  const done = (): Said => ({ outcome: 'done' });
  const stock = (code: 'insufficient-stock' | 'reservation-expired') => ({
    outcome: 'refused' as const,
    code,
    detail: 'No stock.',
  });
  const declined = {
    outcome: 'refused' as const,
    code: 'payment-declined' as const,
    detail: 'Declined.',
    declineCode: 'do-not-honour',
  };
  const intent = (id: string, facts: Partial<IntentBalance>) => {
    const before = intents.get(id) ?? {
      status: 'requires_method',
      authorisedMinor: 0,
      capturedMinor: 0,
      refundedMinor: 0,
      voidedMinor: 0,
    };
    intents.set(id, { ...before, ...facts });
  };
  const paid = (id: string, facts: Partial<IntentBalance>): PaymentSaid => {
    intent(id, facts);
    return { outcome: 'done', authorisationCode: '831000', cardLabel: 'Dankort •••• 4321' };
  };
  const name = (tenderId: string) => tenderId.replace('tender/', '');

  const inventory: Inventory = {
    reserve: (_plan, { state }) => step(`reserve ${state}`, done, stock('insufficient-stock')),
    firm: () => step('firm', done, stock('reservation-expired')),
    release: () => step('release', done, stock('reservation-expired')),
    consume: () => step('consume', done, stock('reservation-expired')),
  };
  const payments: Payments = {
    authorise: (_plan, { tenderId, intentId, amountMinor }) =>
      step(`authorise ${name(tenderId)}`, () => paid(intentId, { status: 'authorised', authorisedMinor: amountMinor }), declined),
    purchase: (_plan, { tenderId, intentId, amountMinor }) =>
      step(
        `purchase ${name(tenderId)}`,
        () => paid(intentId, { status: 'captured', authorisedMinor: amountMinor, capturedMinor: amountMinor }),
        declined,
      ),
    capture: (_plan, { tenderId, intentId, amountMinor }) =>
      step(`capture ${name(tenderId)}`, () => paid(intentId, { status: 'captured', capturedMinor: amountMinor }), declined),
    balance: async (intentId) => {
      const balance = await step(`ask ${name(intentId.replace('intent/', ''))}`, () => intents.get(intentId) ?? null, {
        outcome: 'unknown',
        problem: 'unavailable',
      });
      return balance as Awaited<ReturnType<Payments['balance']>>;
    },
    cancel: (_plan, { intentId, transactionId }) =>
      step(
        transactionId,
        () => {
          intent(intentId, { status: 'voided', voidedMinor: intents.get(intentId)?.authorisedMinor ?? 0 });
          return done();
        },
        declined,
      ),
    refund: (_plan, { intentId, transactionId }) =>
      step(
        transactionId,
        () => {
          intent(intentId, { status: 'refunded', refundedMinor: intents.get(intentId)?.capturedMinor ?? 0 });
          return done();
        },
        declined,
      ),
  };

  const record = async (call: string): Promise<void> =>
    void (await step(call, () => undefined, { outcome: 'unknown', problem: '' }));
  const store: CheckoutDeps['store'] = {
    async finish(_checkout, _at, draft) {
      await record('FINISH');
      return { number: 7, answer: draft(7).answer };
    },
    beginUndo: () => record('UNDO'),
    endUndo: (_checkout, state) => record(state),
    endConsume: () => record('ENDED'),
    keepLease: () => record('keep'),
    postpone: (_checkout, _ms, problem) => record(`later: ${problem}`),
  };

  const background: (() => Promise<unknown>)[] = [];
  const events: string[] = [];
  const deps: CheckoutDeps = {
    store,
    inventory,
    payments,
    events: new Proxy({} as Events, { get: (_, event: string) => () => events.push(event) }),
    now: () => new Date('2026-03-02T10:15:01.000Z'),
    sleep: async () => true,
    stepId: (_sale, _attempt, ...parts) => parts.join(' ').replace('tender/', ''),
    background: (work) => background.push(work),
    settings: { leaseMs: 60_000, waitMs: 0, retry: { firstMs: 1, maxMs: 1 } },
  };
  return {
    calls,
    intents,
    events,
    /** What goes wrong from now on. */
    fail(next: { call: string; how: Outcome }) {
      left = next;
    },
    /** Runs the checkout, and the work it left to the background. */
    async run(checkout: Checkout) {
      const { phase } = checkout;
      const state = phase === 'COMPENSATING' ? 'COMPENSATING' : phase === 'CONSUMING' ? 'COMPLETED' : 'COMMITTING';
      const answer = await runCheckout(deps, checkout, { sale: { ...sale, state }, shop }, 0);
      while (background.length > 0) await background.shift()?.();
      return answer;
    },
  };
}

const happy = {
  card: ['reserve FIRM', 'purchase 0', 'FINISH', 'consume', 'ENDED'],
  authorised: ['reserve ACTIVE', 'authorise 0', 'firm', 'capture 0', 'FINISH', 'consume', 'ENDED'],
  split: ['reserve ACTIVE', 'authorise 2', 'firm', 'purchase 1', 'capture 2', 'purchase 0', 'FINISH', 'consume', 'ENDED'],
};

test.each(Object.entries(happy))('nothing goes wrong with %s', async (way, steps) => {
  const { calls, run } = world();
  expect(await run(checkoutOf(ways[way]!))).toMatchObject({ status: 200, body: { state: 'COMPLETED', receiptNumber: 7 } });
  expect(calls).toEqual(steps);
});

describe('a step is refused: the whole plan is undone, the latest first, and the sale is open again', () => {
  const refund = (tender: number) => [`ask ${tender}`, `refund ${tender} 0`];
  const cancel = (tender: number) => [`ask ${tender}`, `void ${tender} 0`];
  test.each([
    { way: 'card', call: 'reserve FIRM', code: 'insufficient-stock', undo: cancel(0) },
    { way: 'card', call: 'purchase 0', code: 'payment-declined', undo: cancel(0) },
    { way: 'authorised', call: 'reserve ACTIVE', code: 'insufficient-stock', undo: cancel(0) },
    { way: 'authorised', call: 'authorise 0', code: 'payment-declined', undo: cancel(0) },
    { way: 'authorised', call: 'firm', code: 'reservation-expired', undo: cancel(0) },
    { way: 'authorised', call: 'capture 0', code: 'payment-declined', undo: cancel(0) },
    { way: 'split', call: 'authorise 2', code: 'payment-declined', undo: [...cancel(0), ...cancel(1), ...cancel(2)] },
    { way: 'split', call: 'firm', code: 'reservation-expired', undo: [...cancel(0), ...cancel(1), ...cancel(2)] },
    { way: 'split', call: 'purchase 1', code: 'payment-declined', undo: [...cancel(0), ...cancel(1), ...cancel(2)] },
    { way: 'split', call: 'capture 2', code: 'payment-declined', undo: [...cancel(0), ...refund(1), ...cancel(2)] },
    { way: 'split', call: 'purchase 0', code: 'payment-declined', undo: [...cancel(0), ...refund(1), ...refund(2)] },
  ] as const)('$way, $call: $code', async ({ way, call, code, undo }) => {
    const { calls, run, intents } = world({ call, how: 'refused' });
    const answer = await run(checkoutOf(ways[way]!));
    expect(answer).toMatchObject({ status: 409, body: { code, state: 'OPEN' } });
    const steps = happy[way];
    expect(calls).toEqual([...steps.slice(0, (steps as string[]).indexOf(call) + 1), 'UNDO', ...undo, 'release', 'OPEN']);
    for (const { capturedMinor, refundedMinor } of intents.values()) expect(capturedMinor).toBe(refundedMinor);
  });
});

const points = Object.entries(happy).flatMap(([way, steps]) => steps.map((call) => ({ way: way as keyof typeof happy, call })));
const remote = points.filter(({ call }) => call === call.toLowerCase() || /^(reserve|purchase|capture|authorise)/.test(call));

describe('an outcome is unknown, or its reply is lost: nothing is guessed, and the walk is repeated from its start', () => {
  test.each(remote.flatMap((point) => (['unknown', 'lost reply'] as const).map((how) => ({ ...point, how }))))(
    '$way, $call: $how',
    async ({ way, call, how }) => {
      const { calls, run, intents } = world({ call, how });
      const checkout = checkoutOf(ways[way]!);
      const first = await run(checkout);
      const steps: string[] = happy[way];
      const isConsume = call === 'consume';
      expect(first === undefined).toBe(!isConsume);
      expect(calls).toEqual([...steps.slice(0, steps.indexOf(call) + 1), 'later: unavailable']);

      calls.length = 0;
      const again = await run(isConsume ? { ...checkout, phase: 'CONSUMING' } : checkout);
      expect(again).toMatchObject({ status: 200 });
      expect(calls).toEqual(isConsume ? ['consume', 'ENDED'] : steps);
      expect(
        [...intents.values()].reduce((sum, { capturedMinor, refundedMinor }) => sum + capturedMinor - refundedMinor, 0),
      ).toBe(10000);
    },
  );
});

describe('the process dies at a step: whoever takes the plan up walks it from its start, with the same ids', () => {
  test.each(points)('$way, $call', async ({ way, call }) => {
    const { calls, run, intents } = world({ call, how: 'crash' });
    const checkout = checkoutOf(ways[way]!);
    await run(checkout);
    const steps: string[] = happy[way];
    expect(calls).toEqual(steps.slice(0, steps.indexOf(call) + 1));

    calls.length = 0;
    const isFinished = steps.indexOf(call) > steps.indexOf('FINISH');
    await run(isFinished ? { ...checkoutOf(ways[way]!), phase: 'CONSUMING' } : checkoutOf(ways[way]!));
    expect(calls).toEqual(isFinished ? ['consume', 'ENDED'] : steps);
    expect([...intents.values()].reduce((sum, { capturedMinor }) => sum + capturedMinor, 0)).toBe(10000);
  });
});

test('the goods were held too long while nobody knew of the money: what an earlier walk did is undone as well', async () => {
  const { calls, fail, run, intents } = world({ call: 'authorise 0', how: 'lost reply' });
  const checkout = checkoutOf(ways['authorised']!);
  await run(checkout);
  fail({ call: 'reserve ACTIVE', how: 'refused' });
  calls.length = 0;
  expect(await run(checkout)).toMatchObject({ status: 409, body: { state: 'OPEN' } });
  expect(calls).toEqual(['reserve ACTIVE', 'UNDO', 'ask 0', 'void 0 0', 'release', 'OPEN']);
  expect(intents.get('intent/tender/0')).toMatchObject({ authorisedMinor: 10000, voidedMinor: 10000 });
});

describe('the undo itself goes wrong: it is repeated until it is done, and what can be undone is not kept waiting', () => {
  const refused = {
    phase: 'COMPENSATING' as const,
    refusal: { cause: 'payment-declined' as const, detail: 'Declined.', tenderId: 'tender/0' },
  };

  async function refusedAtCash(fails: { call: string; how: Outcome }) {
    const made = world(fails);
    const checkout = checkoutOf(ways['split']!);
    for (const tender of [1, 2])
      made.intents.set(`intent/tender/${tender}`, {
        status: 'captured',
        authorisedMinor: 100,
        capturedMinor: 100,
        refundedMinor: 0,
        voidedMinor: 0,
      });
    const undo = checkout.plan.steps.flatMap((step) => ('undo' in step ? [step.undo] : [])).reverse();
    const begun = { ...checkout, ...refused, undo };
    const first = await made.run(begun);
    const firstCalls = made.calls.splice(0);
    const second = await made.run(begun);
    const alarms = made.events.filter((event) => event === 'moneyNotReturned').length;
    return { first, firstCalls, second, secondCalls: made.calls, intents: made.intents, alarms };
  }

  const whole = ['ask 0', 'void 0 0', 'ask 1', 'refund 1 0', 'ask 2', 'refund 2 0', 'release'];

  test.each(['ask 1', 'refund 1 0', 'ask 2', 'release'])('%s is unknown', async (call) => {
    const { first, firstCalls, second, intents, alarms } = await refusedAtCash({ call, how: 'unknown' });
    expect([first, alarms]).toEqual([undefined, 0]);
    const skipped = call === 'ask 1' ? ['refund 1 0'] : call === 'ask 2' ? ['refund 2 0'] : [];
    expect(firstCalls).toEqual([...whole.filter((made) => !skipped.includes(made)), 'later: unavailable']);
    expect(second).toMatchObject({ status: 409, body: { code: 'payment-declined' } });
    for (const { capturedMinor, refundedMinor } of intents.values()) expect(capturedMinor).toBe(refundedMinor);
  });

  test('a refund that was refused calls a person, and is tried again under another id', async () => {
    const { firstCalls, secondCalls, alarms } = await refusedAtCash({ call: 'refund 1 0', how: 'refused' });
    expect(alarms).toBe(1);
    expect(firstCalls).toEqual([...whole, 'later: payment-declined']);
    expect(secondCalls).toEqual(['ask 0', 'ask 1', 'refund 1 1', 'ask 2', 'release', 'OPEN']);
  });

  test.each(['ask 1', 'refund 1 0', 'release', 'OPEN'])('the process dies at %s', async (call) => {
    const { second, secondCalls, intents } = await refusedAtCash({ call, how: 'crash' });
    expect(second).toMatchObject({ status: 409 });
    expect(secondCalls.at(-1)).toBe('OPEN');
    for (const { capturedMinor, refundedMinor } of intents.values()) expect(capturedMinor).toBe(refundedMinor);
  });

  test('a payment whose outcome nobody knows is neither canceled nor refunded before payments has found out', async () => {
    const { calls, run, intents } = world();
    const checkout = checkoutOf(ways['card']!);
    intents.set('intent/tender/0', { status: 'unknown', authorisedMinor: 0, capturedMinor: 0, refundedMinor: 0, voidedMinor: 0 });
    const undo = checkout.plan.steps.flatMap((step) => ('undo' in step ? [step.undo] : [])).reverse();
    await run({ ...checkout, ...refused, undo });
    expect(calls).toEqual(['ask 0', 'release', 'later: payment-unknown']);
  });
});

test('a reservation that ended by itself has nothing to release', async () => {
  const { calls, run } = world({ call: 'release', how: 'refused' });
  const checkout = checkoutOf(ways['card']!);
  const refusal = { cause: 'insufficient-stock' as const, detail: 'No stock.' };
  const undo = [{ undo: 'release' as const, reservationId: 'reservation' }];
  expect(await run({ ...checkout, phase: 'COMPENSATING', refusal, undo })).toMatchObject({ status: 409 });
  expect(calls).toEqual(['release', 'OPEN']);
});
