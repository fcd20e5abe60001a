import { expect, test } from 'vitest';
import { Failure } from '../src/failure.ts';
import { readLoadOptions } from '../src/load-options.ts';
import { runsTypeScript } from '../src/k6.ts';
import { serviceNames } from '../src/services.ts';
import { environmentOf, targetOf } from '../src/target.ts';

const nothingSaid = { shape: undefined, vus: undefined, durationSeconds: undefined, kill: [], isOwn: false };

test.each([
  [['checkout'], { ...nothingSaid, test: 'checkout' }],
  [['smoke', '--own'], { ...nothingSaid, test: 'smoke', isOwn: true }],
  [['checkout', '--kill', 'payments'], { ...nothingSaid, test: 'checkout', kill: ['payments'] }],
  [['checkout', '--kill', 'payments,stock-lookup'], { ...nothingSaid, test: 'checkout', kill: ['payments', 'stock-lookup'] }],
  [['checkout', '--kill', 'all'], { ...nothingSaid, test: 'checkout', kill: serviceNames }],
  [['--shape', 'spike', 'web-payment'], { ...nothingSaid, test: 'web-payment', shape: 'spike' }],
  [['stock-lookup', '--vus', '50', '--duration', '90'], { ...nothingSaid, test: 'stock-lookup', vus: 50, durationSeconds: 90 }],
  [['stock-lookup', '--duration', '5m'], { ...nothingSaid, test: 'stock-lookup', durationSeconds: 300 }],
  [['--help'], 'help'],
])('npm run load -- %j', (args, expected) => {
  expect(readLoadOptions(args)).toEqual(expected);
});

test.each([
  [[], 'Which test? There are smoke, checkout, stock-lookup, web-payment'],
  [['checkuot'], 'There is no load test "checkuot"'],
  [['smoke', 'checkout'], 'One test at a time; "checkout" is too much.'],
  [['checkout', '--kill', 'postgres'], '--kill knows no service "postgres"'],
  [['checkout', '--shape', 'round'], '--shape knows no "round"'],
  [['checkout', '--vus', '0'], '--vus takes a whole number from 1 to 10000, not "0".'],
  [['checkout', '--vus', 'many'], 'not "many"'],
  [['checkout', '--duration', '0'], '--duration takes 1 second to 24 hours'],
  [['checkout', '--duration', '2d'], 'not "2d"'],
  [['checkout', '--fast'], "Unknown option '--fast'"],
])('npm run load -- %j is refused in a sentence', (args, sentence) => {
  expect(() => readLoadOptions(args)).toThrow(
    expect.objectContaining({ name: Failure.name, message: expect.stringContaining(sentence) as string }) as Error,
  );
});

const issuer = { KASSA_TOKEN_URL: 'https://id.example/token', KASSA_CLIENT_ID: 'load', KASSA_CLIENT_SECRET: 'secret' };

test('one address of an ingress stands for all services', () => {
  expect(targetOf({ KASSA_URL: 'https://kassa.example/', KASSA_SALES_URL: 'https://sales.example', ...issuer })).toEqual({
    urls: {
      sales: 'https://sales.example',
      payments: 'https://kassa.example/payments',
      inventory: 'https://kassa.example/inventory',
      'stock-lookup': 'https://kassa.example/stock-lookup',
      acquirer: '',
    },
    issuer: { tokenUrl: 'https://id.example/token', clientId: 'load', clientSecret: 'secret' },
    acquirerApiKey: undefined,
    control: undefined,
  });
});

test.each([
  [{ KASSA_SALES_URL: 'https://sales.example', ...issuer }, 'Where is payments? Set KASSA_URL, or KASSA_PAYMENTS_URL.'],
  [{ KASSA_URL: 'https://kassa.example' }, 'A Kassa elsewhere needs KASSA_TOKEN_URL as well'],
  [{ KASSA_URL: 'https://kassa.example', KASSA_SALES_URL: 'sales', ...issuer }, '"sales" is no address for sales.'],
])('an incomplete address %j is refused in a sentence', (env, sentence) => {
  expect(() => targetOf(env)).toThrow(sentence);
});

test('a load test gets its addresses in its environment', () => {
  expect(environmentOf(targetOf({ KASSA_URL: 'https://kassa.example', ...issuer }))).toMatchObject({
    KASSA_STOCK_LOOKUP_URL: 'https://kassa.example/stock-lookup',
    ...issuer,
  });
});

test.each([
  ['1.8.1', true],
  ['2.0.0', true],
  ['0.57.0', false],
])('k6 v%s takes TypeScript as it is: %s', (version, expected) => {
  expect(runsTypeScript(version)).toBe(expected);
});
