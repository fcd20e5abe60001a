import { z } from 'zod';

/*
 * The fields of a row as CSV has them: text without type. Each gives the value a table holds, and a sentence a person understands
 * where it cannot. Leading and trailing white space is dropped, and text is composed (Unicode NFC), since å may come as one
 * character or as two that look the same.
 */

/** Text of 1 to charactersMax characters. */
export const text = (charactersMax: number) =>
  field((value) => {
    const composed = value.normalize('NFC');
    if (composed === '') return fault('is empty');
    return composed.length > charactersMax ? fault(`is longer than ${charactersMax} characters`) : composed;
  });

/** A whole number within [min, max], written in digits. */
export const integer = (min: number, max: number) =>
  field((value) => (/^-?\d{1,15}$/.test(value) ? within(Number(value), min, max) : fault('is not a whole number')));

/** A number within [min, max], written in digits with a point. */
export const number = (min: number, max: number) =>
  field((value) =>
    /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? within(Number(value), min, max) : fault('is not a number such as 55.676'),
  );

/** true or false in any case, or 1 or 0. */
export const flag = () => field((value) => flags.get(value.toLowerCase()) ?? fault('is neither true nor false'));

const flags = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

interface Fault {
  fault: string;
}
const fault = (sentence: string): Fault => ({ fault: sentence });

function within(value: number, min: number, max: number): number | Fault {
  if (value < min) return fault(`is less than ${min}`);
  return value > max ? fault(`is more than ${max}`) : value;
}

/** One transform instead of a chain of checks: a file has a million fields, and each link of a chain allocates for each of them. */
function field<Value extends string | number | boolean>(read: (value: string) => Value | Fault) {
  return z.string().transform((value, context): Value => {
    const result = read(value.trim());
    if (typeof result !== 'object') return result;
    context.addIssue(result.fault);
    return z.NEVER;
  });
}
