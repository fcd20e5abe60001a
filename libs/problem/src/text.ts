import type { FieldError } from './kassa-error.ts';

/**
 * Every text inside a value that cannot be kept: PostgreSQL takes no NUL, and half of a surrogate pair is no character in any encoding.
 * `at` is the pointer of the value itself.
 */
export function brokenTexts(value: unknown, at = ''): FieldError[] {
  // Every request is looked at and next to none is broken: what is right is seen without making anything.
  if (!isBroken(value)) return [];
  if (typeof value !== 'object' || value === null) return [{ pointer: at, detail }];
  return Object.entries(value).flatMap(([name, member]) => brokenTexts(member, `${at}/${name}`));
}

function isBroken(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0') || !value.isWellFormed();
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  for (const name in value) if (isBroken((value as Record<string, unknown>)[name])) return true;
  return false;
}

const detail = 'must not hold U+0000 or half of a surrogate pair';
