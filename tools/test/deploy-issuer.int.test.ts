import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { eventually, freePort } from '@kassa/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fetchToken } from '../src/token.ts';

// The token issuer of a laptop's cluster, run as its pod runs it.

const program = join(resolve(import.meta.dirname, '../../deploy/local'), 'issuer.mjs');
let url: string;
let issuer: ChildProcess;

beforeAll(async () => {
  const [http, health] = [await freePort(), await freePort()];
  url = `http://127.0.0.1:${http}`;
  const env = { OIDC_ISSUER: url, HTTP_PORT: String(http), HEALTH_PORT: String(health) };
  issuer = spawn(process.execPath, [program], { env, stdio: 'inherit' });
  await eventually(async () => expect((await fetch(`http://127.0.0.1:${health}/readyz`)).status).toBe(200), 60_000);
}, 90_000);
afterAll(() => issuer.kill('SIGTERM'));

/** What the services make of a token. */
async function claims(token: string) {
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(`${url}/jwks`)), {
    issuer: url,
    audience: 'kassa',
    algorithms: ['RS256'],
    requiredClaims: ['exp', 'sub', 'iat', 'auth_time'],
  });
  return payload;
}

test('A service gets its own token, and for a short time only, since the key goes with the pod', async () => {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'sales', client_secret: 'of no interest' });
  const reply = (await (await fetch(`${url}/token`, { method: 'POST', body: form })).json()) as Record<string, unknown>;
  expect(reply).toEqual({ access_token: expect.any(String), token_type: 'Bearer', expires_in: 300 });
  expect(await claims(reply['access_token'] as string)).toMatchObject({ sub: 'sales', roles: ['service'] });
});

test('A cashier at a register gets a token of that shop', async () => {
  const target = { issuer: { tokenUrl: `${url}/token`, clientId: 'desk', clientSecret: 'of no interest' } };
  const token = await fetchToken(target, {
    roles: ['cashier', 'supervisor'],
    shop: 'dk-001',
    register: 'dk-001-01',
    subject: 'employee-7',
  });
  expect(await claims(token)).toMatchObject({
    sub: 'employee-7',
    roles: ['cashier', 'supervisor'],
    shop: 'dk-001',
    register: 'dk-001-01',
  });
});
