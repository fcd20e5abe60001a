import { describe, expect, test } from 'vitest';
import { behaviourOf, behaviours, kinds, stages, testCards, testCardsMarkdown } from './behaviour.ts';

const online = (kind: (typeof kinds)[number], instrument: string) =>
  behaviourOf({ kind, channel: 'online', instrument, amountMinor: 10_000 }).name;
const terminal = (kind: (typeof kinds)[number], amountMinor: number) =>
  behaviourOf({ kind, channel: 'terminal', instrument: 'pos-dk-001-01', amountMinor }).name;

describe('a card token', () => {
  test.each(behaviours.map((row) => row.name))('tok_%s decides the authorisation and the purchase', (name) => {
    expect([online('authorise', `tok_${name}`), online('purchase', `tok_${name}`)]).toEqual([name, name]);
  });
  test('of a later step leaves the authorisation alone', () => {
    expect(
      ['authorise', 'capture', 'refund', 'void'].map((kind) => online(kind as 'authorise', 'tok_capture_timeout_happened')),
    ).toEqual(['approve', 'timeout_happened', 'approve', 'approve']);
  });
  test('nobody issued is declined', () => {
    expect(behaviourOf({ kind: 'authorise', channel: 'online', instrument: 'tok_unheard_of', amountMinor: 1 })).toMatchObject({
      outcome: 'declined',
      declineCode: 'invalid-token',
    });
  });
});

describe('an amount at the terminal', () => {
  test.each([
    ['purchase', 1_199_900, 'approve'],
    ['purchase', 5_101, 'decline_insufficient_funds'],
    ['purchase', 995_107, 'timeout_happened'],
    ['authorise', 5_103, 'decline_do_not_honour'],
    ['capture', 5_103, 'approve'],
    ['capture', 5_207, 'timeout_happened'],
    ['refund', 15_308, 'timeout_not_happened'],
    ['void', 5_414, 'down'],
    ['purchase', 7, 'approve'],
  ] as const)('%s of %i: %s', (kind, amountMinor, name) => {
    expect(terminal(kind, amountMinor)).toBe(name);
  });
  test('is never one that shelf prices add up to', () => {
    const endings = behaviours.flatMap((row) => (row.digits === undefined ? [] : [Number(row.digits)]));
    expect(endings.filter((ending) => ending % 5 === 0)).toEqual([]);
  });
});

test('names, tokens and amounts are each used once', () => {
  const tokens = testCards().flatMap((card) => card.steps.map((step) => step.token));
  const amounts = testCards().flatMap((card) => card.steps.flatMap((step) => step.amountEndsIn ?? []));
  expect([new Set(tokens).size, new Set(amounts).size]).toEqual([tokens.length, amounts.length]);
  expect(new Set(kinds.map((kind) => stages[kind].digits)).size).toBe(4);
});

test('the table has a row for each behaviour', () => {
  expect(testCardsMarkdown(testCards()).split('\n')).toHaveLength(behaviours.length + 2);
});
