import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import colors from 'picocolors';
import { luhnCheckDigit } from '@kassa/check-digits';
import { currencies, formatMoney, money, type Currency } from '@kassa/money';
import { act, chapter, must, outcome, receipts, table } from './demo-print.ts';
import { openTill, type CompletedSale, type Sale, type Till } from './demo-till.ts';
import { sellOnTheWeb } from './demo-web.ts';
import { Failure, runCommand } from './failure.ts';
import { cable } from './sale-line.ts';
import { readSystem, type System } from './system.ts';

/*
 * A shop day, played through the public APIs against the running system. What comes out is compared with what this file knows, not
 * with what the services say of themselves: a wrong amount ends the demo with code 1.
 */

const phone = '9520001000010';
const tablet = '9520001000423';
const headphones = '9520013000015';

/** VAT in basis points, the smallest amount of cash in minor units, and a note that pays for a cable. */
const territories = [
  { name: 'Denmark', register: 'dk-001-02', currency: 'DKK', vatBp: 2500, cashStep: 50, note: 10_000 },
  { name: 'Norway', register: 'no-001-01', currency: 'NOK', vatBp: 2500, cashStep: 100, note: 10_000 },
  { name: 'Sweden', register: 'se-001-01', currency: 'SEK', vatBp: 2500, cashStep: 100, note: 10_000 },
  { name: 'Finland', register: 'fi-001-01', currency: 'EUR', vatBp: 2550, cashStep: 5, note: 1_000 },
  { name: 'Iceland', register: 'is-001-01', currency: 'ISK', vatBp: 2400, cashStep: 1, note: 1_000 },
  { name: 'Faroes', register: 'fo-001-01', currency: 'DKK', vatBp: 2500, cashStep: 50, note: 10_000 },
  { name: 'Greenland', register: 'gl-001-01', currency: 'DKK', vatBp: 0, cashStep: 50, note: 10_000 },
] as const;

const help = `npm run demo     plays a shop day against the Kassa of npm start, and prints it with its receipts

  A phone found, sold and paid at the terminal in Copenhagen; a sale in each of seven territories; a split tender; a declined card; a
  web-shop payment, captured and partly refunded. It sells for real: stock and receipt numbers move. Ends with code 1 where anything
  comes out otherwise than it should.`;

async function main(): Promise<void> {
  if (asksForHelp()) return console.log(help);
  const system = readSystem(process.env);
  const missing = Object.entries(system.services).filter(([, service]) => !service.isStarted);
  if (missing.length > 0) console.log(colors.dim(`Not started by npm start: ${missing.map(([name]) => name).join(', ')}.`));
  const started = performance.now();
  await scanAndSell(await openTill(system, 'dk-001-02'));
  await sellEverywhere(system);
  await splitTender(await openTill(system, 'dk-001-02'));
  await declinedCard(await openTill(system, 'dk-001-02'));
  await sellOnTheWeb(system);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`\n${colors.bold(colors.green('The shop day is over'))}, and everything came out as it should (${seconds} s).\n`);
}

function asksForHelp(): boolean {
  try {
    return parseArgs({ options: { help: { type: 'boolean' } }, strict: true }).values.help ?? false;
  } catch (error) {
    throw new Failure(`${(error as Error).message}\n\n${help}`);
  }
}

interface ShopStock {
  shopId: string;
  name: string;
  city: string;
  distanceM: number;
  onHand: number;
  availableToPromise: number;
}
interface Availability {
  name: string;
  sku: string;
  here: ShopStock;
  nearby: ShopStock[];
  asOf: string;
  stalenessMs: number;
}

async function scanAndSell(till: Till): Promise<void> {
  chapter('Copenhagen, Købmagergade: a phone');
  act(`A cashier at ${till.register} scans the barcode ${phone}.`);
  const before = await till.lookup.get<Availability>(`/v1/availability/${phone}?nearby=3`);
  outcome(`${before.name} (${before.sku}); the answer is ${before.stalenessMs} ms old.`);
  const rows = [before.here, ...before.nearby].map(({ name, city, distanceM, onHand, availableToPromise }, n) => [
    n === 0 ? `${name} (here)` : name,
    city,
    n === 0 ? '' : `${(distanceM / 1000).toFixed(1)} km`,
    String(onHand),
    String(availableToPromise),
  ]);
  table(['Shop', 'City', 'Away ', 'In the shop ', 'Free to sell '], rows);
  must(before.nearby.length === 3, `three shops nearby should be told, not ${before.nearby.length}`);

  act('The customer takes it. The box’s serial number (IMEI) is scanned too.');
  const opened = await till.open([{ gtin: phone, serials: [imei()] }]);
  outcome(`${amount(opened)}: ${opened.nextAction.text}`);
  act('The customer pays by card at the terminal.');
  const sale = await till.complete(opened, [{ method: 'terminal', amountMinor: opened.totalMinor }]);
  outcome(`Receipt ${sale.receiptNumber}, paid with ${sale.tenders[0]?.cardLabel ?? 'a card'}.`);
  checkDocument(sale, { vatBp: 2500, cashStep: 1 });
  receipts([sale.receiptText]);

  const after = await lookUntil(till, phone, ({ here }) => here.onHand < before.here.onHand);
  must(after.here.availableToPromise < before.here.availableToPromise, 'one phone less should be free to sell');
  outcome(`The shop now has ${after.here.onHand} of them, one less than before.`);
}

async function sellEverywhere(system: System): Promise<void> {
  chapter('Seven territories: the same cable, paid in cash');
  const sold = await Promise.all(
    territories.map(async (territory) => {
      const till = await openTill(system, territory.register);
      const sale = await till.complete(await till.open([{ gtin: cable.gtin }]), [
        { method: 'cash', amountMinor: territory.note },
      ]);
      must(sale.currency === territory.currency, `${territory.name} should sell in ${territory.currency}, not ${sale.currency}`);
      checkDocument(sale, territory);
      must(
        territory.note - sale.changeMinor === sale.totalMinor + sale.roundingMinor,
        'what is kept of the note should be what is due',
      );
      return { territory, sale };
    }),
  );
  table(
    ['Territory', '', 'Price ', 'VAT ', 'of it VAT ', 'Rounding ', 'To pay ', 'Given ', 'Change '],
    sold.map(({ territory: { name, currency, vatBp, note }, sale }) => [
      name,
      currency,
      inMajor(sale.totalMinor, currency),
      `${vatBp / 100} %`,
      inMajor(
        sale.vat.reduce((sum, { vatMinor }) => sum + vatMinor, 0),
        currency,
      ),
      inMajor(sale.roundingMinor, currency),
      inMajor(sale.totalMinor + sale.roundingMinor, currency),
      inMajor(note, currency),
      inMajor(sale.changeMinor, currency),
    ]),
  );
  receipts(sold.map(({ sale }) => sale.receiptText));
}

async function splitTender(till: Till): Promise<void> {
  chapter('Two tenders: a tablet, partly in cash');
  const opened = await till.open([{ gtin: tablet }]);
  act(`The customer has 500,00 in cash, and pays the rest of ${amount(opened)} by card.`);
  const onCard = opened.totalMinor - 50_000;
  const sale = await till.complete(opened, [
    { method: 'terminal', amountMinor: onCard },
    { method: 'cash', amountMinor: 50_000 },
  ]);
  checkDocument(sale, { vatBp: 2500, cashStep: 1 });
  const paid = sale.tenders.map(({ method, amountMinor, status }) => `${method} ${amountMinor} ${status}`).sort();
  must(
    paid.join() === [`cash 50000 SETTLED`, `terminal ${onCard} SETTLED`].join(),
    `both tenders should be settled, and are ${paid.join(', ')}`,
  );
  outcome(`Receipt ${sale.receiptNumber}: both tenders are on it.`);
  receipts([sale.receiptText]);
}

/** A terminal declines an amount that ends in 51,01 (insufficient funds): one of the acquirer's test amounts. */
const declinedMinor = 51_01;

async function declinedCard(till: Till): Promise<void> {
  chapter('A declined card');
  const opened = await till.open([{ gtin: headphones }]);
  act(`Headphones for ${amount(opened)}: ${inMajor(declinedMinor, 'DKK')} on one card, the rest in cash.`);
  const problem = await till.sales.refused(
    `/v1/sales/${opened.id}/complete`,
    {
      tenders: [
        { method: 'terminal', amountMinor: declinedMinor },
        { method: 'cash', amountMinor: 5_000 },
      ],
    },
    'payment-declined',
  );
  console.log(`  ${colors.yellow('✗')} ${problem.title}. ${problem.detail}`);
  const open = await till.sales.get<Sale>(`/v1/sales/${opened.id}`);
  must(open.state === 'OPEN', `the sale should be OPEN again, and is ${open.state}`);
  must(
    open.tenders.every(({ status }) => status === 'DECLINED' || status === 'RETURNED'),
    'nothing should have been kept of the first try',
  );
  outcome(`The till says: ${open.nextAction.text}`);
  act('Another card pays all of it.');
  const sale = await till.complete(open, [{ method: 'terminal', amountMinor: open.totalMinor }]);
  outcome(
    `Receipt ${sale.receiptNumber}: ${amount(sale)} with ${sale.tenders.at(-1)?.cardLabel ?? 'a card'}, and nothing of the first try.`,
  );
  receipts([sale.receiptText]);
}

/** Gross is net and VAT; the VAT is what the territory's rate makes of it; what is due can be paid with its coins. */
function checkDocument(sale: CompletedSale, { vatBp, cashStep }: { vatBp: number; cashStep: number }): void {
  const [row] = sale.vat;
  must(sale.vat.length === 1 && row?.bp === vatBp, `the VAT rate should be ${vatBp / 100} %`);
  must((row?.netMinor ?? 0) + (row?.vatMinor ?? 0) === sale.totalMinor, 'net and VAT should make the total');
  must(
    Math.abs((row?.vatMinor ?? 0) - (sale.totalMinor * vatBp) / (10_000 + vatBp)) <= 0.5,
    'the VAT should be what the rate makes of the total',
  );
  must((sale.totalMinor + sale.roundingMinor) % cashStep === 0, 'what is due should be payable with the coins there are');
  must(Math.abs(sale.roundingMinor) <= cashStep / 2, 'rounding should be half of the smallest coin at most');
}

/** The read model follows within a moment; ten seconds are far more than it needs. */
async function lookUntil(till: Till, item: string, isThere: (found: Availability) => boolean): Promise<Availability> {
  for (let tries = 0; tries < 100; tries++) {
    const found = await till.lookup.get<Availability>(`/v1/availability/${item}?nearby=0`);
    if (isThere(found)) return found;
    await sleep(100);
  }
  throw new Failure('Stock lookup has not seen the sale after ten seconds.');
}

const inMajor = (minor: number, currency: Currency) => formatMoney(money(minor, currency));

function amount({ totalMinor, currency }: Sale): string {
  return currency in currencies ? `${inMajor(totalMinor, currency as Currency)} ${currency}` : `${totalMinor} ${currency}`;
}

/** A made-up IMEI: 14 digits and their Luhn check digit (3GPP TS 23.003 §6.2.1). */
function imei(): string {
  const digits = `35${String(randomInt(10 ** 12)).padStart(12, '0')}`;
  return `${digits}${luhnCheckDigit(digits)}`;
}

await runCommand(main);
