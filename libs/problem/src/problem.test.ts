import { expect, test } from 'vitest';
import { catalogue, errorKind, fromWire, KassaError, toProblem, toWire, type ErrorCode } from './index.ts';

const codes = Object.keys(catalogue) as ErrorCode[];

test.each(codes)('%s has a status of an error, a gRPC status and a sentence', (code) => {
  const kind = errorKind(code);
  expect(kind.status).toBeGreaterThanOrEqual(400);
  expect(kind.title).toMatch(/^[A-Z].{10,}[^.]$/);
  expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
});

test('A problem document carries what the client may know and nothing else', () => {
  const error = new KassaError('insufficient-stock', {
    detail: '2 of 3 are there.',
    params: { lines: [{ sku: 'E1', available: 2 }] },
    cause: new Error('secret'),
  });
  expect(toProblem(error, 'abc', '/v1/reservations')).toEqual({
    type: 'https://kassa.example/problems/insufficient-stock',
    title: 'There is not enough stock',
    status: 409,
    code: 'insufficient-stock',
    detail: '2 of 3 are there.',
    traceId: 'abc',
    retryable: false,
    instance: '/v1/reservations',
    lines: [{ sku: 'E1', available: 2 }],
  });
});

test('A bug becomes internal-error without its text', () => {
  expect(JSON.stringify(toProblem(new Error('secret'), 'abc'))).not.toContain('secret');
});

test('A params member cannot overwrite the status', () => {
  expect(toProblem(new KassaError('not-found', { params: { status: 200 } }), 'abc').status).toBe(404);
});

test('An error arrives on the other side of the wire as it was, without its cause', () => {
  const sent = new KassaError('payment-declined', {
    detail: 'No.',
    params: { declineCode: 'expired-card' },
    cause: new Error('secret'),
  });
  const { payload, grpcStatus } = toWire(sent);
  const got = fromWire(payload, 'the gRPC error');
  expect([grpcStatus, got?.code, got?.facts, got?.message]).toEqual([
    9,
    'payment-declined',
    { detail: 'No.', params: { declineCode: 'expired-card' }, cause: 'the gRPC error' },
    'No.',
  ]);
});

test.each(['not json', '{"code":"from-the-future","facts":{}}', '{}'])('%s on the wire is none of ours', (text) => {
  expect(fromWire(new TextEncoder().encode(text), undefined)).toBeUndefined();
});
