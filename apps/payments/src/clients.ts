import { createHmac, timingSafeEqual } from 'node:crypto';
import { request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { KassaError } from '@kassa/problem';
import type { Kind, ProviderAnswer, Transaction } from './domain/transaction.ts';

/**
 * Whoever moves money outside: an acquirer, a gateway, a wallet. An adapter to a real one (Stripe, Adyen, Vipps MobilePay) implements
 * these four, and may rely on nothing but them. What Kassa relies on: the provider does one operation per transaction id however often
 * it is told (an idempotency or merchant reference key), can be asked by that id what became of it, and can close it.
 */
export interface Provider {
  /** Names it in events and metrics. */
  name: string;
  /** Tells it to do what the transaction says. Never throws: whatever goes wrong is an answer that says what is known. */
  perform(transaction: Transaction): Promise<ProviderAnswer>;
  /** Asks what became of a transaction. Never throws, and changes nothing. */
  inquire(transaction: Pick<Transaction, 'id'>): Promise<ProviderAnswer>;
  /**
   * Asks what became of a transaction and, where nothing did, closes its id: an instruction that arrives later is refused. Undoes nothing.
   * It is the timeout reversal of a card network (ISO 8583 0400), or the cancel of a payment that was never confirmed. Never throws.
   */
  close(transaction: Transaction): Promise<ProviderAnswer>;
  /**
   * Checks and reads an event the provider sent. Undefined where it is not about an operation.
   * Errors: signature-invalid, also where it is older or newer than five minutes; malformed-request.
   */
  readEvent(headers: Headers, body: Buffer, now: Date): ProviderEvent | undefined;
}

export interface ProviderEvent {
  /** The provider's id of the event: the same one may come again. */
  id: string;
  transactionId: string;
  answer: ProviderAnswer;
}

export type Headers = Record<string, string | string[] | undefined>;

export interface AcquirerOptions {
  /** Base address, such as http://acquirer:8080. */
  url: string;
  apiKey: () => string;
  /** Keys events may be signed with: two while the key is being changed. */
  webhookSecrets: () => string[];
  /** How long an instruction may take, by method. */
  timeoutMs: Record<Transaction['method'], number>;
  /** How long a question may take. */
  inquiryTimeoutMs: number;
  /** How long to go on trying to get a connection at all. */
  connectMs: number;
}

/** The acquirer's HTTP API as a Provider; its connections are kept alive. */
export function createAcquirer(options: AcquirerOptions): Provider {
  const headers = () => ({ authorization: `Bearer ${options.apiKey()}`, 'content-type': 'application/json' });
  const base = options.url.replace(/\/$/, '');
  const operations = `${base}/v1/operations`;
  const instruction = (transaction: Transaction): Asked => ({
    method: 'POST',
    headers: { ...headers(), 'idempotency-key': transaction.id },
    body: JSON.stringify(toOperation(transaction)),
  });

  return {
    name: 'acquirer',

    async perform(transaction) {
      const timeoutMs = options.timeoutMs[transaction.method];
      const asked = instruction(transaction);
      const giveUpAtMs = performance.now() + Math.min(options.connectMs, timeoutMs);
      for (;;) {
        const answer = await call(operations, asked, timeoutMs);
        if (answer.outcome !== 'not-sent' || !answer.isUnreachable || performance.now() >= giveUpAtMs) return answer;
        // Nothing was sent, so a provider that restarts is waited for, as long as a person would.
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },

    inquire: ({ id }) => call(`${operations}/${id}`, { method: 'GET', headers: headers() }, options.inquiryTimeoutMs),
    close: (transaction) => call(`${base}/v1/closures`, instruction(transaction), options.inquiryTimeoutMs),

    readEvent(given, body, now) {
      const id = checkSignature(given, body, now, options.webhookSecrets().map(secretBytes));
      const event = Event.safeParse(parseJson(body));
      if (!event.success) return undefined;
      const { operation } = event.data;
      return { id, transactionId: operation.providerKey, answer: toAnswer(operation) };
    },
  };
}

const Operation = z.object({
  providerKey: z.uuid(),
  kind: z
    .enum(['authorise', 'purchase', 'capture', 'void', 'refund'])
    .transform((kind) => kind.toUpperCase() as Kind)
    .optional(),
  status: z.enum(['pending', 'approved', 'declined']),
  declineCode: z.string().optional(),
  authorisationCode: z.string().optional(),
  cardLabel: z.string().optional(),
  providerRef: z.string(),
  amountMinor: z.int(),
  currency: z.string(),
});

const Event = z.object({ type: z.literal('operation.updated'), operation: Operation });

const kindAtAcquirer: Record<Kind, string> = {
  AUTHORISE: 'authorise',
  PURCHASE: 'purchase',
  CAPTURE: 'capture',
  VOID: 'void',
  REFUND: 'refund',
};

function toOperation({ id, kind, method, instrument, amountMinor, currency, originalId }: Transaction) {
  return {
    providerKey: id,
    kind: kindAtAcquirer[kind],
    channel: method === 'terminal' ? 'terminal' : 'online',
    instrument,
    amountMinor,
    currency,
    ...(originalId === undefined ? {} : { originalKey: originalId }),
  };
}

function toAnswer({
  kind,
  status,
  declineCode,
  providerRef,
  amountMinor,
  currency,
  authorisationCode,
  cardLabel,
}: z.infer<typeof Operation>): ProviderAnswer {
  const what = kind === undefined ? {} : { kind };
  if (status === 'pending') return { outcome: 'pending' };
  if (status === 'declined' && declineCode === 'closed') return { outcome: 'closed' };
  if (status === 'declined') return { outcome: 'declined', ...what, declineCode: declineCode ?? 'declined', providerRef };
  return {
    outcome: 'approved',
    ...what,
    providerRef,
    amountMinor,
    currency,
    ...(authorisationCode === undefined ? {} : { authorisationCode }),
    ...(cardLabel === undefined ? {} : { cardLabel }),
  };
}

type Asked = Pick<Dispatcher.RequestOptions, 'method' | 'headers' | 'body'>;

type CallAnswer = ProviderAnswer & { isUnreachable?: boolean };

/** One request, and what its end says of the operation. */
async function call(address: string, asked: Asked, timeoutMs: number): Promise<CallAnswer> {
  let status: number;
  let text: string;
  try {
    const response = await request(address, { ...asked, signal: AbortSignal.timeout(timeoutMs) });
    status = response.statusCode;
    text = await response.body.text();
  } catch (error) {
    if (isNeverConnected(error)) return { outcome: 'not-sent', note: 'the provider cannot be reached', isUnreachable: true };
    return { outcome: 'unclear', note: isTimeout(error) ? `no answer within ${timeoutMs} ms` : 'the connection broke' };
  }
  return readReply(status, text);
}

/** Refusals of the request as such, which a provider gives before it looks at the operation. Not 422: that is a used key. */
const refusedUnseen = [400, 401, 403, 405, 413, 415, 429];

function readReply(status: number, text: string): CallAnswer {
  const body = parseJson(text);
  if (status === 200) {
    const operation = Operation.safeParse(body);
    return operation.success ? toAnswer(operation.data) : { outcome: 'unclear', note: 'the provider answered something else' };
  }
  // A proxy or a wrong address says 404 as well, and knows nothing of operations: only the provider's own words count.
  if (status === 404 && (body as { code?: unknown } | undefined)?.code === 'not-found') return { outcome: 'not-found' };
  if (refusedUnseen.includes(status)) return { outcome: 'not-sent', note: `the provider refused the request with ${status}` };
  return { outcome: 'unclear', note: `the provider answered ${status}` };
}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}

/** True where no connection came to be, so that not a byte was sent. Any later failure may have happened on the way back. */
function isNeverConnected(error: unknown): boolean {
  const causes = (error as { errors?: NodeJS.ErrnoException[] }).errors ?? [error as NodeJS.ErrnoException];
  const isFromConnecting = ({ syscall, code }: NodeJS.ErrnoException) =>
    syscall === 'connect' || syscall === 'getaddrinfo' || code === 'UND_ERR_CONNECT_TIMEOUT';
  return causes.length > 0 && causes.every(isFromConnecting);
}

/** Standard Webhooks: `whsec_` and base64. A secret written otherwise is taken as it is. */
function secretBytes(secret: string): Buffer {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret);
}

const toleranceMs = 5 * 60_000;

/** Standard Webhooks v1.0.0: HMAC-SHA256 over `id.timestamp.body`; any of the signatures may fit any of our secrets. Answers the id. */
function checkSignature(headers: Headers, body: Buffer, now: Date, secrets: Buffer[]): string {
  const header = (name: string) => String(headers[`webhook-${name}`] ?? '');
  const [id, timestamp, signatures] = [header('id'), header('timestamp'), header('signature')];
  if (!/^[\x21-\x7e]{1,200}$/.test(id) || !/^\d{1,12}$/.test(timestamp) || signatures === '') {
    throw new KassaError('signature-invalid', { detail: 'Send webhook-id, webhook-timestamp and webhook-signature.' });
  }
  if (Math.abs(now.getTime() - Number(timestamp) * 1000) > toleranceMs) {
    throw new KassaError('signature-invalid', {
      detail: 'The event was signed more than five minutes ago, or ahead of our clock.',
    });
  }
  const given = signatures
    .split(' ')
    .flatMap((signature) => (signature.startsWith('v1,') ? [Buffer.from(signature.slice(3), 'base64')] : []));
  const isSigned = secrets.some((secret) => {
    const wanted = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest();
    return given.some((signature) => signature.length === wanted.length && timingSafeEqual(signature, wanted));
  });
  if (!isSigned) throw new KassaError('signature-invalid');
  return id;
}

function parseJson(text: string | Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch {
    // Not JSON is not an answer of the provider's; the caller says what that means.
    return undefined;
  }
}
