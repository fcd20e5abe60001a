// A token issuer for a cluster on a laptop: keys at /jwks, the client credentials grant at /token. It asks nobody for a secret; the mesh lets
// in the four services alone, and people come through kubectl port-forward. A form with `roles` asks for a token of a person, as that of
// npm start does: with sub, shop, register, sid, auth_time and expires_in.
import { Buffer } from 'node:buffer';
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { text as textOf } from 'node:stream/consumers';

const issuer = process.env.OIDC_ISSUER;
const kid = randomUUID();
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }] };
// A service keeps its token until shortly before it ends. With the key, which ends with this process, so must they.
const serviceSeconds = 300;
const personSeconds = 8 * 3600;

const api = createServer(async (request, response) => {
  const answer = (status, body) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  if (request.url === '/jwks') return answer(200, keys);
  if (request.method !== 'POST' || request.url !== '/token')
    return answer(404, { error: 'Only /jwks and POST /token are here.' });
  const form = Object.fromEntries(new URL(`?${await textOf(request)}`, issuer).searchParams);
  const expiresIn = Number(form.expires_in ?? (form.roles === undefined ? serviceSeconds : personSeconds));
  return answer(200, { access_token: token(form, expiresIn), token_type: 'Bearer', expires_in: expiresIn });
});

function token(form, expiresIn) {
  const now = Math.floor(Date.now() / 1000);
  const { shop, register, sid = randomUUID() } = form;
  const who =
    form.roles === undefined
      ? { sub: form.client_id, roles: ['service'], auth_time: now }
      : {
          sub: form.sub ?? 'employee-1',
          roles: form.roles.split(' '),
          shop,
          register,
          sid,
          auth_time: Number(form.auth_time ?? now),
        };
  const text = [
    { alg: 'RS256', typ: 'at+jwt', kid },
    { iss: issuer, aud: 'kassa', iat: now, exp: now + expiresIn, ...who },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`;
}

const health = createServer((_request, response) => response.end('{"live":true}\n'));

const servers = [api.listen(process.env.HTTP_PORT ?? 8080), health.listen(process.env.HEALTH_PORT ?? 9090)];
process.once('SIGTERM', () => servers.forEach((server) => server.close()));
