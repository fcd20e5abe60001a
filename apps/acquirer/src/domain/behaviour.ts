/** When the reply to the request leaves, if it does. */
export type Reply = 'now' | 'late' | 'never';

/** One event the acquirer sends about the operation: before or after its reply, and how often the same event is delivered. */
export interface PlannedEvent {
  when: 'before-reply' | 'after-reply';
  copies: number;
}

export interface Behaviour {
  /** What a card token ends in, e.g. `tok_timeout_happened`. */
  name: string;
  /** The last two digits of a terminal amount that ask for it; absent where any other amount does. Never a multiple of five, as prices are. */
  digits?: string;
  /** What the caller sees, for the table people read. */
  sees: string;
  /** Whether the operation takes place, and with which outcome. */
  outcome: 'approved' | 'declined' | 'nothing';
  /** ISO 8583 reason in words, where declined. */
  declineCode?: string;
  reply: Reply;
  events: readonly PlannedEvent[];
  /** True where the acquirer is down: 503 and nothing is recorded. */
  isDown?: true;
  /** True where another amount is moved than was asked for. */
  takesOtherAmount?: true;
  /** True where it reaches us only long after it was sent, when the merchant no longer waits for an answer. */
  arrivesLate?: true;
}

const none: readonly PlannedEvent[] = [];
const decline = (name: string, digits: string, declineCode: string, sees: string): Behaviour => ({
  name,
  digits,
  sees,
  outcome: 'declined',
  declineCode,
  reply: 'now',
  events: none,
});
const approve = (name: string, digits: string, sees: string, reply: Reply, events: readonly PlannedEvent[]): Behaviour => ({
  name,
  digits,
  sees,
  outcome: 'approved',
  reply,
  events,
});

/** Every way in which the simulated card world answers. Rows are added, never changed: tests and demos of others rely on them. */
export const behaviours: readonly Behaviour[] = [
  { name: 'approve', sees: 'approved at once', outcome: 'approved', reply: 'now', events: none },
  decline('decline_insufficient_funds', '01', 'insufficient-funds', 'declined: insufficient-funds'),
  decline('decline_expired_card', '02', 'expired-card', 'declined: expired-card'),
  decline('decline_do_not_honour', '03', 'do-not-honour', 'declined: do-not-honour'),
  decline('decline_lost_card', '04', 'lost-card', 'declined: lost-card'),
  approve('late', '06', 'approved, the answer comes late; until then a query says pending', 'late', none),
  approve('timeout_happened', '07', 'no answer ever, but the operation took place', 'never', none),
  {
    name: 'timeout_not_happened',
    digits: '08',
    sees: 'no answer ever, and nothing took place',
    outcome: 'nothing',
    reply: 'never',
    events: none,
  },
  approve('event_twice', '09', 'approved; then two events, the first of them delivered twice', 'now', [
    { when: 'after-reply', copies: 2 },
    { when: 'after-reply', copies: 1 },
  ]),
  approve('event_before_reply', '11', 'approved; the event comes before the answer', 'now', [
    { when: 'before-reply', copies: 1 },
  ]),
  approve('event_after_reply', '12', 'approved; the event comes after the answer', 'now', [{ when: 'after-reply', copies: 1 }]),
  approve('event_only', '13', 'approved; no answer ever, only the event', 'never', [{ when: 'after-reply', copies: 1 }]),
  { name: 'down', digits: '14', sees: '503, nothing took place', outcome: 'nothing', reply: 'now', events: none, isDown: true },
  {
    name: 'other_amount',
    digits: '16',
    sees: 'approved, but for one minor unit less than asked for',
    outcome: 'approved',
    reply: 'now',
    events: none,
    takesOtherAmount: true,
  },
  {
    name: 'arrives_late',
    digits: '17',
    sees: 'no answer ever, and it arrives a minute later unless closed',
    outcome: 'approved',
    reply: 'never',
    events: none,
    arrivesLate: true,
  },
];

/** What an operation does with money. Authorise and purchase begin a payment; the others name the operation they follow. */
export const kinds = ['authorise', 'purchase', 'capture', 'refund', 'void'] as const;
export type Kind = (typeof kinds)[number];

interface Stage {
  /** Stands between `tok_` and the behaviour's name. */
  infix: string;
  /** The two digits before the behaviour's own, in a terminal amount. */
  digits: string;
}

/** Each step of a payment has test cards of its own, so that e.g. an authorisation succeeds and its capture times out. */
export const stages: Record<Kind, Stage> = {
  authorise: { infix: '', digits: '51' },
  purchase: { infix: '', digits: '51' },
  capture: { infix: 'capture_', digits: '52' },
  refund: { infix: 'refund_', digits: '53' },
  void: { infix: 'void_', digits: '54' },
};

const [approval] = behaviours as [Behaviour];
/** A token nobody issued. */
const invalidToken = decline('invalid_token', '', 'invalid-token', 'declined: invalid-token');
const byToken = new Map(
  kinds.flatMap((kind) =>
    behaviours.map((behaviour) => [tokenOf(kind, behaviour), { stage: stages[kind].infix, behaviour }] as const),
  ),
);

/** What happens to a request: on the web by the card's token, at a terminal by the last four digits of the amount in minor units. */
export function behaviourOf(request: {
  kind: Kind;
  channel: 'online' | 'terminal';
  instrument: string;
  amountMinor: number;
}): Behaviour {
  const stage = stages[request.kind];
  if (request.channel === 'online') {
    const row = byToken.get(request.instrument);
    if (row === undefined) return invalidToken;
    return row.stage === stage.infix ? row.behaviour : approval;
  }
  const digits = String(request.amountMinor % 10_000).padStart(4, '0');
  return behaviours.find((row) => row.digits !== undefined && stage.digits + row.digits === digits) ?? approval;
}

function tokenOf(kind: Kind, behaviour: Behaviour): string {
  return `tok_${stages[kind].infix}${behaviour.name}`;
}

/** One row of the table people read: for each step, the token and the ending of the amount that make it happen. */
export interface TestCard {
  sees: string;
  steps: { kinds: Kind[]; token: string; amountEndsIn?: string }[];
}

/** The table of test cards, one row a behaviour. */
export function testCards(): TestCard[] {
  const columns: Kind[][] = [['authorise', 'purchase'], ['capture'], ['refund'], ['void']];
  return behaviours.map((behaviour) => ({
    sees: behaviour.sees,
    steps: columns.map((column) => {
      const [kind] = column as [Kind];
      const ending = behaviour.digits === undefined ? {} : { amountEndsIn: stages[kind].digits + behaviour.digits };
      return { kinds: column, token: tokenOf(kind, behaviour), ...ending };
    }),
  }));
}

/** The same table in Markdown, its columns aligned, as it stands in the README and on the Swagger pages. */
export function testCardsMarkdown(cards: readonly TestCard[]): string {
  const head = ['What happens', 'Card token (web)', 'Amount ends in (terminal)'];
  const rows = cards.map(({ sees, steps: [first] }) => [sees, `\`${first?.token}\``, first?.amountEndsIn ?? 'anything else']);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: string[], fill: string) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |`;
  return [
    line(head, ' '),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((row) => line(row, ' ')),
  ].join('\n');
}
