import { randomInt } from 'node:crypto';
import { formatMoney, money } from '@kassa/money';
import { openApi } from './demo-api.ts';
import { act, chapter, must, outcome, table } from './demo-print.ts';
import type { System } from './system.ts';
import { fetchToken } from './token.ts';

/** As much of a payment as the demo shows, in øre. */
interface Payment {
  id: string;
  status: string;
  authorisedMinor: number;
  capturedMinor: number;
  refundedMinor: number;
  transaction?: { cardLabel?: string };
}

const orderMinor = 149_800;
const returnedMinor = 49_900;

/** An order on the web: the card is asked at once, the money is taken on dispatch, and part of it goes back with a returned item. */
export async function sellOnTheWeb(system: System): Promise<void> {
  chapter('The web shop: pay on dispatch, and a partial refund');
  const payments = openApi(system.services.payments.http, await fetchToken(system, { roles: ['web-shop'], subject: 'web-shop' }));
  const reference = `order:${randomInt(100_000, 1_000_000)}`;
  const steps: [string, Payment][] = [];
  const step = (name: string, payment: Payment, status: string, balances: [number, number, number]) => {
    steps.push([name, payment]);
    const found = [payment.authorisedMinor, payment.capturedMinor, payment.refundedMinor];
    must(payment.status === status, `after "${name}" the payment should be ${status}, and is ${payment.status}`);
    must(
      found.join() === balances.join(),
      `after "${name}" authorised, captured and refunded should be ${balances.join(', ')}, not ${found.join(', ')}`,
    );
  };

  act(`A customer orders for ${inKroner(orderMinor)} DKK (${reference}) and pays with a card on the web.`);
  const order = { reference, country: 'dk', amountMinor: orderMinor, currency: 'DKK', captureMode: 'manual' };
  const intent = await payments.post<Payment>('/v1/payment-intents', order);
  const path = `/v1/payment-intents/${intent.id}`;
  const confirmed = await payments.post<Payment>(`${path}/confirm`, { method: 'online', token: 'tok_approve' });
  step('ordered', confirmed, 'authorised', [orderMinor, 0, 0]);
  outcome(`The amount is held on ${confirmed.transaction?.cardLabel ?? 'the card'}; nothing is taken yet.`);

  act('The parcel leaves the warehouse.');
  step('dispatched', await payments.post<Payment>(`${path}/capture`, {}), 'captured', [orderMinor, orderMinor, 0]);
  outcome('Now the money is taken.');

  act(`One item comes back; its ${inKroner(returnedMinor)} DKK go back to the card.`);
  await payments.post(`${path}/refunds`, { amountMinor: returnedMinor });
  step('returned', await payments.get<Payment>(path), 'partially_refunded', [orderMinor, orderMinor, returnedMinor]);
  outcome('The rest stays captured.');
  table(
    ['After', 'Payment is', 'Authorised ', 'Captured ', 'Refunded '],
    steps.map(([name, { status, authorisedMinor, capturedMinor, refundedMinor }]) => [
      name,
      status,
      ...[authorisedMinor, capturedMinor, refundedMinor].map(inKroner),
    ]),
  );
}

const inKroner = (minor: number) => formatMoney(money(minor, 'DKK'));
