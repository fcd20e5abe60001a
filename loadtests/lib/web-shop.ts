import { sleep } from 'k6';
import exec from 'k6/execution';
import { newKey, refuse, send, type Answer } from './requests.ts';
import { patienceSeconds } from './shapes.ts';
import { signIn } from './tokens.ts';

/** A payment as the web shop sees it. */
export interface Intent {
  id: string;
  status: string;
  authorisedMinor: number;
  capturedMinor: number;
  refundedMinor: number;
  voidedMinor: number;
}

/** What a story did with a payment, and so what its balances must be. */
export type Balances = Omit<Intent, 'id' | 'status'>;

let mine: (() => string) | undefined;

/** The token of this user's own web-shop server. */
export function webShop(): () => string {
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

/** Authorises with a card, and waits for the outcome where it is not known at once. */
export function confirm({ id }: Intent, token: string): Intent | undefined {
  return settled(
    'confirm payment',
    id,
    write(`/v1/payment-intents/${id}/confirm`, 'confirm payment', { method: 'online', token }),
  );
}

export function capture({ id }: Intent, amountMinor: number, key = newKey()): Intent | undefined {
  return settled('capture payment', id, write(`/v1/payment-intents/${id}/capture`, 'capture payment', { amountMinor }, key));
}

export function refund({ id }: Intent, amountMinor: number): Intent | undefined {
  const answer = write(`/v1/payment-intents/${id}/refunds`, 'refund payment', { amountMinor });
  if (answer.status !== 201 && answer.status !== 202) refuse('refund payment', answer);
  return waitForRest(id);
}

export function cancel({ id }: Intent): Intent | undefined {
  return settled('cancel payment', id, write(`/v1/payment-intents/${id}/cancel`, 'cancel payment', {}));
}

function write(path: string, name: string, body: object, key = newKey()): Answer {
  return send(webShop(), { service: 'payments', method: 'POST', path, name, body, key });
}

function settled(what: string, id: string, answer: Answer): Intent | undefined {
  if (answer.status === 200) return answer.body as unknown as Intent;
  if (answer.status === 202) return waitForRest(id);
  refuse(what, answer);
  return undefined;
}

/** Asks until the outcome is known; undefined where it is not within a minute or two. */
function waitForRest(id: string): Intent | undefined {
  const deadline = Date.now() + patienceSeconds * 1000;
  for (;;) {
    const answer = send(webShop(), {
      service: 'payments',
      method: 'GET',
      path: `/v1/payment-intents/${id}`,
      name: 'ask for payment',
    });
    if (answer.status !== 200) {
      refuse('ask for payment', answer);
      return undefined;
    }
    const intent = answer.body as unknown as Intent;
    if (intent.status !== 'unknown' && intent.status !== 'processing') return intent;
    if (Date.now() > deadline) return undefined;
    sleep(1);
  }
}
