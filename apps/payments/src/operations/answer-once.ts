import type { Answer, Key } from '@kassa/idempotency';
import type { Asked } from '../domain/intent.ts';
import type { Begun, Movement } from '../store.ts';
import { getIntentForService } from './get-intent.ts';
import { conclude, refused, type Deps } from './settle-transaction.ts';

export interface OncePerKey {
  key: Key;
  intentId: string;
  asked: Asked;
  /** Begins the command and claims the key for its transaction, in one statement. */
  begin(): Promise<Begun>;
  /** The answer for where the command stands. 202 says that it is not done, and is not recorded. */
  answer(movement: Movement): Answer;
}

/**
 * A command with a client's Idempotency-Key: its transaction is begun once per key, and the answer is recorded once it is known. The same
 * key again gets that answer; before there is one it continues the same transaction, whoever began it.
 */
export function answerOnce(deps: Deps, command: OncePerKey): Promise<Answer> {
  const { key, intentId, asked, begin } = command;
  return deps.idempotency.once(
    key,
    async () => {
      const begun = await begin();
      if (begun.verdict === 'not-allowed') throw refused(await getIntentForService(deps, intentId), asked);
      return recorded(deps, command, await conclude(deps, begun, asked));
    },
    async (transactionId) => {
      const seen = await deps.store.find(transactionId);
      if (!seen) return recorded(deps, command, await getIntentForService(deps, intentId));
      return recorded(deps, command, await conclude(deps, { ...seen, verdict: 'seen' }, asked));
    },
  );
}

async function recorded(deps: Deps, { key, answer }: Pick<OncePerKey, 'key' | 'answer'>, movement: Movement): Promise<Answer> {
  const given = answer(movement);
  if (given.status !== 202) await deps.store.recordAnswer(key, given);
  return given;
}
