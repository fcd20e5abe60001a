import { afterAll, beforeAll, expect, test } from 'vitest';
import { cable, openRoom, type Room } from './room.ts';

// What the database refuses, whoever writes it.

let room: Room;
let saleId: string;

beforeAll(async () => {
  room = await openRoom();
  const till = await room.as({ sub: 'employee-1', sid: 'desk' });
  saleId = (await till.post('/v1/sales', cable)).body.id;
  await room.db.query(
    `INSERT INTO sale_tenders (sale_id, tender_id, attempt, position, method, capture, amount_minor, tendered_minor, status)
     VALUES ($1, gen_random_uuid(), 1, 1, 'cash', 'purchase', 10, 10, 'PENDING')`,
    [saleId],
  );
  await room.db.query(
    `INSERT INTO checkouts (sale_id, attempt, phase, plan, key_scope, trace_id, instance, lease_until)
     VALUES ($1, 99, 'COMMITTING', '{}', 'k', 't', '/x', now() + interval '1 hour')`,
    [saleId],
  );
});
afterAll(() => room.close());

const completed = `state = 'COMPLETED', receipt_number = 1, receipt = '{}', completed_at = now()`;
const rules: [table: string, what: string, rule: string][] = [
  ['sales', `state = 'LOST'`, 'known_state'],
  ['sales', 'total_minor = -1', 'nothing_below_zero'],
  ['sales', 'change_minor = -1', 'nothing_below_zero'],
  ['sales', `${completed}, receipt_number = 0`.replace('receipt_number = 1, ', ''), 'receipt_numbers_from_one'],
  ['sales', 'receipt_number = 1', 'completed_with_a_receipt'],
  ['sales', completed.replace('receipt_number = 1, ', ''), 'completed_with_a_receipt'],
  ['sales', completed.replace(`receipt = '{}', `, ''), 'completed_with_a_receipt'],
  ['sales', completed.replace(', completed_at = now()', ''), 'completed_with_a_receipt'],
  ['sale_lines', 'quantity = 0, gross_minor = 0, net_minor = 0, vat_minor = 0', 'quantity_from_1_to_999'],
  ['sale_lines', 'quantity = 1000, gross_minor = 1000 * unit_minor', 'quantity_from_1_to_999'],
  ['sale_lines', 'unit_minor = -1', 'nothing_below_zero'],
  ['sale_lines', 'discount_minor = -1', 'nothing_below_zero'],
  ['sale_lines', 'vat_bp = -1', 'nothing_below_zero'],
  ['sale_lines', 'gross_minor = -1', 'nothing_below_zero'],
  ['sale_lines', 'gross_minor = gross_minor + 1', 'gross_is_quantity_times_price'],
  ['sale_lines', 'vat_minor = vat_minor + 1', 'gross_is_net_and_vat'],
  ['sale_tenders', `method = 'cheque'`, 'known_method'],
  ['sale_tenders', `capture = 'later'`, 'known_capture'],
  ['sale_tenders', `status = 'LOST'`, 'known_status'],
  ['sale_tenders', 'amount_minor = -1', 'nothing_below_zero'],
  ['sale_tenders', 'tendered_minor = 9', 'tendered_covers_amount'],
  ['checkouts', `phase = 'LOST'`, 'known_phase'],
  ['checkouts', 'lease_until = NULL', 'due_until_it_ends'],
  ['checkouts', `phase = 'ENDED', ended_at = now()`, 'due_until_it_ends'],
  ['checkouts', 'ended_at = now()', 'ended_with_its_time'],
];

test.each(rules)('%s with %s is refused by %s', async (table, what, rule) => {
  const id = table === 'sales' ? 'id' : 'sale_id';
  const changed = room.db.query(`UPDATE ${table} SET ${what} WHERE ${id} = $1`, [saleId]);
  await expect(changed).rejects.toMatchObject({ code: '23514', table, constraint: rule });
});

test.each(['sales', 'sale_lines', 'sale_tenders', 'checkouts'])('a new row of %s is held to its rules as well', async (table) => {
  const broken = {
    sales: { id: 'gen_random_uuid()', total_minor: '-1' },
    sale_lines: { line_id: 'gen_random_uuid()', quantity: '0' },
    sale_tenders: { tender_id: 'gen_random_uuid()', amount_minor: '-1' },
    checkouts: { attempt: '100', phase: `'LOST'` },
  }[table]!;
  const { rows } = await room.db.query<{ name: string }>(
    'SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1 AND table_schema = current_schema()',
    [table],
  );
  const values = rows.map(({ name }) => (broken as Record<string, string>)[name] ?? name);
  const copied = room.db.query(`INSERT INTO ${table} SELECT ${values.join(', ')} FROM ${table} LIMIT 1`);
  await expect(copied).rejects.toMatchObject({ code: '23514', table });
});
