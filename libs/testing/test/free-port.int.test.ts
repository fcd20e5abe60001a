import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePort } from '../src/free-port.ts';

const module = new URL('../src/free-port.ts', import.meta.url).href;
/** Asks for ports in a process of its own, which lives on as long as its standard input is open. */
const asking = `const { freePort } = await import('${module}');
  const ports = [];
  while (ports.length < 250) ports.push(await freePort());
  console.log(JSON.stringify(ports));
  process.stdin.resume();`;

test('No port is given twice, neither by one process nor by two that live at the same time', async () => {
  const others = [1, 2].map(() =>
    spawn(process.execPath, ['--input-type=module', '-e', asking], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  try {
    const theirs = await Promise.all(
      others.map(async ({ stdout }) => JSON.parse(String((await once(stdout, 'data'))[0])) as number[]),
    );
    const ours = [];
    while (ours.length < 250) ours.push(await freePort());
    const all = [...theirs.flat(), ...ours];
    expect(all).toHaveLength(750);
    expect(new Set(all).size).toBe(750);
  } finally {
    for (const other of others) other.kill();
  }
});

test('A port that somebody listens on is passed over', async () => {
  const next = (await freePort()) + 1;
  const taken = createServer().listen(next, '0.0.0.0');
  await once(taken, 'listening');
  expect(await freePort()).not.toBe(next);
  taken.close();
});
