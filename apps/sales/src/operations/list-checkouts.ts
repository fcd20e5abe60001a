import type { CheckoutSummary, Cut, Records } from '../store/records.ts';

/** Checkouts with something left to do, oldest first, at most limit + 1. `stuck` are those open longer than an operator should let them be. */
export async function listCheckouts(
  { records, now, settings }: { records: Pick<Records, 'listCheckouts'>; now(): Date; settings: { stuckAfterMs: number } },
  { state, cut }: { state: 'open' | 'stuck'; cut: Cut<[string, string]> },
): Promise<CheckoutSummary[]> {
  return records.listCheckouts(state === 'stuck' ? new Date(now().getTime() - settings.stuckAfterMs) : undefined, cut);
}
