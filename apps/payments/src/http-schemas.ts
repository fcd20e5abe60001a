import { z } from 'zod';
import { holdsCardNumber } from '@kassa/check-digits';
import { pageOf, pageQuery } from '@kassa/http';
import { channels, intentStatuses } from './domain/intent.ts';
import { methods } from './domain/methods.ts';
import { kinds, statuses } from './domain/transaction.ts';

const intentId = '01990000-0000-7000-8000-000000000001';
const transactionId = '01990000-0000-7000-8000-000000000002';

/** A text that goes into the books. What looks like a card number must not get there by mistake. */
const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine((value) => !holdsCardNumber(value), 'must not hold a card number');

const amountMinor = () =>
  z.int().min(1).max(999_999_999_999).meta({ description: 'minor units: øre, cent; ISK has none', example: 129_900 });
const optionalAmount = () => amountMinor().optional().describe('minor units; absent: all there is');

export const CreateIntentBody = z
  .strictObject({
    reference: text(100).meta({ description: 'what is paid for', example: 'order:10042' }),
    country: z
      .string()
      .regex(/^[a-z]{2}$/, 'must be a country code in lower case')
      .meta({ example: 'dk' }),
    amountMinor: amountMinor(),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code')
      .meta({ example: 'DKK' }),
    captureMode: z
      .enum(['automatic', 'manual'])
      .default('automatic')
      .meta({ description: 'manual: confirm holds the amount, capture takes it' }),
  })
  .meta({ id: 'CreateIntent' });

export const ConfirmBody = z
  .strictObject({
    method: z.enum(methods).meta({ description: "terminal: the one of the caller's register", example: 'online' }),
    token: text(100)
      .optional()
      .meta({ description: "the card's token, for online; never a card number", example: 'tok_approve' }),
  })
  .meta({ id: 'ConfirmIntent' });

export const CaptureBody = z.strictObject({ amountMinor: optionalAmount() }).meta({ id: 'CaptureIntent' });
export const CancelBody = z.strictObject({}).meta({ id: 'CancelIntent' });
export const RefundBody = z.strictObject({ amountMinor: optionalAmount() }).meta({ id: 'RefundIntent' });

export const Transaction = z
  .object({
    id: z.string().meta({ example: transactionId }),
    kind: z.enum(kinds),
    status: z.enum(statuses).meta({ description: 'UNKNOWN: nobody knows yet. FAILED: known not to have happened' }),
    amountMinor: z.int(),
    currency: z.string(),
    method: z.enum(methods),
    declineCode: z.string().optional().meta({ example: 'insufficient-funds' }),
    authorisationCode: z.string().optional(),
    cardLabel: z.string().optional().meta({ description: 'what a receipt may show', example: 'Dankort •••• 4321' }),
    createdAt: z.string(),
  })
  .meta({ id: 'Transaction' });

const intent = {
  id: z.string().meta({ example: intentId }),
  status: z.enum(intentStatuses),
  nextAction: z.enum(['wait', 'ask-terminal', 'safe-to-retry']).optional().meta({
    description:
      'wait: do not take the money again, poll. ask-terminal: the same, its display may tell. safe-to-retry: no money moved',
  }),
  reference: z.string(),
  country: z.string(),
  channel: z.enum(['store', 'web']),
  shopId: z.string().optional(),
  method: z.enum(methods).optional(),
  captureMode: z.enum(['automatic', 'manual']),
  amountMinor: z.int(),
  currency: z.string(),
  authorisedMinor: z.int(),
  capturedMinor: z.int(),
  refundedMinor: z.int(),
  voidedMinor: z.int(),
  capturableMinor: z.int().meta({ description: 'what a capture may still take, what is under way counted as taken' }),
  refundableMinor: z.int(),
  expiresAt: z.string().optional().meta({ description: 'until when what is authorised can be captured' }),
  createdAt: z.string(),
};

export const Intent = z.object(intent).meta({ id: 'Intent' });
const declineCode = z
  .string()
  .optional()
  .meta({ description: 'of the last attempt, where the status is declined', example: 'expired-card' });
export const IntentDetail = z.object({ ...intent, declineCode, transactions: z.array(Transaction) }).meta({ id: 'IntentDetail' });
export const Payment = z
  .object({
    ...intent,
    declineCode,
    transaction: Transaction.optional().meta({ description: 'what this request did; absent where there was nothing to do' }),
  })
  .meta({ id: 'Payment' });
export const Refund = z
  .object({ ...Transaction.shape, intentId: z.string(), intentStatus: z.enum(intentStatuses) })
  .meta({ id: 'Refund' });

export const IntentPath = z.strictObject({ intentId: z.uuid() });
export const RefundPath = z.strictObject({ refundId: z.uuid() });
export const TransactionPath = z.strictObject({ transactionId: z.uuid() });
export const IntentsQuery = z.strictObject({
  ...pageQuery,
  reference: z.string().min(1).max(100).meta({ example: 'order:10042' }),
});
export const PageQuery = z.strictObject(pageQuery);
export const IdPosition = z.uuid();
export const Intents = pageOf(Intent).meta({ id: 'Intents' });

export const OpenTransactions = pageOf(
  z
    .object({
      transactionId: z.string(),
      intentId: z.string(),
      intentStatus: z.string(),
      kind: z.enum(kinds),
      status: z.enum(['INIT', 'UNKNOWN']).meta({ description: 'INIT: a worker is at it, or died; UNKNOWN: sent, no answer' }),
      method: z.string(),
      amountMinor: z.int(),
      currency: z.string(),
      reference: z.string(),
      shopId: z.string().optional(),
      attempts: z.int().meta({ description: 'how often the provider was asked' }),
      needsOperator: z
        .boolean()
        .meta({ description: 'asked often without an answer that tells, or the provider reported another amount' }),
      nextAttemptAt: z.string().optional(),
      note: z.string().optional(),
      since: z.string(),
    })
    .meta({ id: 'OpenTransaction' }),
).meta({ id: 'OpenTransactions' });

export const ResumeBody = z.strictObject({}).meta({ id: 'ResumeTransaction' });
export const ResolveBody = z
  .strictObject({
    outcome: z.enum(['succeeded', 'failed']),
    reason: text(500).meta({ example: 'The terminal printed an approval before it lost its line.' }),
    evidence: text(500).meta({
      description: 'what it rests on, so that someone else can look',
      example: 'acquirer statement 2026-03-02, line 118',
    }),
  })
  .meta({ id: 'ResolveTransaction' });

const lost = {
  transactionId: z.uuid().meta({ description: 'the id by which the provider knows it', example: transactionId }),
  intentId: z.uuid().meta({ description: 'the payment it belongs to', example: intentId }),
  amountMinor: amountMinor(),
  currency: CreateIntentBody.shape.currency,
  reason: text(500).meta({ example: 'The database was restored to 10:15; sales has receipt dk-001-01/4711 for it.' }),
};
const LostPayment = z.strictObject({
  ...lost,
  kind: z.enum(['PURCHASE', 'AUTHORISE']),
  method: z.enum(methods).meta({ example: 'terminal' }),
  reference: CreateIntentBody.shape.reference,
  country: CreateIntentBody.shape.country,
  channel: z.enum(channels).meta({ example: 'store' }),
  shopId: z.string().max(20).optional().meta({ description: 'whose money it is; absent for the web shop', example: 'dk-001' }),
  terminalId: text(100).optional().meta({ description: 'where a card was read in a shop', example: 'pos-dk-001-01' }),
});
const LostFollowUp = z.strictObject({ ...lost, kind: z.enum(['CAPTURE', 'VOID', 'REFUND']) });
export const AdoptBody = z.discriminatedUnion('kind', [LostPayment, LostFollowUp]).meta({ id: 'AdoptTransaction' });

export const Acts = pageOf(
  z
    .object({
      id: z.string(),
      act: z.enum(['resume', 'resolve', 'adopt']),
      transactionId: z.string(),
      actor: z.string(),
      outcome: z.string().optional(),
      reason: z.string().optional(),
      evidence: z.string().optional(),
      traceId: z.string(),
      at: z.string(),
    })
    .meta({ id: 'Act' }),
).meta({ id: 'Acts' });

export const AuditTransactions = pageOf(
  z
    .object({
      transactionId: z.string(),
      intentId: z.string(),
      kind: z.enum(kinds),
      status: z.enum(statuses),
      amountMinor: z.int(),
      currency: z.string(),
      method: z.enum(methods),
      providerKey: z.string().meta({ description: 'the id by which the provider knows it; empty for cash' }),
      reference: z.string(),
    })
    .meta({ id: 'AuditTransaction' }),
).meta({ id: 'AuditTransactions' });

/** The acquirer's test cards, as its GET /v1/test-cards answers them; a test asks it. */
export const testCards = `
| What happens                                                     | Card token (web)                 | Amount ends in (terminal) |
| ---------------------------------------------------------------- | -------------------------------- | ------------------------- |
| approved at once                                                 | \`tok_approve\`                    | anything else             |
| declined: insufficient-funds                                     | \`tok_decline_insufficient_funds\` | 5101                      |
| declined: expired-card                                           | \`tok_decline_expired_card\`       | 5102                      |
| declined: do-not-honour                                          | \`tok_decline_do_not_honour\`      | 5103                      |
| declined: lost-card                                              | \`tok_decline_lost_card\`          | 5104                      |
| approved, the answer comes late; until then a query says pending | \`tok_late\`                       | 5106                      |
| no answer ever, but the operation took place                     | \`tok_timeout_happened\`           | 5107                      |
| no answer ever, and nothing took place                           | \`tok_timeout_not_happened\`       | 5108                      |
| approved; then two events, the first of them delivered twice     | \`tok_event_twice\`                | 5109                      |
| approved; the event comes before the answer                      | \`tok_event_before_reply\`         | 5111                      |
| approved; the event comes after the answer                       | \`tok_event_after_reply\`          | 5112                      |
| approved; no answer ever, only the event                         | \`tok_event_only\`                 | 5113                      |
| 503, nothing took place                                          | \`tok_down\`                       | 5114                      |
| approved, but for one minor unit less than asked for             | \`tok_other_amount\`               | 5116                      |
| no answer ever, and it arrives a minute later unless closed      | \`tok_arrives_late\`               | 5117                      |
`.trim();
