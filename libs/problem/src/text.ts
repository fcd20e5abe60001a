import type { FieldError } from './kassa-error.ts';

/**
 * Every text inside a value that cannot be kept: PostgreSQL takes no NUL, and half of a surrogate pair is no character in any encoding.
 * `at` is the pointer of the value itself.
 */
export function brokenTexts(value: unknown, at = ''): FieldError[] {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed() ? [{ pointer: at, detail }] : [];
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  return Object.entries(value).flatMap(([name, member]) => brokenTexts(member, `${at}/${name}`));
}

const detail = 'must not hold U+0000 or half of a surrogate pair';
