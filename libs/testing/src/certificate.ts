import { generateKeyPairSync, sign } from 'node:crypto';

/**
 * A self-signed certificate for `host`, a DNS name or 127.0.0.1, good for a day, and its key, both PEM. Whoever trusts the certificate
 * trusts the server that shows it: it is its own authority (RFC 5280). Node makes keys and signatures, and no certificates.
 */
export function selfSigned(host: string): { certificate: string; key: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = Date.now();
  const validity = sequence(utcTime(now - 3_600_000), utcTime(now + 86_400_000));
  const name = sequence(set(sequence(oid([2, 5, 4, 3]), der(0x0c, Buffer.from(host)))));
  const alternative = host === '127.0.0.1' ? der(0x87, Buffer.from([127, 0, 0, 1])) : der(0x82, Buffer.from(host));
  const extensions = sequence(
    sequence(oid([2, 5, 29, 17]), octets(sequence(alternative))),
    sequence(oid([2, 5, 29, 19]), der(0x01, Buffer.from([0xff])), octets(sequence(der(0x01, Buffer.from([0xff]))))),
  );
  const body = sequence(
    der(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, extensions),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, privateKey)]));
  const certificate = sequence(body, ecdsaWithSha256, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

// As much of DER (ITU-T X.690) as a certificate needs: a tag, a length, and what it holds.
function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts));
const set = (part: Buffer) => der(0x31, part);
const octets = (part: Buffer) => der(0x04, part);
const integer = (value: number) => der(0x02, Buffer.from([value]));
const utcTime = (ms: number) => der(0x17, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(2, 14)}Z`));

function oid([first = 0, second = 0, ...rest]: number[]): Buffer {
  const bytes = (value: number): number[] =>
    value < 128 ? [value] : [...bytes(value >> 7).map((one) => one | 0x80), value & 0x7f];
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(bytes)]));
}

const ecdsaWithSha256 = sequence(oid([1, 2, 840, 10045, 4, 3, 2]));
