import { sleep } from 'k6';
import exec from 'k6/execution';
import { newKey, refuse, send, type Answer } from './requests.ts';
import { patienceSeconds } from './shapes.ts';
import { signIn, type SignedIn } from './tokens.ts';

/** A payment as the web shop sees it. */
export interface Intent {
  id: string;
  status: string;
  authorisedMinor: number;
  capturedMinor: number;
  refundedMinor: number;
  voidedMinor: number;
  /** Oldest first. */
  transactions: { status: string }[];
}

/** What a story did with a payment, and so what its balances must be. */
export type Balances = Omit<Intent, 'id' | 'status' | 'transactions'>;

let mine: SignedIn | undefined;

/** This user's own web-shop server, signed in. */
export function webShop(): SignedIn {
  mine ??= signIn({ sub: `load-web-${exec.vu.idInTest}`, roles: 'web-shop' });
  return mine;
}

export const money = [
  ['dk', 'DKK'],
  ['no', 'NOK'],
  ['se', 'SEK'],
  ['fi', 'EUR'],
  ['is', 'ISK'],
] as const;

export function createIntent(amountMinor: number): Intent | undefined {
  const [country, currency] = money[Math.floor(Math.random() * money.length)] ?? money[0];
  const body = { reference: `order:${newKey()}`, country, currency, amountMinor, captureMode: 'manual' };
  const answer = write('/v1/payment-intents', 'create payment', body);
  if (answer.status === 201) return answer.body as unknown as Intent;
  refuse('create payment', answer);
  return undefined;
}

/** Authorises with a card. */
export function confirm({ id }: Intent, token: string): Intent | undefined {
  return move(id, 'confirm', { method: 'online', token });
}

export function capture({ id }: Intent, amountMinor: number): Intent | undefined {
  return move(id, 'capture', { amountMinor });
}

export function refund({ id }: Intent, amountMinor: number): Intent | undefined {
  return move(id, 'refunds', { amountMinor });
}

export function cancel({ id }: Intent): Intent | undefined {
  return move(id, 'cancel', {});
}

/**
 * Moves money, and returns the payment when the outcome is known. What is known not to have happened, because the acquirer was not
 * reached, is asked for anew under a new key. One request in ten is sent twice, as if its answer had been lost.
 */
function move(id: string, verb: 'confirm' | 'capture' | 'refunds' | 'cancel', body: object): Intent | undefined {
  const name = `${verb === 'refunds' ? 'refund' : verb} payment`;
  const deadline = Date.now() + patienceSeconds * 1000;
  for (;;) {
    const key = newKey();
    let answer = write(`/v1/payment-intents/${id}/${verb}`, name, body, key);
    if (Math.random() < 0.1) answer = write(`/v1/payment-intents/${id}/${verb}`, name, body, key);
    if (![200, 201, 202].includes(answer.status)) {
      refuse(name, answer);
      return undefined;
    }
    const rested = waitForRest(id);
    if (!rested || rested.transactions.at(-1)?.status !== 'FAILED') return rested;
    if (Date.now() > deadline) return undefined;
    sleep(1);
  }
}

function write(path: string, name: string, body: object, key = newKey()): Answer {
  return send(webShop(), { service: 'payments', method: 'POST', path, name, body, key });
}

/** Asks until the outcome is known; undefined where it is not within a minute or two. */
function waitForRest(id: string): Intent | undefined {
  const deadline = Date.now() + patienceSeconds * 1000;
  for (;;) {
    const path = `/v1/payment-intents/${id}`;
    const answer = send(webShop(), { service: 'payments', method: 'GET', path, name: 'ask for payment' });
    if (answer.status !== 200) {
      refuse('ask for payment', answer);
      return undefined;
    }
    const intent = answer.body as unknown as Intent;
    if (intent.transactions.every(({ status }) => status !== 'INIT' && status !== 'UNKNOWN')) return intent;
    if (Date.now() > deadline) return undefined;
    sleep(1);
  }
}
