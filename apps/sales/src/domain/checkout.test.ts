import { countryCodes, country as countryOf, type CountryCode } from '@kassa/countries';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  howToReturn,
  planCheckout,
  resolve,
  retryDelayMs,
  settle,
  undoOf,
  type CheckoutRequest,
  type Phase,
  type Plan,
  type Resolution,
  type TenderRequest,
} from './checkout.ts';
import { priceLine } from './pricing.ts';
import { saleStates, type Line, type Sale } from './sale.ts';

const offer = { sku: 'E1', gtin: '4006381333931', name: 'USB-C-kabel', itemGroup: 'cables', isSerialised: false, isActive: true };

function line(unitMinor: number, facts: { sku?: string; quantity?: number } = {}): Line {
  const { sku = 'E1', quantity = 1 } = facts;
  const priced = priceLine(
    { lineId: `l-${sku}`, position: 1, item: sku, quantity, serials: [] },
    { ...offer, sku, unitMinor },
    2500,
  );
  if ('refusal' in priced) throw new Error(priced.refusal.detail);
  return priced.line;
}

const sale: Sale = {
  id: 's1',
  shopId: 'dk-001',
  registerId: 'dk-001-01',
  country: 'dk',
  currency: 'DKK',
  state: 'OPEN',
  version: 1,
  attempt: 0,
  totalMinor: 10000,
  roundingMinor: 0,
  changeMinor: 0,
  businessDate: null,
  refusal: null,
  receiptNumber: null,
  openedAt: '2026-03-02T09:00:00.000Z',
  completedAt: null,
  lines: [line(10000)],
  tenders: [],
};

const desk = { registerId: 'dk-001-01', kind: 'desktop' as const, terminalId: 'pos-1' };
const noTerminal = { ...desk, terminalId: null };
const web = { registerId: 'dk-001-web', kind: 'web' as const, terminalId: null };
const request: CheckoutRequest = {
  sale,
  tenders: [],
  till: desk,
  country: 'dk',
  soldAt: '2026-03-02T10:15:00.000Z',
  businessDate: '2026-03-02',
  vatBp: 2500,
  actor: { subject: 'p1', role: 'cashier', shopId: 'dk-001', registerId: 'dk-001-01' },
  idOf: (...name) => name.join('/'),
};
const cash = (amountMinor: number): TenderRequest => ({ method: 'cash', amountMinor });
const card = (amountMinor: number, capture?: 'authorise'): TenderRequest => ({ method: 'terminal', amountMinor, capture });
const online = (amountMinor: number): TenderRequest => ({ method: 'online', amountMinor, cardToken: 'tok_1' });

describe('refusals, in order of precedence: each row also has every fault of the rows below it', () => {
  const empty = { ...sale, lines: [] };
  const nine = Array.from({ length: 9 }, () => card(1));
  test.each<{ what: string; given: Partial<CheckoutRequest>; code: string }>([
    {
      what: 'a parked, empty sale',
      given: { sale: { ...empty, state: 'PARKED' }, expectedTotalMinor: 1, tenders: nine },
      code: 'wrong-state',
    },
    { what: 'an empty sale', given: { sale: empty, expectedTotalMinor: 1, tenders: nine }, code: 'sale-empty' },
    { what: 'another total than expected', given: { expectedTotalMinor: 9999, tenders: nine }, code: 'price-changed' },
    { what: 'a ninth tender', given: { tenders: [card(20000), ...nine], till: noTerminal }, code: 'tender-not-allowed' },
    {
      what: 'a card where there is no terminal',
      given: { tenders: [card(20000)], till: noTerminal },
      code: 'tender-not-allowed',
    },
    { what: 'cash at a web shop’s register', given: { tenders: [cash(1)], till: web }, code: 'tender-not-allowed' },
    { what: 'cash to be authorised', given: { tenders: [{ ...cash(1), capture: 'authorise' }] }, code: 'tender-not-allowed' },
    { what: 'more than is due by card', given: { tenders: [card(10001)] }, code: 'overpaid' },
    { what: 'cash on top of a card that pays all', given: { tenders: [card(10000), cash(50)] }, code: 'overpaid' },
    { what: 'too little', given: { tenders: [card(9999)] }, code: 'underpaid' },
    { what: 'nothing', given: {}, code: 'underpaid' },
  ])('$what: $code', ({ given, code }) => {
    expect(planCheckout({ ...request, ...given })).toMatchObject({ refusal: { code } });
  });

  test.each(saleStates.map((state) => ({ state, isFine: state === 'OPEN' || state === 'TENDERING' })))(
    'a sale that is $state',
    ({ state, isFine }) => {
      expect('plan' in planCheckout({ ...request, sale: { ...sale, state }, tenders: [card(10000)] })).toBe(isFine);
    },
  );

  test('cash of DKK 15 000 or more may not be taken in Denmark, and may in Greenland', () => {
    const dear = { ...sale, lines: [line(1_500_000)], totalMinor: 1_500_000 };
    const given = { ...request, sale: dear, tenders: [cash(1_500_000)] };
    expect(planCheckout(given)).toMatchObject({ refusal: { code: 'tender-not-allowed' } });
    expect(planCheckout({ ...given, country: 'gl', vatBp: 0 })).toHaveProperty('plan');
    expect(planCheckout({ ...given, tenders: [cash(1_499_950), card(50)] })).toHaveProperty('plan');
  });

  test('a refused total shows both, a refused tender what is due and missing', () => {
    expect(planCheckout({ ...request, expectedTotalMinor: 9900 })).toMatchObject({
      refusal: { params: { expectedTotalMinor: 9900, totalMinor: 10000, currency: 'DKK' } },
    });
    expect(planCheckout({ ...request, tenders: [card(4000), cash(5000)] })).toMatchObject({
      refusal: { params: { dueMinor: 10000, missingMinor: 1000, currency: 'DKK' } },
    });
  });
});

function planOf(given: Partial<CheckoutRequest>): Plan {
  const planned = planCheckout({ ...request, ...given });
  if ('refusal' in planned) throw new Error(planned.refusal.detail);
  return planned.plan;
}

const stepsOf = (plan: Plan) =>
  plan.steps.map((step) =>
    'tenderId' in step ? `${step.step} ${step.tenderId}` : 'state' in step ? `${step.step} ${step.state}` : step.step,
  );

describe('the order of steps', () => {
  test.each<{ what: string; tenders: TenderRequest[]; steps: string[] }>([
    { what: 'a card at the terminal', tenders: [card(10000)], steps: ['reserve FIRM', 'purchase tender/0', 'finish', 'consume'] },
    { what: 'cash', tenders: [cash(10000)], steps: ['reserve FIRM', 'purchase tender/0', 'finish', 'consume'] },
    {
      what: 'a card that is authorised first',
      tenders: [card(10000, 'authorise')],
      steps: ['reserve ACTIVE', 'authorise tender/0', 'firm', 'capture tender/0', 'finish', 'consume'],
    },
    {
      what: 'all kinds: what may be refused comes first, cash last, whatever order they were handed over in',
      tenders: [cash(2500), card(2500), online(2500), card(2500, 'authorise')],
      steps: [
        'reserve ACTIVE',
        'authorise tender/2',
        'authorise tender/3',
        'firm',
        'purchase tender/1',
        'capture tender/2',
        'capture tender/3',
        'purchase tender/0',
        'finish',
        'consume',
      ],
    },
    {
      what: 'cash that is all given back is nobody’s payment',
      tenders: [cash(10000), cash(500)],
      steps: ['reserve FIRM', 'purchase tender/0', 'finish', 'consume'],
    },
  ])('$what', ({ tenders, steps }) => {
    expect(stepsOf(planOf({ tenders }))).toEqual(steps);
  });

  test('a sale that costs nothing is only reserved and finished', () => {
    expect(stepsOf(planOf({ sale: { ...sale, lines: [line(0)] } }))).toEqual(['reserve FIRM', 'finish', 'consume']);
  });
});

test('lines of the same product are reserved together, in order of sku', () => {
  const lines = [
    line(100, { sku: 'E9', quantity: 2 }),
    { ...line(100, { sku: 'E1' }), lineId: 'a' },
    { ...line(100, { sku: 'E9', quantity: 3 }), lineId: 'b' },
  ];
  expect(planOf({ sale: { ...sale, lines }, tenders: [card(600)] }).steps[0]).toMatchObject({
    lines: [
      { sku: 'E1', quantity: 1 },
      { sku: 'E9', quantity: 5 },
    ],
  });
});

test('every step that takes something stands beside its undo, and the undo goes backwards', () => {
  const { steps } = planOf({ tenders: [cash(2500), card(2500), online(5000)] });
  expect(steps.flatMap((step) => ('undo' in step ? [step.step] : []))).toEqual(['reserve', 'authorise', 'purchase', 'purchase']);
  expect(undoOf(steps).map((undo) => ('tenderId' in undo ? `${undo.undo} ${undo.tenderId}` : undo.undo))).toEqual([
    'return-payment tender/0',
    'return-payment tender/1',
    'return-payment tender/2',
    'release',
  ]);
});

test('a plan keeps the tenders the sale has, and the ids of its steps are those of its attempt', () => {
  const tender = {
    attempt: 2,
    position: 0,
    method: 'terminal',
    capture: 'purchase',
    tenderedMinor: 6000,
    amountMinor: 6000,
    instrument: 'pos-1',
  } as const;
  const rest = { intentId: null, transactionIds: [], declineCode: null, authorisationCode: null, cardLabel: null };
  const closed = { ...tender, ...rest, tenderId: 'old', status: 'DECLINED' as const };
  const given = {
    ...sale,
    state: 'TENDERING' as const,
    attempt: 1,
    tenders: [closed, { ...tender, ...rest, tenderId: 'mine', status: 'PENDING' as const }],
  };
  const plan = planOf({ sale: given, tenders: [cash(5000)] });
  expect(plan).toMatchObject({ attempt: 2, roundingMinor: 0, changeMinor: 1000, reservationId: 'reservation' });
  expect(plan.tenders).toEqual([
    {
      tenderId: 'mine',
      position: 0,
      method: 'terminal',
      capture: 'purchase',
      tenderedMinor: 6000,
      amountMinor: 6000,
      instrument: 'pos-1',
      intentId: 'intent/mine',
      transactionIds: ['purchase/mine'],
    },
    {
      tenderId: 'tender/0',
      position: 1,
      method: 'cash',
      capture: 'purchase',
      tenderedMinor: 5000,
      amountMinor: 4000,
      instrument: null,
      intentId: 'intent/tender/0',
      transactionIds: ['purchase/tender/0'],
    },
  ]);
});

describe('cash is rounded to coins that exist, and only where cash pays the rest', () => {
  const handed = (tenders: TenderRequest[]) =>
    tenders.map(({ method, amountMinor }, n) => ({
      tenderId: `t${n}`,
      method,
      capture: 'purchase' as const,
      tenderedMinor: amountMinor,
      instrument: null,
    }));
  test.each<{ country: CountryCode; total: number; tenders: TenderRequest[]; rounding: number; change: number }>([
    { country: 'no', total: 29540, tenders: [cash(30000)], rounding: -40, change: 500 },
    { country: 'no', total: 49, tenders: [cash(0)], rounding: -49, change: 0 },
    { country: 'no', total: 50, tenders: [cash(100)], rounding: 50, change: 0 },
    { country: 'dk', total: 1224, tenders: [cash(1200)], rounding: -24, change: 0 },
    { country: 'dk', total: 1225, tenders: [cash(1250)], rounding: 25, change: 0 },
    { country: 'dk', total: 1274, tenders: [cash(2000)], rounding: -24, change: 750 },
    { country: 'dk', total: 1275, tenders: [cash(1300)], rounding: 25, change: 0 },
    { country: 'fi', total: 102, tenders: [cash(100)], rounding: -2, change: 0 },
    { country: 'fi', total: 103, tenders: [cash(105)], rounding: 2, change: 0 },
    { country: 'is', total: 9990, tenders: [cash(10000)], rounding: 0, change: 10 },
    { country: 'se', total: 1050, tenders: [cash(1100)], rounding: 50, change: 0 },
    { country: 'dk', total: 1224, tenders: [card(1224)], rounding: 0, change: 0 },
    { country: 'dk', total: 1224, tenders: [card(1000), cash(200)], rounding: -24, change: 0 },
    { country: 'dk', total: 10000, tenders: [cash(5000), cash(6000)], rounding: 0, change: 1000 },
  ])(
    '$country $total paid with $tenders: rounding $rounding, change $change',
    ({ country, total, tenders, rounding, change }) => {
      expect(settle(total, handed(tenders), country)).toMatchObject({ roundingMinor: rounding, changeMinor: change });
    },
  );

  test('I22: tenders less change are total and rounding; rounding is at most half a coin, and zero without cash', () => {
    const anyTenders = fc.array(
      fc.record({
        method: fc.constantFrom('cash' as const, 'terminal' as const),
        amountMinor: fc.integer({ min: 0, max: 500_000 }),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...countryCodes),
        fc.integer({ min: 0, max: 1_000_000 }),
        anyTenders,
        (country, total, tenders) => {
          const settled = settle(total, handed(tenders), country);
          fc.pre(!('refusal' in settled));
          if ('refusal' in settled) return;
          const paid = settled.tenders.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
          const given = tenders.reduce((sum, { amountMinor }) => sum + amountMinor, 0);
          expect(paid).toBe(total + settled.roundingMinor);
          expect(given - settled.changeMinor).toBe(paid);
          expect(settled.changeMinor).toBeGreaterThanOrEqual(0);
          const { stepMinor } = countryOf(country).cashRounding;
          expect(Math.abs(settled.roundingMinor) * 2).toBeLessThanOrEqual(stepMinor);
          if (!tenders.some(({ method }) => method === 'cash')) expect(settled.roundingMinor).toBe(0);
          for (const { amountMinor, tenderedMinor } of settled.tenders)
            expect(amountMinor >= 0 && amountMinor <= tenderedMinor).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('what is refused is refused for a reason: too little is missing something, too much has something over', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...countryCodes),
        fc.integer({ min: 1, max: 100_000 }),
        fc.integer({ min: 1, max: 200_000 }),
        (country, total, amountMinor) => {
          const settled = settle(total, handed([card(amountMinor)]), country);
          if (amountMinor < total)
            expect(settled).toMatchObject({ refusal: { code: 'underpaid', params: { missingMinor: total - amountMinor } } });
          if (amountMinor > total)
            expect(settled).toMatchObject({ refusal: { code: 'overpaid', params: { excessMinor: amountMinor - total } } });
        },
      ),
    );
  });
});

test.each([
  { what: 'payments never saw it', intent: null, how: 'cancel' },
  { what: 'begun, nothing sent', intent: { status: 'requires_method' }, how: 'cancel' },
  { what: 'being paid', intent: { status: 'processing' }, how: 'wait' },
  { what: 'nobody knows', intent: { status: 'unknown' }, how: 'wait' },
  {
    what: 'taken, and its refund in doubt',
    intent: { status: 'unknown', authorisedMinor: 100, capturedMinor: 100 },
    how: 'refund',
  },
  { what: 'held, and nobody knows whether it was taken', intent: { status: 'unknown', authorisedMinor: 100 }, how: 'wait' },
  { what: 'another amount than asked for', intent: { status: 'integrity_failed', capturedMinor: 5 }, how: 'wait' },
  { what: 'held', intent: { status: 'authorised', authorisedMinor: 100 }, how: 'cancel' },
  { what: 'held and run out', intent: { status: 'expired', authorisedMinor: 100 }, how: 'nothing' },
  { what: 'taken', intent: { status: 'captured', authorisedMinor: 100, capturedMinor: 100 }, how: 'refund' },
  {
    what: 'partly given back',
    intent: { status: 'partially_refunded', authorisedMinor: 100, capturedMinor: 100, refundedMinor: 40 },
    how: 'refund',
  },
  {
    what: 'given back',
    intent: { status: 'refunded', authorisedMinor: 100, capturedMinor: 100, refundedMinor: 100 },
    how: 'nothing',
  },
  { what: 'let go', intent: { status: 'voided', authorisedMinor: 100, voidedMinor: 100 }, how: 'nothing' },
  { what: 'declined', intent: { status: 'declined' }, how: 'nothing' },
  { what: 'canceled', intent: { status: 'canceled' }, how: 'nothing' },
])('a payment is taken back: $what: $how', ({ intent, how }) => {
  const zero = { authorisedMinor: 0, capturedMinor: 0, refundedMinor: 0, voidedMinor: 0 };
  expect(howToReturn(intent && { ...zero, ...intent })).toBe(how);
});

const phases: Phase[] = ['COMMITTING', 'COMPENSATING', 'CONSUMING', 'ENDED'];
const decisions: Record<string, string> = {
  'COMMITTING abort': 'undo',
  'COMPENSATING finish': 'end-undone',
  'CONSUMING finish': 'end-consumed',
};
test.each(
  phases.flatMap((phase) =>
    (['abort', 'finish'] as Resolution[]).map((resolution) => ({
      phase,
      resolution,
      decision: decisions[`${phase} ${resolution}`],
    })),
  ),
)('an operator decides $resolution on $phase: $decision', ({ phase, resolution, decision }) => {
  expect(resolve(phase, resolution)).toBe(decision);
});

test('a checkout that gets no further is looked at less and less often, up to the longest pause', () => {
  expect([0, 1, 2, 3, 9, 5000].map((tries) => retryDelayMs(tries, { firstMs: 100, maxMs: 1_000 }))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
});
