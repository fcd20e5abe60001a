/**
 * What four services and the acquirer say of the same money and stock, each from its own database, and whether they agree. The laws hold
 * once nothing is under way; a checkout or a payment that is still open is itself reported.
 */

/** A sale as sales tells it. */
export interface SaleWitness {
  saleId: string;
  shopId: string;
  registerId: string;
  state: string;
  receiptNumber?: number | null | undefined;
  /** What its payments were told, for whoever mends; nothing is compared with it. */
  country?: string | undefined;
  channel?: 'store' | 'web' | null | undefined;
  totalMinor: number;
  currency: string;
  /** Cash rounding, signed: what is due is total + rounding. */
  roundingMinor: number;
  /** The reservation of the latest checkout. */
  reservationId?: string | null | undefined;
  tenders: TenderWitness[];
  lines: StockWitness[];
}

export interface TenderWitness {
  tenderId: string;
  method: string;
  /** What it pays of the sale, change not counted. */
  amountMinor: number;
  intentId?: string | null | undefined;
  transactionIds: string[];
  /** The terminal that read the card. */
  terminalId?: string | null | undefined;
  /** SETTLED where it paid a part of a completed sale. */
  status: string;
}

export interface StockWitness {
  sku: string;
  quantity: number;
}

/** One movement of money as payments tells it. */
export interface TransactionWitness {
  transactionId: string;
  intentId: string;
  kind: string;
  status: string;
  amountMinor: number;
  currency: string;
  /** Cash is moved by hand: the acquirer knows nothing of it. */
  method: string;
  /** What the payment is for: `sale:<id>`, or another document. */
  reference: string;
}

/** A reservation as inventory tells it. */
export interface ReservationWitness {
  reservationId: string;
  reference: string;
  state: string;
  shopId: string;
  lines: StockWitness[];
}

/** What inventory found when it added up the movements and reservations of a shop against its levels. */
export interface LevelsWitness {
  shopId: string;
  checkedLevels: number;
  violations: { shopId: string; sku: string; problem: string }[];
}

/** One operation of the acquirer's ledger. */
export interface OperationWitness {
  providerKey: string;
  kind: string;
  status: string;
  amountMinor: number;
  currency: string;
  /** Of a capture, void or refund: the operation it belongs to. */
  originalKey?: string | undefined;
}

type Stream<T> = Iterable<T> | AsyncIterable<T>;

/** Each is read once, item by item, so that it may come page by page. */
export interface Witnesses {
  sales: Stream<SaleWitness>;
  transactions: Stream<TransactionWitness>;
  reservations: Stream<ReservationWitness>;
  levels: Stream<LevelsWitness>;
  /** Undefined where the acquirer does not show its ledger. */
  ledger: Stream<OperationWitness> | undefined;
}

/** The laws between the witnesses, in the order they are reported. */
export const witnessLaws = {
  'all-settled': 'no checkout and no payment is left halfway',
  'tenders-paid': 'each tender of a completed sale was paid exactly once, in its amount and currency',
  'nothing-given-back': 'nothing of a completed sale was given back; where a supervisor did that, no book is wrong',
  'tenders-add-up': 'the tenders of a completed sale are its total and its cash rounding',
  'money-returned': 'a sale that is not completed has kept and holds no money',
  'stock-consumed': 'a completed sale took exactly its lines off the shelf, once',
  'stock-released': 'a sale that is not completed holds and took no stock',
  'receipts-gapless': 'receipt numbers of a register run from 1 without gap or repetition',
  'acquirer-agrees': 'payments and the acquirer know the same card movements, with the same outcome',
  'levels-add-up': 'stock on hand is the sum of its movements, reserved that of open reservations, none below 0',
} as const;
export type WitnessLaw = keyof typeof witnessLaws;

export interface Violation {
  law: WitnessLaw;
  /** A sentence with the ids of all it speaks of. */
  text: string;
}

export interface Comparison {
  /** Empty where all agree. */
  violations: Violation[];
  counts: {
    sales: number;
    completedSales: number;
    transactions: number;
    reservations: number;
    levels: number;
    operations: number;
  };
}

/** What is kept of a transaction while the others speak: 100,000 sales take some 100 MB in all. */
interface Movement {
  intentId: string;
  kind: string;
  status: string;
  amountMinor: number;
  currency: string;
  isCash: boolean;
  isInLedger: boolean;
}

/** The sums over an intent's transactions that succeeded. */
interface Payment {
  reference: string;
  /** As "DKK"; "DKK and SEK" where it was paid in two. */
  currencies: string;
  /** How often money was taken. */
  takings: number;
  keptMinor: number;
  givenBackMinor: number;
  /** Authorised, and neither captured nor voided. */
  heldMinor: number;
  isOfSale: boolean;
}

interface Held extends Omit<ReservationWitness, 'lines'> {
  /** Its lines in words. */
  taken: string;
  isOfSale: boolean;
}

/** Compares what the witnesses say. The order of their items does not matter. */
export async function compareWitnesses(witnesses: Witnesses): Promise<Comparison> {
  const violations: Violation[] = [];
  const tell = (law: WitnessLaw, text: string) => void violations.push({ law, text });
  const counts = {
    sales: 0,
    completedSales: 0,
    transactions: 0,
    reservations: 0,
    levels: 0,
    operations: 0,
  };
  const movements = new Map<string, Movement>();
  const payments = new Map<string, Payment>();
  const reservations = new Map<string, Held>();
  const receipts = new Map<string, Map<number, string>>();

  for await (const transaction of witnesses.transactions) {
    counts.transactions++;
    addTransaction(transaction, movements, payments, tell);
  }
  if (witnesses.ledger !== undefined) {
    for await (const operation of witnesses.ledger) {
      counts.operations++;
      compareOperation(operation, movements.get(operation.providerKey), tell);
    }
    for (const [id, movement] of movements) missInLedger(id, movement, tell);
  }
  for await (const { lines, ...reservation } of witnesses.reservations) {
    counts.reservations++;
    reservations.set(reservation.reservationId, { ...reservation, taken: stockWords(lines), isOfSale: false });
  }
  for await (const sale of witnesses.sales) {
    counts.sales++;
    if (sale.state === 'COMPLETED') counts.completedSales++;
    compareSale(sale, { movements, payments, reservations, receipts }, tell);
  }
  for (const [id, payment] of payments) comparePayment(id, payment, tell);
  for (const reservation of reservations.values()) compareReservation(reservation, tell);
  for (const [registerId, numbers] of receipts) compareReceipts(registerId, numbers, tell);
  for await (const shop of witnesses.levels) {
    counts.levels += shop.checkedLevels;
    for (const { shopId, sku, problem, ...more } of shop.violations) {
      const numbers = Object.keys(more).length > 0 ? ` ${JSON.stringify(more)}` : '';
      tell('levels-add-up', `${sku} in shop ${shopId}: ${problem}${numbers}`);
    }
  }
  const order = Object.keys(witnessLaws);
  return { violations: violations.sort((a, b) => order.indexOf(a.law) - order.indexOf(b.law)), counts };
}

type Tell = (law: WitnessLaw, text: string) => void;

function addTransaction(
  transaction: TransactionWitness,
  movements: Map<string, Movement>,
  payments: Map<string, Payment>,
  tell: Tell,
): void {
  const { transactionId, intentId, kind, status, amountMinor, currency, method, reference } = transaction;
  if (status === 'INIT' || status === 'UNKNOWN') {
    tell('all-settled', `payment transaction ${transactionId} (${kind} for ${reference}) is still ${status}`);
  }
  movements.set(transactionId, { intentId, kind, status, amountMinor, currency, isCash: method === 'cash', isInLedger: false });
  const payment = payments.get(intentId) ?? {
    reference,
    currencies: '',
    takings: 0,
    keptMinor: 0,
    givenBackMinor: 0,
    heldMinor: 0,
    isOfSale: false,
  };
  payments.set(intentId, payment);
  if (status !== 'SUCCEEDED') return;
  if (payment.currencies === '') payment.currencies = currency;
  else if (!payment.currencies.split(' and ').includes(currency)) payment.currencies += ` and ${currency}`;
  if (kind === 'PURCHASE' || kind === 'CAPTURE') payment.takings++;
  if (kind === 'PURCHASE' || kind === 'CAPTURE') payment.keptMinor += amountMinor;
  if (kind === 'REFUND') payment.keptMinor -= amountMinor;
  if (kind === 'REFUND') payment.givenBackMinor += amountMinor;
  if (kind === 'AUTHORISE') payment.heldMinor += amountMinor;
  if (kind === 'CAPTURE' || kind === 'VOID') payment.heldMinor -= amountMinor;
}

/** SUCCEEDED where the acquirer approved, and nowhere else; both of the same kind and amount. */
function compareOperation(operation: OperationWitness, movement: Movement | undefined, tell: Tell): void {
  const { providerKey, kind, status, amountMinor, currency } = operation;
  const words = `the acquirer's ${kind} ${providerKey} of ${amountMinor} ${currency}`;
  if (status === 'pending') tell('all-settled', `${words} is still pending`);
  if (!movement) return tell('acquirer-agrees', `${words}, ${status}, is not on record in payments`);
  if (movement.isInLedger) tell('acquirer-agrees', `${words} stands twice in its ledger`);
  movement.isInLedger = true;
  const isApproved = status === 'approved';
  if (movement.isCash) tell('acquirer-agrees', `${words} is cash in payments`);
  if (isApproved !== (movement.status === 'SUCCEEDED')) {
    tell('acquirer-agrees', `${words} is ${status}, and ${movement.status} in payments`);
  }
  const told = `${kind.toUpperCase()} of ${amountMinor} ${currency}`;
  const recorded = `${movement.kind} of ${movement.amountMinor} ${movement.currency}`;
  if (isApproved && told !== recorded) tell('acquirer-agrees', `${words} is a ${recorded} in payments`);
}

function missInLedger(id: string, movement: Movement, tell: Tell): void {
  if (movement.isCash || movement.isInLedger || movement.status !== 'SUCCEEDED') return;
  tell(
    'acquirer-agrees',
    `payment transaction ${id} (${movement.kind} of ${movement.amountMinor} ${movement.currency}) succeeded, and the acquirer has no such operation`,
  );
}

interface Known {
  movements: Map<string, Movement>;
  payments: Map<string, Payment>;
  reservations: Map<string, Held>;
  /** Sale by receipt number, by register. */
  receipts: Map<string, Map<number, string>>;
}

function compareSale(sale: SaleWitness, known: Known, tell: Tell): void {
  const { saleId, state } = sale;
  const isCompleted = state === 'COMPLETED';
  if (state === 'COMMITTING' || state === 'COMPENSATING') tell('all-settled', `sale ${saleId} is still ${state}`);
  else for (const tender of sale.tenders) compareTender(sale, tender, known, tell);
  if (isCompleted) compareTotals(sale, tell);
  else if (sale.receiptNumber)
    tell('receipts-gapless', `sale ${saleId} is ${state} and has receipt ${sale.registerId}/${sale.receiptNumber}`);
  compareStock(sale, known.reservations, tell);
  if (!isCompleted) return;
  if (!sale.receiptNumber) return tell('receipts-gapless', `completed sale ${saleId} has no receipt number`);
  const numbers = known.receipts.get(sale.registerId) ?? new Map<number, string>();
  known.receipts.set(sale.registerId, numbers);
  const other = numbers.get(sale.receiptNumber);
  if (other)
    tell('receipts-gapless', `sales ${other} and ${saleId} have the same receipt ${sale.registerId}/${sale.receiptNumber}`);
  numbers.set(sale.receiptNumber, saleId);
}

function compareTender(sale: SaleWitness, tender: TenderWitness, known: Known, tell: Tell): void {
  const words = `tender ${tender.tenderId} (${tender.method}, intent ${tender.intentId ?? 'none'}) of ${sale.state} sale ${sale.saleId}`;
  const payment = tender.intentId ? known.payments.get(tender.intentId) : undefined;
  if (payment) payment.isOfSale = true;
  const keptMinor = payment?.keptMinor ?? 0;
  const givenBackMinor = payment?.givenBackMinor ?? 0;
  const heldMinor = payment?.heldMinor ?? 0;
  if (sale.state !== 'COMPLETED' || tender.status !== 'SETTLED') {
    if (tender.status === 'SETTLED') tell('money-returned', `${words} is SETTLED`);
    if (keptMinor !== 0 || heldMinor !== 0)
      tell('money-returned', `${words} is ${tender.status}, and payments keeps ${keptMinor} and holds ${heldMinor} of it`);
    return;
  }
  if (tender.amountMinor === 0) return;
  if (payment?.takings !== 1) tell('tenders-paid', `${words} was paid ${payment?.takings ?? 0} times`);
  if (keptMinor + givenBackMinor !== tender.amountMinor)
    tell('tenders-paid', `${words} is ${tender.amountMinor}, and payments keeps ${keptMinor} of it`);
  if (givenBackMinor !== 0) tell('nothing-given-back', `${words} is ${tender.amountMinor}, and ${givenBackMinor} was given back`);
  if (heldMinor !== 0) tell('tenders-paid', `${words} still holds ${heldMinor} on the card`);
  if (payment && payment.currencies !== sale.currency) {
    tell('tenders-paid', `${words} is in ${sale.currency}, and was paid in ${payment.currencies || 'nothing'}`);
  }
  for (const id of tender.transactionIds) {
    const movement = known.movements.get(id);
    if (movement?.status !== 'SUCCEEDED' || movement.intentId !== tender.intentId) {
      tell(
        'tenders-paid',
        `${words} names transaction ${id}, which is ${movement?.status ?? 'unknown'} in payments, of intent ${movement?.intentId ?? 'none'}`,
      );
    }
  }
}

function compareTotals(sale: SaleWitness, tell: Tell): void {
  const paidMinor = sale.tenders
    .filter(({ status }) => status === 'SETTLED')
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0);
  if (paidMinor === sale.totalMinor + sale.roundingMinor) return;
  tell(
    'tenders-add-up',
    `completed sale ${sale.saleId} costs ${sale.totalMinor} with ${sale.roundingMinor} rounding, and its tenders pay ${paidMinor}`,
  );
}

function compareStock(sale: SaleWitness, reservations: Map<string, Held>, tell: Tell): void {
  const reservation = sale.reservationId ? reservations.get(sale.reservationId) : undefined;
  if (sale.state !== 'COMPLETED') return;
  const words = `completed sale ${sale.saleId} (reservation ${sale.reservationId ?? 'none'})`;
  if (!reservation) return tell('stock-consumed', `${words} has no reservation in inventory`);
  reservation.isOfSale = true;
  if (reservation.state !== 'CONSUMED') tell('stock-consumed', `${words} has its reservation ${reservation.state}`);
  if (reservation.reference !== `sale:${sale.saleId}`)
    tell('stock-consumed', `${words} has a reservation for ${reservation.reference}`);
  if (reservation.shopId !== sale.shopId)
    tell('stock-consumed', `${words} is of ${sale.shopId} and took stock of ${reservation.shopId}`);
  const sold = stockWords(sale.lines);
  const { taken } = reservation;
  if (sold !== taken) tell('stock-consumed', `${words} sold ${sold} and took ${taken}`);
}

/** Quantities by sku: a sale may have the same product in two lines. */
function stockWords(lines: readonly StockWitness[]): string {
  const quantities = new Map<string, number>();
  for (const { sku, quantity } of lines) quantities.set(sku, (quantities.get(sku) ?? 0) + quantity);
  const words = [...quantities].map(([sku, quantity]) => `${quantity} × ${sku}`);
  return words.sort().join(', ') || 'nothing';
}

/** A payment for a sale that no tender of that sale names must have come to nothing. */
function comparePayment(intentId: string, payment: Payment, tell: Tell): void {
  const { reference, keptMinor, heldMinor, isOfSale } = payment;
  if (isOfSale || !reference.startsWith('sale:') || (keptMinor === 0 && heldMinor === 0)) return;
  tell(
    'money-returned',
    `intent ${intentId} keeps ${keptMinor} and holds ${heldMinor} for ${reference}, which has no such tender`,
  );
}

/** A reservation for a sale that is not the one its completed sale took must have come to nothing. */
function compareReservation({ reservationId, reference, state, isOfSale }: Held, tell: Tell): void {
  if (isOfSale || !reference.startsWith('sale:') || state === 'RELEASED' || state === 'EXPIRED') return;
  tell('stock-released', `reservation ${reservationId} for ${reference} is ${state}, and no completed sale took it`);
}

function compareReceipts(registerId: string, numbers: Map<number, string>, tell: Tell): void {
  let last = 0;
  for (const number of numbers.keys()) last = Math.max(last, number);
  if (last === numbers.size) return;
  const missing: number[] = [];
  for (let number = 1; number < last; number++) if (!numbers.has(number)) missing.push(number);
  tell(
    'receipts-gapless',
    `register ${registerId} has ${numbers.size} receipts up to ${last}; missing: ${missing.slice(0, 10).join(', ')}`,
  );
}
