import { z } from 'zod';
import { Failure } from '../failure.ts';

/** One series of an answer. Times are Unix seconds; values are Prometheus's text, which has NaN and +Inf. */
export interface Series {
  labels: Record<string, string>;
  points: [at: number, value: string][];
}

/** A Prometheus, or what speaks like one and sees every cluster. Each function throws Failure where no answer can be trusted. */
export interface Prometheus {
  address: string;
  query(promql: string, at: Date): Promise<Series[]>;
  range(promql: string, window: { from: number; to: number; step: number }): Promise<Series[]>;
}

const point = z.tuple([z.number(), z.string()]);
const metric = z.record(z.string(), z.string());
const answer = z.object({
  status: z.literal('success'),
  warnings: z.array(z.string()).optional(),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('vector'), result: z.array(z.object({ metric, value: point })) }),
    z.object({ resultType: z.literal('matrix'), result: z.array(z.object({ metric, values: z.array(point) })) }),
    z.object({ resultType: z.literal('scalar'), result: point }),
  ]),
});

const timeoutMs = 15_000;

/** `token` is sent as a bearer token, where one is given. */
export function prometheusAt(address: string, token?: string): Prometheus {
  if (!URL.canParse(address)) throw new Failure(`${address} is no address of a Prometheus; say it as http://host:9090.`);
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const ask = async (path: string, parameters: Record<string, string>): Promise<Series[]> =>
    seriesOf(address, await post(address, path, { body: new URLSearchParams(parameters), headers }));
  return {
    address,
    query: (promql, at) => ask('query', { query: promql, time: String(at.getTime() / 1000) }),
    range: (promql, { from, to, step }) =>
      ask('query_range', { query: promql, start: String(from), end: String(to), step: String(step) }),
  };
}

async function post(address: string, path: string, request: RequestInit): Promise<unknown> {
  try {
    const url = `${address.replace(/\/$/, '')}/api/v1/${path}`;
    const response = await fetch(url, { ...request, method: 'POST', signal: AbortSignal.timeout(timeoutMs) });
    if (response.status === 401 || response.status === 403)
      throw new Failure(`${address} lets nobody in without a token it knows, in KASSA_PROMETHEUS_TOKEN`);
    const text = await response.text();
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (error instanceof SyntaxError) throw new Failure(`${address} does not answer as Prometheus does`);
    const reason = (error as Error).name === 'TimeoutError' ? `within ${timeoutMs / 1000} s` : `(${causeOf(error)})`;
    throw new Failure(`${address} cannot be reached ${reason}`);
  }
}

const causeOf = (error: unknown) => {
  const { cause, message } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? message;
};

/** Half an answer, as a federated query gives when one cluster is away, comes with a warning and is none. */
function seriesOf(address: string, body: unknown): Series[] {
  const parsed = answer.safeParse(body);
  if (!parsed.success)
    throw new Failure(`${address} says ${(body as { error?: string } | null)?.error ?? 'what Prometheus never says'}`);
  const { data } = parsed.data;
  // Some versions put remarks on a query among the warnings.
  const warnings = parsed.data.warnings?.filter((warning) => !warning.startsWith('PromQL info')) ?? [];
  if (warnings.length > 0) throw new Failure(`${address} answers with a warning: ${warnings.join('; ')}`);
  if (data.resultType === 'scalar') return [{ labels: {}, points: [data.result] }];
  if (data.resultType === 'vector') return data.result.map(({ metric: labels, value }) => ({ labels, points: [value] }));
  return data.result.map(({ metric: labels, values }) => ({ labels, points: values }));
}
