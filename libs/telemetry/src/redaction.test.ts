import { expect, it } from 'vitest';
import { redact } from './redaction.ts';

it('leaves flat facts as they are', () => {
  const facts = { route: '/v1/sales', status: '201', ms: 1.5, at: new Date(0), nothing: null };
  expect(redact(facts)).toBe(facts);
});

it('takes people and secrets out, wherever they stand, and does not touch what it was given', () => {
  const facts = {
    saleId: 's1',
    name: 'Kari',
    caller: { subject: 'e1', token: 'ey…' },
    lines: [{ sku: 'E1', body: { pan: '4111' } }],
  };
  expect(redact(facts)).toEqual({
    saleId: 's1',
    name: '[redacted]',
    caller: { subject: 'e1', token: '[redacted]' },
    lines: [{ sku: 'E1', body: '[redacted]' }],
  });
  expect(facts.caller.token).toBe('ey…');
});

it('tells an error with its stack, its causes and its members, but for secrets', () => {
  const error = Object.assign(new Error('refused', { cause: new TypeError('because') }), {
    code: '23505',
    password: 'p',
    detail: { name: 'Kari' },
  });
  const told = redact({ err: error }) as { err: Record<string, unknown> };
  expect(told.err).toMatchObject({
    type: 'Error',
    message: 'refused: because',
    code: '23505',
    password: '[redacted]',
    detail: { name: '[redacted]' },
  });
  expect(told.err['stack']).toContain('caused by: TypeError: because');
});

it('leaves the row out that PostgreSQL quotes when it refuses it', () => {
  const refusal = { severity: 'ERROR', routine: 'ExecConstraints', code: '23514', detail: 'Failing row contains (tok_approve).' };
  const told = redact({ err: Object.assign(new Error('violates check constraint "x"'), refusal) });
  expect(JSON.stringify(told)).not.toContain('tok_approve');
  expect(told['err']).toMatchObject({ code: '23514', detail: '[redacted]' });
});

it('ends in a circle', () => {
  const facts: Record<string, unknown> = { id: 1 };
  facts['self'] = facts;
  expect(JSON.stringify(redact(facts))).toContain('[too deep]');
});
