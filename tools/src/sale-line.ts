import type { System } from './system.ts';

/** Every shop has it, it has no serial number, and 100 of any Kassa currency's larger notes pay for it: a USB-C cable. */
export const cable = { sku: 'E101881', gtin: '9520020000985' };

/**
 * A line to paste into a shell (sh, bash, zsh) that scans a cable, pays it in cash with a note of 100 kr, and prints the receipt, or why
 * there is none. It needs nothing but Node, and makes the sale's id when it runs, so that each paste is a new sale.
 */
export function saleLine(system: System, token: string): string {
  const sales = `${system.services.sales.http}/v1/sales`;
  const program = [
    `const id = crypto.randomUUID()`,
    `const post = async (path, step, body) => { const reply = await fetch("${sales}" + path, { method: "POST", headers: { "content-type": "application/json", "idempotency-key": id + step, authorization: "Bearer ${token}" }, body: JSON.stringify(body) }); const answer = await reply.json(); if (!reply.ok) throw answer.detail; return answer }`,
    `const sell = async () => { await post("", "-open", { id, lines: [{ gtin: "${cable.gtin}" }] }); return post("/" + id + "/complete", "-complete", { tenders: [{ method: "cash", amountMinor: 10000 }] }) }`,
    `sell().then((sale) => console.log(sale.receiptText), (why) => { console.error(why); process.exitCode = 1 })`,
  ];
  return `node -e '${program.join('; ')}'`;
}
