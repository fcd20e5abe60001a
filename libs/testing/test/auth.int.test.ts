import { afterAll, beforeAll, expect, test } from 'vitest';
import { createAuthenticator, createServiceToken } from '@kassa/auth';
import { startIssuer, testIssuer, type Issuer } from '../src/index.ts';

let issuer: Issuer;
let stranger: Issuer;
const authenticatorOf = (url: string) => createAuthenticator({ issuer: url, audience: 'kassa', jwksUri: `${url}/jwks` });

beforeAll(async () => {
  issuer = await testIssuer();
  stranger = await testIssuer();
});
afterAll(() => Promise.all([issuer.stop(), stranger.stop()]));

test('A valid token says who calls', async () => {
  const token = await issuer.token({
    sub: 'p-1',
    role: 'cashier',
    shop: 'dk-001',
    register: 'dk-001-01',
    sid: 's-1',
    authTime: 1_700_000_000,
  });
  expect(await authenticatorOf(issuer.url)(`Bearer ${token}`)).toEqual({
    subject: 'p-1',
    roles: ['cashier'],
    shopId: 'dk-001',
    registerId: 'dk-001-01',
    sessionId: 's-1',
    authTime: 1_700_000_000,
  });
});

test.each([
  ['no header', async () => undefined],
  ['another scheme', async () => 'Basic abc'],
  ['no token at all', async () => 'Bearer not.a.token'],
  ['a token of yesterday', async () => `Bearer ${await issuer.token({ expired: true })}`],
  ['a token for someone else', async () => `Bearer ${await issuer.token({ audience: 'other' })}`],
  ["a stranger's token", async () => `Bearer ${await stranger.token({ role: 'operator' })}`],
  [
    'an unsigned token',
    async () => `Bearer ${btoa('{"alg":"none"}').replaceAll('=', '')}.${(await issuer.token()).split('.')[1]}.`,
  ],
])('%s is unauthenticated', async (_title, header) => {
  await expect(authenticatorOf(issuer.url)(await header())).rejects.toMatchObject({ code: 'unauthenticated' });
});

test('An issuer that is away is not the fault of the client', async () => {
  const token = await issuer.token();
  const away = createAuthenticator({ issuer: issuer.url, audience: 'kassa', jwksUri: 'http://127.0.0.1:1/jwks' });
  await expect(away(`Bearer ${token}`)).rejects.toMatchObject({ code: 'unavailable' });
});

test('A role nobody defined is none', async () => {
  const token = await issuer.token({ roles: ['emperor' as never, 'cashier'] });
  expect((await authenticatorOf(issuer.url)(`Bearer ${token}`)).roles).toEqual(['cashier']);
});

test('A service gets its own token once and keeps using it; a wrong secret is unavailable', async () => {
  const strict = await startIssuer({ secrets: { sales: 'a-secret-of-sales' } });
  const token = createServiceToken({ tokenUrl: `${strict.url}/token`, clientId: 'sales', clientSecret: 'a-secret-of-sales' });
  const [first, second] = await Promise.all([token(), token()]);
  expect(second).toBe(first);
  expect(await authenticatorOf(strict.url)(`Bearer ${first}`)).toMatchObject({ subject: 'sales', roles: ['service'] });
  await strict.stop();
  expect(await token()).toBe(first);
  const wrong = createServiceToken({ tokenUrl: `${issuer.url}/nowhere`, clientId: 'sales', clientSecret: 'wrong' });
  await expect(wrong()).rejects.toMatchObject({ code: 'unavailable' });
});
