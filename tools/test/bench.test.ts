import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { readBenchOptions } from '../src/bench.ts';
import { spreadOf, tableOf } from '../src/bench-report.ts';
import { clockMs, cpuMsOf, memoryMbOf } from '../src/bench-usage.ts';

test.each([
  [[], { rounds: 5, seconds: 5, isStrict: false }],
  [['--rounds', '7', '--seconds', '2', '--strict'], { rounds: 7, seconds: 2, isStrict: true }],
  [['--help'], 'help'],
])('npm run bench -- %j', (args, expected) => {
  expect(readBenchOptions(args)).toEqual(expected);
});

test.each([
  [['--rounds', '4'], '--rounds takes a whole number from 5 to 1000, not "4".'],
  [['--seconds', '0.5'], '--seconds takes a whole number from 1 to 1000, not "0.5".'],
  [['--quick'], "Unknown option '--quick'"],
])('npm run bench -- %j is refused in a sentence', (args, sentence) => {
  expect(() => readBenchOptions(args)).toThrow(sentence);
});

test.each([
  [[3, 1, 2], { median: 2, min: 1, max: 3 }],
  [[4, 1, 2, 3], { median: 2.5, min: 1, max: 4 }],
])('the median of %j', (values, expected) => {
  expect(spreadOf(values)).toEqual(expected);
});

test('a table tells the median, the spread, and whether a target was met', () => {
  const rows = [
    { what: 'Sales', unit: '', rounds: [] },
    {
      what: 'ratio',
      unit: '',
      rounds: [0.08, 0.12, 0.11],
      target: { words: '0.10 or better', isMet: (median: number) => median >= 0.1 },
    },
    { what: 'rate', unit: 'a second', rounds: [1234.4] },
  ];
  const plain = stripVTControlCharacters(tableOf(rows)).replace(/ +/g, ' ');
  expect(plain).toBe('\nSales\n ratio 0.110 0.080 to 0.120 ✓ 0.10 or better\n rate 1,234 a second');
});

test.each([
  ['0:01.50', 1_500],
  ['02:03', 123_000],
  ['01:00:00', 3_600_000],
  ['1-01:00:01', 90_001_000],
])('ps says %s', (time, expected) => {
  expect(clockMs(time)).toBe(expected);
});

test('the use of processor and memory is that of the process asked for', () => {
  const before = cpuMsOf([process.pid], false);
  const end = performance.now() + 100;
  while (performance.now() < end) Math.sqrt(Math.random());
  expect(cpuMsOf([process.pid], false)).toBeGreaterThan(before);
  expect(memoryMbOf(process.pid)).toBeGreaterThan(10);
});
