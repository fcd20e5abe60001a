import type { System } from './system.ts';

/** Every shop has it, it has no serial number, and 100 of any Kassa currency's larger notes pay for it: a USB-C cable. */
export const cable = { sku: 'E101881', gtin: '9520020000985' };

/**
 * A line to paste into a shell (sh, bash, zsh) that scans a cable, pays it in cash with a note of 100 kr, and prints the receipt. The
 * sale's id is made when it runs, so that each paste is a new sale.
 */
export function saleLine(system: System, token: string): string {
  const sales = `${system.services.sales.http.replace('127.0.0.1', 'localhost')}/v1/sales`;
  const post = (path: string, step: string, body: string) =>
    `curl -fsS "${sales}${path}" -H "$AUTH" -H "$JSON" -H "Idempotency-Key: $SALE-${step}" -d '${body}'`;
  const begin = `SALE=$(node -p 'crypto.randomUUID()'); AUTH='Authorization: Bearer ${token}'; JSON='Content-Type: application/json'`;
  const open = post('', 'open', `{"id":"'$SALE'","lines":[{"gtin":"${cable.gtin}"}]}`);
  const complete = post('/$SALE/complete', 'complete', '{"tenders":[{"method":"cash","amountMinor":10000}]}');
  const print = `node -p 'JSON.parse(require("fs").readFileSync(0)).receiptText'`;
  return `${begin}; ${open} >/dev/null && ${complete} | ${print}`;
}
