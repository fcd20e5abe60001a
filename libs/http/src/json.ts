import { isUtf8 } from 'node:buffer';
import { KassaError } from '@kassa/problem';

/** What is wrong with the bytes of a JSON body before they are read: JSON between systems is UTF-8 (RFC 8259 §8.1). */
export function encodingFault(body: Buffer): KassaError | undefined {
  return isUtf8(body) ? undefined : new KassaError('malformed-request', { detail: 'The body is not UTF-8.' });
}

/**
 * What is wrong with JSON that can be read: of two members of one name JSON.parse takes the last, and whoever looked at the body before us
 * perhaps the first (RFC 8259 §4).
 */
export function repeatedMember(json: string): KassaError | undefined {
  const open: { names: Set<string>; at: string | number }[] = [];
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"(?:\s*:)?|[{}[\],]/g)) {
    const here = open.at(-1);
    if (token === '{' || token === '[') open.push({ names: new Set(), at: 0 });
    else if (token === '}' || token === ']') open.pop();
    else if (here === undefined) continue;
    else if (token.endsWith(':')) {
      here.at = JSON.parse(token.slice(0, -1)) as string;
      if (here.names.has(here.at)) return repeated(open.map(({ at }) => at));
      here.names.add(here.at);
    } else if (token === ',' && typeof here.at === 'number') here.at += 1;
  }
  return undefined;
}

function repeated(path: (string | number)[]): KassaError {
  const pointer = path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  const detail = 'stands in its object more than once';
  return new KassaError('malformed-request', { detail: `${pointer}: ${detail}.`, errors: [{ pointer, detail }] });
}
