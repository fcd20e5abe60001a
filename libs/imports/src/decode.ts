import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { KassaError } from '@kassa/problem';

/** What a decoder leaves where the bytes are not text in its encoding: U+FFFD, the replacement character. */
export const damaged = '\uFFFD';

export interface DecodedText {
  /** The encoding as a person would name it, for refusals. */
  encoding: string;
  chunks: AsyncGenerator<string>;
  /** SHA-256 of the bytes read so far, in hex; asked for once, when all of them were. */
  digest(): string;
}

const named: Record<string, string> = {
  'utf-8': 'UTF-8',
  'utf-16le': 'UTF-16',
  'utf-16be': 'UTF-16',
  'windows-1252': 'Windows-1252',
};

/**
 * Decodes a stream of bytes. A byte order mark decides; without one the charset does; without either it is UTF-8.
 * The mark itself is dropped. Bytes that are not text in that encoding become U+FFFD, one by one, and never swallow the delimiter
 * behind them (WHATWG Encoding Standard §4.1), so that the caller can refuse the one row they stand in.
 * A charset other than UTF-8, UTF-16 and Windows-1252 (with ISO-8859-1, which the same standard reads as such) is media-type-unsupported.
 */
export async function decodeText(source: AsyncIterable<Uint8Array>, charset?: string): Promise<DecodedText> {
  const declared = encodingOf(charset);
  const hash = createHash('sha256');
  const bytes = readBytes(source, (chunk) => hash.update(chunk));
  let first = Buffer.alloc(0);
  while (first.length < 3) {
    const { value, done } = await bytes.next();
    if (done === true) break;
    first = Buffer.concat([first, value]);
  }
  const encoding = encodingOfMark(first) ?? declared;
  const chunks = decodeChunks(first, bytes, new TextDecoder(encoding));
  return { encoding: named[encoding] ?? encoding, chunks, digest: () => hash.digest('hex') };
}

async function* decodeChunks(first: Uint8Array, rest: AsyncGenerator<Uint8Array>, decoder: TextDecoder): AsyncGenerator<string> {
  try {
    yield decoder.decode(first, { stream: true });
    for await (const chunk of rest) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } finally {
    await rest.return(undefined);
  }
}

/**
 * The bytes, with malformed-request for a stream that breaks off. What is left of a stream that is of no more use flows away unread: it
 * is the body of a request, whose sender listens only when he has sent all of it, and destroying it would cut the connection.
 */
async function* readBytes(source: AsyncIterable<Uint8Array>, onRead: (chunk: Uint8Array) => void): AsyncGenerator<Uint8Array> {
  const bytes = source instanceof Readable ? source.iterator({ destroyOnReturn: false }) : source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = (await bytes.next().catch(brokenOff)) as IteratorResult<Uint8Array, unknown>;
      if (next.done === true) return;
      onRead(next.value);
      yield next.value;
    }
  } finally {
    await bytes.return?.();
    if (source instanceof Readable) source.resume();
  }
}

function brokenOff(cause: unknown): never {
  throw new KassaError('malformed-request', { detail: 'The file broke off before its end.', cause });
}

function encodingOfMark(first: Uint8Array): string | undefined {
  const [a, b, c] = first;
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  return undefined;
}

function encodingOf(charset = 'utf-8'): string {
  const unknown = new KassaError('media-type-unsupported', {
    detail: `The charset ${JSON.stringify(charset.slice(0, 40))} is not read here; send UTF-8, UTF-16 with a byte order mark, or windows-1252.`,
  });
  try {
    const { encoding } = new TextDecoder(charset);
    if (encoding in named) return encoding;
  } catch {
    // Not a label of the Encoding Standard, and refused like any other that is not read here.
  }
  throw unknown;
}
