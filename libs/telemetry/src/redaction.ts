import { stdSerializers } from 'pino';

// Ids are logged, people and secrets are not. What slips into an object under one of these names is taken out.
const secretNames = new Set([
  'authorization',
  'token',
  'access_token',
  'password',
  'secret',
  'name',
  'cardNumber',
  'pan',
  'cvc',
  'instrument',
  'body',
]);

const depthMax = 6;

/**
 * The facts of a log line without people and secrets: what stands under one of their names is `[redacted]`, and what lies deeper
 * than six levels is left out. Errors come as type, message and stack. The facts themselves stay as they are.
 * One walk, since most lines are flat: pino's own redaction by paths costs ten times the rest of a line.
 */
export function redact(facts: Record<string, unknown>): Record<string, unknown> {
  return redactObject(facts, depthMax);
}

function redactObject(value: object, depth: number): Record<string, unknown> {
  let clean: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(value)) {
    const kept = secretNames.has(name) ? '[redacted]' : redactMember(member, depth - 1);
    if (kept !== member) (clean ??= { ...value } as Record<string, unknown>)[name] = kept;
  }
  return clean ?? (value as Record<string, unknown>);
}

function redactMember(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return '[too deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (Array.isArray(value)) return value.map((member) => redactMember(member, depth - 1));
  return isPlain(value) ? redactObject(value, depth) : value;
}

/** pino's own form of an error, with the stacks of its causes; an error of ours or of pg has members to be looked through as well. */
function redactError(error: Error, depth: number): object {
  const told: Record<string, unknown> = { ...stdSerializers.err(error) };
  if ('severity' in told && 'routine' in told)
    for (const name of quotingMembers) if (told[name] !== undefined) told[name] = '[redacted]';
  return redactObject(told, depth);
}

/** Where an error of PostgreSQL quotes the row or the value that it refused. */
const quotingMembers = ['detail', 'where', 'internalQuery'];

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
