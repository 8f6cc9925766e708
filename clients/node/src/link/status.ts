import { EventEmitter, on, once } from "node:events";

/** What the link to the edge is doing. */
export type LinkState =
  /** On the way to the edge, for the first time or again. */
  | "connecting"
  /** Events arrive and commands leave. */
  | "attached"
  /** The edge cannot be reached; commands are kept. */
  | "away"
  /** Another process with the same member id took over. This one does not come back by itself. */
  | "fenced"
  /** close() was called. */
  | "closed";

/** One change of the link. */
export interface LinkStatus {
  /** What the link is doing since then. */
  readonly state: LinkState;
  /** When it changed. */
  readonly at: Date;
  /** The edge, stable over its restarts. */
  readonly edgeId?: string;
  /** How often the edge has started; more than before means that it restarted meanwhile. */
  readonly epoch?: number;
  /** "fresh" or "snapshot": all sessions were told anew. "continued": nothing was missed. */
  readonly resume?: "fresh" | "continued" | "snapshot";
  /** Why the edge is away. */
  readonly error?: Error;
  /** When the next attempt is made. */
  readonly retryInMs?: number;
}

interface StatusEvents {
  change: [status: LinkStatus];
  draining: [withinMs: number];
  command_error: [error: Error];
}

/**
 * The link to the edge as a stream: listen to "change", or iterate.
 *
 * - `change`: the state changed.
 * - `draining`: the edge stops within so many milliseconds; the SDK attaches again by itself.
 * - `command_error`: the edge refused a command, such as an emit with too many attachments; or the
 *   command was dropped, with the reason DROPPED, because the edge was away for too long.
 */
export class Status extends EventEmitter<StatusEvents> implements AsyncIterable<LinkStatus> {
  /** The newest change. */
  current: LinkStatus = { state: "connecting", at: new Date() };

  /** @internal */
  _set(status: Omit<LinkStatus, "at">): void {
    this.current = { ...status, at: new Date() };
    this.emit("change", this.current);
  }

  /** Resolves when the link is attached; rejects when it never will be. */
  async attached(): Promise<LinkStatus> {
    for (;;) {
      const now = this.current;
      if (now.state === "attached") return now;
      if (now.state === "fenced" || now.state === "closed") throw now.error ?? new Error(`the link to the edge is ${now.state}`);
      await once(this, "change");
    }
  }

  /** Yields the state now and every change, until the link is closed or fenced. */
  async *[Symbol.asyncIterator](): AsyncIterator<LinkStatus> {
    const changes = on(this, "change");
    let next: LinkStatus = this.current;
    for (;;) {
      yield next;
      if (next.state === "closed" || next.state === "fenced") return;
      next = (await changes.next()).value[0];
    }
  }
}
