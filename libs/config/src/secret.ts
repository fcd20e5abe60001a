import { readFileSync } from 'node:fs';
import { emitWarning } from 'node:process';
import type { z } from 'zod';

/**
 * A secret that may change while the process runs: ask for it each time it is needed, and keep no copy. As a function it is not
 * printed where settings are.
 */
export type Secret<Value = string> = () => Value;

/** One that was given as text, and stays. */
export const constant =
  <Value>(value: Value): Secret<Value> =>
  () =>
    value;

export const readValue = (path: string): string => readFileSync(path, 'utf8').trim();

/**
 * A mounted secret, read from its file each time: kubelet swaps the folder behind a symbolic link, at which watchers of files are
 * known to go blind, and a read of memory costs 20 µs. A file that is missing or holds no usable value leaves the last good one in
 * use, and one warning on standard error.
 */
export function mounted<Value>(name: string, path: string, schema: z.ZodType<Secret<Value>>): Secret<Value> {
  let last = schema.parse(readValue(path));
  let isWarned = false;
  return () => {
    try {
      last = schema.parse(readValue(path));
      isWarned = false;
    } catch {
      if (!isWarned) emitWarning(`${name}_FILE holds no usable value; the last one stays in use`);
      isWarned = true;
    }
    return last();
  };
}
