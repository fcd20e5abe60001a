import { z } from 'zod';
import { holdsCardNumber } from '@kassa/check-digits';
import { pageOf, pageQuery } from '@kassa/http';
import { kinds } from './domain/behaviour.ts';

const key = 'e0a0c0de-0001-7000-8000-000000000001';

const instrument = z
  .string()
  .min(1)
  .max(100)
  .refine((text) => !holdsCardNumber(text), 'must be a token or a terminal id, never a card number')
  .meta({ description: 'a terminal id, or the token of a card', example: 'pos-dk-001-01' });

export const OperationBody = z
  .strictObject({
    providerKey: z
      .uuid()
      .meta({ description: "the merchant's id of the operation; the same as in Idempotency-Key", example: key }),
    kind: z.enum(kinds),
    channel: z.enum(['online', 'terminal']),
    instrument,
    amountMinor: z.int().min(1).max(999_999_999_999).meta({ description: 'minor units: øre, cent', example: 129_900 }),
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code')
      .meta({ example: 'DKK' }),
    originalKey: z.uuid().optional().meta({ description: 'the authorise or purchase that a capture, refund or void belongs to' }),
  })
  .refine((body) => (body.kind === 'authorise' || body.kind === 'purchase') === (body.originalKey === undefined), {
    path: ['originalKey'],
    message: 'is for capture, refund and void, which need it',
  })
  .meta({ id: 'OperationRequest' });

export const Operation = z
  .object({
    providerKey: z.string(),
    kind: z.enum(kinds),
    status: z.enum(['pending', 'approved', 'declined']).meta({ description: 'pending: someone is typing a PIN; ask again' }),
    declineCode: z.string().optional(),
    authorisationCode: z.string().optional(),
    cardLabel: z.string().optional().meta({ example: 'Dankort •••• 4321' }),
    providerRef: z.string(),
    amountMinor: z.int().meta({ description: 'what was moved, or was to be' }),
    currency: z.string(),
    originalKey: z.string().optional(),
  })
  .meta({ id: 'Operation' });

export const Ledger = pageOf(Operation).meta({ id: 'Ledger' });
export const LedgerQuery = z.strictObject(pageQuery);
export const OperationParams = z.strictObject({ providerKey: z.uuid() });
export const LedgerPosition = z.object({ recordedIn: z.string().regex(/^\d{1,19}$/), sequence: z.int() });

export const TestCards = z
  .object({
    cards: z.array(
      z.object({
        sees: z.string(),
        steps: z.array(z.object({ kinds: z.array(z.enum(kinds)), token: z.string(), amountEndsIn: z.string().optional() })),
      }),
    ),
    markdown: z.string().meta({ description: 'the first step of each row, as a table' }),
  })
  .meta({ id: 'TestCards' });
