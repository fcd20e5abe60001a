import { KassaError } from '@kassa/problem';

/** ACTIVE expires; FIRM does not, for money is on its way; CONSUMED was handed over. The last three are ends. */
export type ReservationState = 'ACTIVE' | 'FIRM' | 'CONSUMED' | 'RELEASED' | 'EXPIRED';

export interface ReservationLine {
  sku: string;
  /** Whole units, at least 1. */
  quantity: number;
}

export interface Reservation {
  /** UUID, chosen by the caller. */
  reservationId: string;
  /** Absent for one that was released before it was made. */
  shopId?: string;
  state: ReservationState;
  reference: string;
  /** RFC 3339 in UTC; there while ACTIVE. */
  expiresAt?: string;
  /** By sku. */
  lines: ReservationLine[];
}

export interface ReserveRequest {
  reservationId: string;
  shopId: string;
  lines: ReservationLine[];
  state: 'ACTIVE' | 'FIRM';
  ttlMs: number;
  /** What it is for, e.g. sale:<id>. */
  reference: string;
}

/** What a sale took off the shelf, as it is booked after these books lost it. */
export interface RecoverRequest {
  reservationId: string;
  shopId: string;
  lines: ReservationLine[];
  reference: string;
  documentType: string;
  documentId: string;
  /** Why it is believed. */
  reason: string;
}

/** A line that cannot be had; available is what could be. */
export interface ShortLine {
  sku: string;
  requested: number;
  available: number;
}

/** What a command on a reservation comes to, as the database answers it. */
export type ReservationOutcome =
  | { outcome: 'reserved' | 'done' | 'repeated'; reservation: Reservation }
  | { outcome: 'short'; lines: ShortLine[] }
  | { outcome: 'not-found' | 'expired' | 'reused' | 'expired-in-the-way' }
  | { outcome: 'closed' | 'wrong-state'; state: ReservationState };

/** More are not one basket. */
export const linesMax = 200;
export const quantityMax = 100_000;
/** A week; click and collect waits two days. */
export const ttlMsMax = 7 * 86_400_000;

/** The lines by sku. Error: validation-failed for a sku that stands in two of them. */
export function sortedLines(lines: readonly ReservationLine[]): ReservationLine[] {
  const errors = lines
    .map(({ sku }, at) => ({ sku, at }))
    .filter(({ sku, at }) => lines.findIndex((line) => line.sku === sku) !== at)
    .map(({ sku, at }) => ({ pointer: `/lines/${at}/sku`, detail: `${sku} stands in an earlier line; add up the quantities` }));
  if (errors.length > 0) throw new KassaError('validation-failed', { errors });
  return lines.toSorted((a, b) => (a.sku < b.sku ? -1 : 1));
}

/** What makes two requests under one id the same: everything but how long it may live. */
export function requestText({ shopId, lines, state, reference }: ReserveRequest): string {
  return JSON.stringify([shopId, state, reference, sortedLines(lines).map(({ sku, quantity }) => [sku, quantity])]);
}

/** The reservation, or the refusal the outcome stands for. */
export function reservationOf(outcome: ReservationOutcome): Reservation {
  switch (outcome.outcome) {
    case 'reserved':
    case 'done':
    case 'repeated':
      return outcome.reservation;
    case 'short':
      throw new KassaError('insufficient-stock', {
        detail: `Not enough in stock: ${outcome.lines.map(({ sku, requested, available }) => `${sku} (${available} of ${requested})`).join(', ')}.`,
        params: { lines: outcome.lines },
      });
    case 'not-found':
      throw new KassaError('not-found', { detail: 'There is no such reservation or shop here.' });
    case 'expired':
      throw new KassaError('reservation-expired', { detail: 'The reservation ran out of time; reserve again under a new id.' });
    case 'reused':
      throw new KassaError('idempotency-key-reused', {
        detail: 'This reservation id was used with other content; take a new one.',
      });
    case 'closed':
      throw new KassaError('reservation-closed', {
        detail: `The reservation is ${outcome.state}.`,
        params: { state: outcome.state },
      });
    case 'wrong-state':
      throw new KassaError('wrong-state', {
        detail:
          outcome.state === 'ACTIVE'
            ? 'Make the reservation firm before it is consumed.'
            : `The reservation is ${outcome.state} and does not expire.`,
        params: { state: outcome.state },
      });
    case 'expired-in-the-way':
      throw new KassaError('write-conflict', {
        detail: 'Expired reservations are being cleared away; ask again.',
        retryAfterSeconds: 1,
      });
  }
  return outcome satisfies never;
}
