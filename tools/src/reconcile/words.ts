import { currencies, formatMoney, type Currency } from '@kassa/money';
import type { SaleWitness } from '@kassa/testing';

/** As a receipt has it: `129,95 DKK`. */
export function amountWords(amountMinor: number, currency: string): string {
  if (!Object.hasOwn(currencies, currency)) return `${amountMinor} ${currency}`;
  return `${formatMoney({ minor: amountMinor, currency: currency as Currency })} ${currency}`;
}

/** Where a person finds the sale: at which register, and which paper. */
export function saleWords({ saleId, registerId, receiptNumber, state, totalMinor, currency }: SaleWitness): string {
  const paper = receiptNumber ? `receipt ${registerId}/${receiptNumber}` : `${state.toLowerCase()} at register ${registerId}`;
  return `sale ${saleId} (${paper}, ${amountWords(totalMinor, currency)})`;
}

/** A movement of money as people call it, whoever wrote it down. */
export function kindWord(kind: string): string {
  const word = kind.toLowerCase();
  return word === 'authorise' ? 'authorisation' : word;
}
