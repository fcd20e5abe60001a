import { describe, expect, test } from 'vitest';
import { readOptions, type StartOptions } from '../src/options.ts';

const read = (args: string, env: NodeJS.ProcessEnv = {}) =>
  readOptions(args.split(' ').filter(Boolean), env, '/kassa') as StartOptions;

describe('npm start', () => {
  test('runs everything in .kassa on the usual ports', () => {
    expect(read('')).toEqual({
      dataFolder: '/kassa/.kassa',
      isEphemeral: false,
      mustReset: false,
      run: ['sales', 'payments', 'inventory', 'stock-lookup', 'acquirer'],
      portShift: 0,
      externalPostgres: undefined,
      isVerbose: false,
      asJson: false,
    });
  });

  test.each([
    { args: '--only payments,acquirer', expected: { run: ['payments', 'acquirer'] } },
    { args: '--except sales', expected: { run: ['payments', 'inventory', 'stock-lookup', 'acquirer'] } },
    { args: '--ports 18080', expected: { portShift: 10_000 } },
    { args: '--ephemeral', expected: { dataFolder: undefined, isEphemeral: true } },
    { args: '--reset --verbose', expected: { mustReset: true, isVerbose: true } },
  ])('understands $args', ({ args, expected }) => expect(read(args)).toMatchObject(expected));

  test.each([
    { env: { KASSA_DATA: '/data' }, expected: { dataFolder: '/data' } },
    { env: { KASSA_DATA: 'elsewhere' }, expected: { dataFolder: '/kassa/elsewhere' } },
    { env: { KASSA_DATABASE_URL: 'postgresql://me@db/postgres' }, expected: { externalPostgres: 'postgresql://me@db/postgres' } },
  ])('reads $env', ({ env, expected }) => expect(read('', env)).toMatchObject(expected));

  test.each([
    {
      args: '--only shop',
      sentence: '--only knows no service "shop"; there are sales, payments, inventory, stock-lookup, acquirer.',
    },
    { args: '--only sales --except sales', sentence: 'Say either --only or --except, not both.' },
    { args: '--ephemeral --reset', sentence: 'An ephemeral system has nothing to --reset.' },
    { args: '--ephemeral --ports 9000', sentence: 'An ephemeral system takes free ports; leave out --ports.' },
    { args: '--ports 80abc', sentence: '--ports takes a number from 3700 to 64000, not "80abc".' },
    { args: '--ports 70000', sentence: '--ports takes a number from 3700 to 64000, not "70000".' },
    { args: '--resset', sentence: "Unknown option '--resset'; npm start -- --help tells all options." },
    { args: 'sales', sentence: "Unexpected argument 'sales'; npm start -- --help tells all options." },
  ])('refuses $args', ({ args, sentence }) => expect(() => read(args)).toThrow(sentence));

  test('refuses to leave an ephemeral system behind on a PostgreSQL that stays', () => {
    expect(() => read('--ephemeral', { KASSA_DATABASE_URL: 'postgresql://me@db/postgres' })).toThrow(
      /leave out KASSA_DATABASE_URL/,
    );
  });

  test('refuses an address that is no PostgreSQL', () => {
    expect(() => read('', { KASSA_DATABASE_URL: 'mysql://x' })).toThrow(/KASSA_DATABASE_URL is not an address like/);
  });
});
