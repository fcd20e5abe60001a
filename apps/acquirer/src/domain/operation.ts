import type { Kind } from './behaviour.ts';

export type Channel = 'online' | 'terminal';
export type Status = 'pending' | 'approved' | 'declined';

/** What a merchant asks for. `originalKey` names the authorise or purchase that a capture, void or refund belongs to. */
export interface OperationRequest {
  providerKey: string;
  kind: Kind;
  channel: Channel;
  /** A terminal's id, or the token of a card. Never a card number. */
  instrument: string;
  amountMinor: number;
  currency: string;
  originalKey?: string | undefined;
}

/** An operation as it is on record. It is written before anyone is answered and never changes; its money balances do. */
export interface Operation extends OperationRequest {
  status: Status;
  declineCode?: string;
  /** The issuer's approval, six characters. */
  authorisationCode?: string;
  /** What a receipt may show: brand and last four digits. */
  cardLabel?: string;
  providerRef: string;
  /** What was moved; differs from amountMinor only where a test asks for that. */
  takenMinor: number;
}

/** What the merchant is told of an operation. The instrument stays inside: no one but the card world needs to see it again. */
export function toMerchant({ instrument: _instrument, channel: _channel, takenMinor, ...operation }: Operation) {
  return { ...operation, amountMinor: takenMinor };
}

/** What was done so far with the money of an authorise or purchase. */
export interface Balances {
  authorisedMinor: number;
  capturedMinor: number;
  voidedMinor: number;
  refundedMinor: number;
}

/** The original as it is, under its row lock. */
export interface Original {
  isApproved: boolean;
  currency: string;
  balances: Balances;
}

/**
 * Why the card world would refuse a capture, void or refund, by scheme rule: capture at most what is authorised, void exactly the rest,
 * refund at most what is captured. Undefined where it would not. The order is fixed; the first that holds is told.
 */
export function refusalOf(request: OperationRequest, original: Original | undefined): string | undefined {
  if (original === undefined || !original.isApproved) return 'original-unknown';
  if (request.currency !== original.currency) return 'currency-mismatch';
  const { authorisedMinor, capturedMinor, voidedMinor, refundedMinor } = original.balances;
  const open = authorisedMinor - capturedMinor - voidedMinor;
  if (request.kind === 'capture') return request.amountMinor > open ? 'exceeds-authorised' : undefined;
  if (request.kind === 'void') return request.amountMinor === open ? undefined : 'not-the-rest';
  return request.amountMinor > capturedMinor - refundedMinor ? 'exceeds-captured' : undefined;
}

/** True for the kinds that begin a payment. */
export function beginsPayment(kind: Kind): boolean {
  return kind === 'authorise' || kind === 'purchase';
}

/** True where two requests ask for the same thing, so that the second is a repetition of the first. */
export function isSameRequest(a: OperationRequest, b: OperationRequest): boolean {
  const fields = ['kind', 'channel', 'instrument', 'amountMinor', 'currency', 'originalKey'] as const;
  return fields.every((field) => a[field] === b[field]);
}

const localBrand: Record<string, string> = { dk: 'Dankort', fo: 'Dankort', gl: 'Dankort', no: 'BankAxept' };

/**
 * What the simulated issuer says of an approved card: the brand by the terminal's country (`pos-dk-…`), and digits drawn from the
 * operation's own key, so that they are the same however often one asks.
 */
export function issuerFacts(request: OperationRequest): { authorisationCode: string; cardLabel: string } {
  const country = /^pos-([a-z]{2})-/.exec(request.instrument)?.[1] ?? '';
  const seed = hash(request.providerKey);
  const digits = (count: number, of: number) => String(of % 10 ** count).padStart(count, '0');
  return {
    authorisationCode: digits(6, seed),
    cardLabel: `${localBrand[country] ?? 'Visa'} •••• ${digits(4, Math.floor(seed / 7))}`,
  };
}

/** FNV-1a, 32 bits: a stable number from a text, not a secret. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) as number), 0x01000193) >>> 0;
  return value;
}
