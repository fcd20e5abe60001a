import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startIssuer, type Issuer } from '../src/index.ts';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await startIssuer({ secrets: { sales: 'of-sales', desk: 'of-desk' } });
});
afterAll(() => issuer.stop());

const ask = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${issuer.url}/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  });

describe('the issuer', () => {
  test('signs tokens of persons that its key set verifies', async () => {
    const token = await issuer.token({ role: 'supervisor', shop: 'se-002', sid: 's1', sub: 'e7', authTime: 5 });
    const keys = createRemoteJWKSet(new URL(`${issuer.url}/jwks`));
    const { payload } = await jwtVerify(token, keys, { issuer: issuer.url, audience: 'kassa', algorithms: ['RS256'] });
    expect(payload).toMatchObject({
      sub: 'e7',
      roles: ['supervisor'],
      shop: 'se-002',
      register: 'se-002-01',
      sid: 's1',
      auth_time: 5,
    });
  });

  test('signs expired ones when asked to', async () => {
    expect(decodeJwt(await issuer.token({ expired: true })).exp).toBeLessThan(Date.now() / 1000);
  });

  test('gives a service its token for its secret, in the form or in the header', async () => {
    const basic = `Basic ${Buffer.from('sales:of-sales').toString('base64')}`;
    for (const answer of [
      await ask({ client_id: 'sales', client_secret: 'of-sales' }),
      await ask({}, { authorization: basic }),
    ]) {
      const { access_token } = (await answer.json()) as { access_token: string };
      expect(decodeJwt(access_token)).toMatchObject({ sub: 'sales', roles: ['service'], aud: 'kassa' });
    }
  });

  test.each([
    { what: 'a wrong secret', form: { client_id: 'sales', client_secret: 'guess' } },
    { what: 'an unknown client', form: { client_id: 'constructor', client_secret: 'x' } },
    { what: 'a service asking for a person’s token', form: { client_id: 'sales', client_secret: 'of-sales', roles: 'operator' } },
    { what: 'the desk asking for a service’s token', form: { client_id: 'desk', client_secret: 'of-desk', roles: 'service' } },
  ])('refuses $what', async ({ form }) => {
    expect((await ask(form as unknown as Record<string, string>)).status).toBe(401);
  });

  test('gives the desk a token of any person', async () => {
    const form = {
      client_id: 'desk',
      client_secret: 'of-desk',
      roles: 'cashier supervisor',
      shop: 'dk-003',
      register: 'dk-003-02',
      sub: 'e9',
    };
    const { access_token } = (await (await ask(form)).json()) as { access_token: string };
    expect(decodeJwt(access_token)).toMatchObject({
      sub: 'e9',
      roles: ['cashier', 'supervisor'],
      shop: 'dk-003',
      register: 'dk-003-02',
    });
  });

  test('keeps its key over a restart when it is told the key', async () => {
    const again = await startIssuer({ key: issuer.key });
    const keys = createRemoteJWKSet(new URL(`${again.url}/jwks`));
    await expect(jwtVerify(await issuer.token(), keys)).resolves.toBeTruthy();
    await again.stop();
  });
});
