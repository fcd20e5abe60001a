import { expect, test } from 'vitest';
import { instantMethods, methodFault } from './methods.ts';

test.each([
  ['cash', 'store', 'purchase', undefined],
  ['cash', 'store', 'authorise', 'cash is paid at once; it cannot be authorised first.'],
  ['cash', 'web', 'purchase', 'cash is not taken in the channel web.'],
  ['terminal', 'store', 'authorise', undefined],
  ['terminal', 'web', 'purchase', 'terminal is not taken in the channel web.'],
  ['online', 'web', 'authorise', undefined],
  ['online', 'store', 'purchase', 'online is not taken in the channel store.'],
] as const)('%s in the %s: %s: %s', (method, channel, command, fault) => {
  expect(methodFault(method, channel, command)).toBe(fault);
});

test('only cash is final as soon as it is written down', () => {
  expect(instantMethods).toEqual(['cash']);
});
