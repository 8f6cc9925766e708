import { AsyncLocalStorage } from "node:async_hooks";

const followed = new AsyncLocalStorage<string>();
let ever = false; // whether anything was followed so far: until then nothing is looked up

/**
 * The W3C traceparent of what the listener that calls this is called for, empty if nobody follows
 * it. What is sent from such a listener, also later in its promises, carries it on, so that a trace
 * shows what came of an event. To put a span of one's own in between, with OpenTelemetry:
 *
 * ```ts
 * const parent = propagation.extract(ROOT_CONTEXT, { traceparent: traceparent() });
 * tracer.startActiveSpan("look up", {}, parent, (span) => {
 *   const carrier: { traceparent?: string } = {};
 *   propagation.inject(context.active(), carrier);
 *   withTraceparent(carrier.traceparent ?? "", () => socket.emit("said", text));
 *   span.end();
 * });
 * ```
 */
export function traceparent(): string {
  return ever ? (followed.getStore() ?? "") : "";
}

/** Calls f; what it sends carries the traceparent. */
export function withTraceparent<T>(parent: string, f: () => T): T {
  ever = true;
  return followed.run(parent, f);
}
