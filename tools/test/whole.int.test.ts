import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually } from '@kassa/testing';
import { cable, saleLine } from '../src/sale-line.ts';
import { fetchToken } from '../src/token.ts';
import { command, ready, removeFolders, start, temporaryFolder, workspace, type StartedKassa } from './kassa.ts';

/* All five services with the demo retailer, and what a person types beside them. */

vi.setConfig({ testTimeout: 90_000 });

const data = temporaryFolder();
const ports = String(9_450 + (process.pid % 5) * 10);
let kassa: StartedKassa;

const begin = async (...args: string[]) => {
  kassa = await ready(start(['--ports', ports, '--json', ...args], { KASSA_DATA: data }));
};
const end = async () => {
  kassa.child.kill('SIGINT');
  return kassa.ended;
};
beforeAll(() => begin(), 120_000);
afterAll(async () => {
  if (kassa.child.exitCode === null) await end();
  removeFolders();
}, 60_000);

/** Runs one of the commands to its end. */
async function run(file: string, ...args: string[]): Promise<{ code: number | NodeJS.Signals; text: string }> {
  const ran = command(process.execPath, [`tools/src/${file}`, ...args], { KASSA_DATA: data, NO_COLOR: '1' });
  return { code: await ran.ended, text: ran.output() };
}

async function cablesInShop(): Promise<number> {
  const token = await fetchToken(kassa.system, { roles: ['cashier'], shop: 'dk-001', register: 'dk-001-03' });
  const url = `${kassa.system.services['stock-lookup'].http}/v1/availability/${cable.gtin}`;
  const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  return ((await answer.json()) as { here: { onHand: number } }).here.onHand;
}

describe('with all of Kassa running', () => {
  test.each(['sh', 'bash'])('the line that makes a sale can be pasted into %s, again and again', async (shell) => {
    const token = await fetchToken(kassa.system, { roles: ['cashier'], shop: 'dk-001', register: 'dk-001-01' });
    const before = await cablesInShop();
    for (const time of [1, 2]) {
      const pasted = command(shell, ['-c', saleLine(kassa.system, token)], {});
      expect({ time, code: await pasted.ended, text: pasted.output() }).toMatchObject({
        code: 0,
        text: expect.stringContaining('USB-C-kabel'),
      });
    }
    await eventually(async () => expect(await cablesInShop()).toBe(before - 2));
  });

  test('the line says why it makes no sale', async () => {
    const person = { roles: ['cashier'], shop: 'dk-001', register: 'dk-001-99' };
    const pasted = command('sh', ['-c', saleLine(kassa.system, await fetchToken(kassa.system, person))], {});
    expect([await pasted.ended, pasted.output()]).toEqual([1, 'dk-001-99 is no register of dk-001.\n']);
  });

  test('the demo plays its day', async () => {
    const { code, text } = await run('demo.ts');
    expect(text).toContain('The shop day is over, and everything came out as it should');
    expect(code).toBe(0);
  });

  test('an import names each refused row and ends with 1, and is safe to repeat', async () => {
    const file = join(data, '../products.csv');
    const header = 'sku,gtin,name,item_group,is_serialised,is_active';
    writeFileSync(
      file,
      `${header}\r\nT1,9520020000985x,Kabel,cables,false,true\r\nE101881,9520020000985,"Kabel ""æøå"", hvid",cables,false,true\r\n`,
    );
    const first = await run('import.ts', file);
    expect(first).toMatchObject({ code: 1, text: expect.stringMatching(/products: 2 rows: 1 accepted, 0 unchanged, 1 refused/) });
    expect(first.text).toMatch(/ {2}row 2, gtin: .+ \(.+\)/);
    const again = await run('import.ts', file);
    expect(again.text).toMatch(/products: 2 rows: 0 accepted, 1 unchanged, 1 refused/);
  });

  test.each([
    {
      args: ['import.ts', 'package.json'],
      sentence: /package.json begins with .* which is no header row Kassa knows: shops \(shop_id/,
    },
    { args: ['import.ts', 'nowhere.csv'], sentence: /^There is no file .*nowhere.csv.\n$/ },
    { args: ['import.ts', 'data'], sentence: /^There is no file .*data.\n$/ },
    { args: ['demo.ts', '--fast'], sentence: /^Unknown option '--fast'/ },
    { args: ['deploy-check.ts', '--sever'], sentence: /^Unknown option '--sever'; --help tells all options.\n$/ },
    { args: ['token.ts', '--role', 'king'], sentence: /^There is no role "king"; there are cashier, / },
  ])('$args is refused in one sentence', async ({ args: [file = '', ...args], sentence }) => {
    const { code, text } = await run(file, ...args);
    expect(text).toMatch(sentence);
    expect(code).toBe(1);
  });

  test('a token is printed and nothing else', async () => {
    expect((await run('token.ts', '--role', 'supervisor', '--shop', 'se-001')).text).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  });

  test('a service that runs already is not served twice', async () => {
    const { code, text } = await serve('acquirer');
    expect(text).toMatch(/^acquirer already runs at http:.*; start the others with npm start -- --except acquirer.\n$/);
    expect(code).toBe(1);
  });
});

describe('after a restart', () => {
  test('sold stock stays sold, and a service that was left out can join', async () => {
    const before = await cablesInShop();
    expect(await end()).toBe(0);
    await begin('--except', 'acquirer');
    expect(kassa.output()).not.toContain('Imported');
    await eventually(async () => expect(await cablesInShop()).toBe(before));

    const joined = serve('acquirer');
    const { health } = kassa.system.services.acquirer;
    await eventually(async () => expect((await fetch(`${health}/readyz`)).status).toBe(200), 20_000);
    joined.started.child.kill('SIGTERM');
    expect((await joined).code).toBe(0);
  });

  test('without a system, commands say what to do first', async () => {
    await end();
    expect((await run('token.ts')).text).toBe(`No Kassa runs on ${data}: npm start in another terminal first.\n`);
  });
});

/** `nx serve <name>` without Nx. */
function serve(name: string) {
  const script = `cd ${join(workspace, 'apps', name)} && exec ${process.execPath} ../../tools/src/serve.ts`;
  const started = command('sh', ['-c', script], { KASSA_DATA: data });
  const ended = started.ended.then((code) => ({ code, text: started.output() }));
  return Object.assign(ended, { started });
}
