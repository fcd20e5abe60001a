import {
  context,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type TextMapGetter,
  type TextMapSetter,
} from '@opentelemetry/api';
import { Status, type Metadata } from 'nice-grpc';

const tracer = trace.getTracer('kassa-grpc');

/** Both libraries' metadata take it. */
interface Settable {
  set(name: string, value: string): unknown;
}

const setter: TextMapSetter<Settable> = { set: (metadata, name, value) => void metadata.set(name, value) };
const getter: TextMapGetter<Metadata> = {
  get: (metadata, name) => metadata.get(name)?.toString(),
  keys: (metadata) => [...metadata].map(([name]) => name),
};

/** A call's span and the context it makes; without a span where the request is not sampled, whose trace id goes on all the same. */
export interface TracedCall {
  context: Context;
  end(status: Status): void;
}

/** A call this service makes. Only a sampled request has a span of its own for it. */
export function traceClientCall(path: string): TracedCall {
  const here = context.active();
  if (trace.getSpan(here)?.isRecording() !== true) return { context: here, end: () => undefined };
  return started(tracer.startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes: attributesOf(path) }, here), here);
}

/** A call this service answers, in the trace its caller names (W3C traceparent). */
export function traceServerCall(path: string, metadata: Metadata): TracedCall {
  const parent = propagation.extract(context.active(), metadata, getter);
  return started(tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, attributes: attributesOf(path) }, parent), parent);
}

/** Names the trace to whoever is called. */
export function injectTrace(from: Context, metadata: Settable): void {
  propagation.inject(from, metadata, setter);
}

/** Each step of the generator in a context: a generator runs where it is asked, and not where it was made. */
export async function* within<Item, Result>(
  where: Context,
  work: AsyncGenerator<Item, Result, undefined>,
): AsyncGenerator<Item, Result, undefined> {
  try {
    for (;;) {
      const step = await context.with(where, () => work.next());
      if (step.done === true) return step.value;
      yield step.value;
    }
  } finally {
    await work.return(undefined as Result);
  }
}

function started(span: Span, parent: Context): TracedCall {
  return {
    context: trace.setSpan(parent, span),
    end(status) {
      if (span.isRecording()) {
        span.setAttribute('rpc.response.status_code', Status[status]);
        if (status !== Status.OK) span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

function attributesOf(path: string): Record<string, string> {
  return { 'rpc.system.name': 'grpc', 'rpc.method': path.slice(1) };
}
