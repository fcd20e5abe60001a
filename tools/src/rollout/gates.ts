import type { Gate } from '../deploy/waves.ts';
import { Failure } from '../failure.ts';
import type { Prometheus, Series } from './prometheus.ts';

export interface GateResult {
  wave: string;
  gate: string;
  verdict: Verdict;
  /** What it answered and what it must: `0.7012, at least 0.999`. */
  words: string;
}

/** `silent`: there is no number to judge, for want of traffic, of a series or of a Prometheus. It proves nothing, so it opens no gate. */
export type Verdict = 'green' | 'red' | 'silent';

/** Asks every gate of a wave, as of a moment. A gate that cannot be asked is silent. */
export async function askGates(
  prometheus: Prometheus | undefined,
  { wave, gates, namespace, at }: { wave: string; gates: Record<string, Gate>; namespace: string; at: Date },
): Promise<GateResult[]> {
  return Promise.all(
    Object.entries(gates).map(async ([name, gate]) => {
      const answer = await askGate(prometheus, gate.query.replaceAll('$namespace', namespace), at);
      return { wave, gate: name, ...judgeGate(gate, answer) };
    }),
  );
}

async function askGate(prometheus: Prometheus | undefined, query: string, at: Date): Promise<Series[] | string> {
  if (prometheus === undefined) return 'was not asked, since no Prometheus was named';
  try {
    return await prometheus.query(query, at);
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

/** Green only for one finite number on the right side of the bound; `answer` is the series, or why there are none. */
export function judgeGate(gate: Gate, answer: Series[] | string): { verdict: Verdict; words: string } {
  const silent = (words: string) => ({ verdict: 'silent' as const, words });
  if (typeof answer === 'string') return silent(answer);
  if (answer.length === 0) return silent('answers nothing, and silence proves nothing');
  if (answer.length > 1) return silent(`answers ${answer.length} series, and a gate is one number`);
  const text = answer[0]?.points.at(-1)?.[1] ?? 'NaN';
  const value = Number(text);
  if (!Number.isFinite(value)) return silent(`answers ${text}, which is no number to judge`);
  const [isGreen, bound] =
    'atLeast' in gate ? [value >= gate.atLeast, `at least ${gate.atLeast}`] : [value <= gate.atMost, `at most ${gate.atMost}`];
  return { verdict: isGreen ? 'green' : 'red', words: `${Number(value.toPrecision(4))}, ${bound}` };
}
