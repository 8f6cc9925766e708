import {
  readSubscribeResponse,
  ResumeOutcome,
  writeSubscribeRequest,
  type Assignment,
  type ClientAckBatch,
  type CommandResultBatch,
  type DeliveryBatch,
  type GroupSpec,
  type Hello,
  type SessionChangeBatch,
  type Snapshot,
  type SubscribeResponse,
  type ToldBatch,
  type Welcome,
} from "../gen/sioedge/v1/event_service";
import { type Init, Reader, Writer } from "../wire/index";
import { Channel, Code, EdgeError, type Call, type Endpoint } from "./grpc";
import type { Outbox } from "./outbox";
import type { Status } from "./status";

/** What a link tells, in the order in which the edge told it. */
export interface LinkHandler {
  /** A stream is attached. knowsAll: nothing was missed; else a snapshot follows. */
  attached(welcome: Welcome, knowsAll: boolean): void;
  /** The stream ended: its delivery ids mean nothing any more. */
  detached(): void;
  deliveries(batch: DeliveryBatch): void;
  results(batch: CommandResultBatch): void;
  clientAcks(batch: ClientAckBatch): void;
  assignment(change: Assignment): void;
  snapshot(part: Snapshot): void;
  changes(batch: SessionChangeBatch): void;
  told(batch: ToldBatch): void;
}

/** How a member introduces itself, but for what changes from stream to stream. */
export type Introduction = Pick<Init<Hello>, "sdk" | "group" | "memberId" | "instanceId" | "flow">;

const SUBSCRIBE = "/sioedge.v1.EventService/Subscribe";
const FIRST_RETRY = 50;
const LAST_RETRY = 5_000;
const KEEPALIVE = 20_000;
const RENEW_WITHIN = 2_000;

/** Keeps one member attached: dials, introduces, resumes, and begins again when the stream ends. */
export class Link {
  private channel: Channel | undefined;
  private stream: Call | undefined;
  private welcome: Welcome | undefined;
  private offset = 0; // the highest Event.offset seen under welcome.logId
  private retry = FIRST_RETRY;
  private timer: NodeJS.Timeout | undefined;
  private closing = false;
  private detached = false; // the stream is there, but for what the edge still says only
  private ended: (() => void) | undefined;
  private told = ""; // the spec of the newest Hello

  constructor(
    private readonly endpoint: Endpoint,
    private readonly who: Introduction,
    private readonly spec: () => Init<GroupSpec>,
    private readonly handler: LinkHandler,
    private readonly outbox: Outbox,
    private readonly status: Status,
  ) {}

  /** Dials. */
  open(): void {
    if (this.closing) return;
    this.status._set({ state: "connecting" });
    let channel: Channel;
    try {
      channel = new Channel(this.endpoint, KEEPALIVE);
    } catch (err) {
      return this.away(new EdgeError((err as Error).message, Code.UNAVAILABLE)); // a file may be back soon
    }
    this.channel = channel;
    const stream = channel.call(
      SUBSCRIBE,
      (b) => this.receive(stream, readSubscribeResponse(new Reader(b), b.length)),
      (err) => this.lost(stream, err),
    );
    this.stream = stream;
    const w = new Writer(1024);
    const resume = this.welcome && { edgeId: this.welcome.edgeId, logId: this.welcome.logId, offset: this.offset };
    const spec = this.spec();
    this.told = JSON.stringify(spec);
    w.frame(writeSubscribeRequest, { hello: { ...this.who, protocolVersion: 1, spec, resume } });
    stream.write(w.take());
  }

  /**
   * Attaches anew if what the group wants has changed since Hello. Nothing is missed: the edge says
   * on the old stream what it still has to say, then ends it.
   */
  renew(): void {
    const { stream } = this;
    if (stream === undefined || !this.outbox.attached || this.closing || JSON.stringify(this.spec()) === this.told) return;
    this.outbox.flush();
    this.detach();
    stream.end();
    this.timer = setTimeout(() => this.lost(stream, null), RENEW_WITHIN);
  }

  /** Makes a unary call on the connection of the stream. */
  unary<Q, A>(method: string, write: (w: Writer, m: Q) => void, request: Q, read: (r: Reader, end: number) => A): Promise<A> {
    if (this.channel === undefined) return Promise.reject(new EdgeError("the edge is away", Code.UNAVAILABLE));
    return this.channel.unary(`/sioedge.v1.${method}`, write, request, read);
  }

  /** Ends the membership: no more events, sessions move to other members at once. */
  leave(): void {
    this.closing = true;
    clearTimeout(this.timer);
    if (this.outbox.attached) this.outbox.answer({ leave: {} });
  }

  /** Ends the stream and waits for the edge to end it too, at most for so long. */
  async close(withinMs: number): Promise<void> {
    this.closing = true;
    clearTimeout(this.timer);
    if (this.stream !== undefined && this.outbox.attached) {
      this.outbox.flush();
      const ended = new Promise<void>((resolve) => (this.ended = resolve));
      this.stream.end();
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([ended, new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)))]);
      clearTimeout(timer);
    }
    this.drop();
    this.status._set({ state: "closed" });
  }

  private receive(stream: Call, m: SubscribeResponse): void {
    if (stream !== this.stream) return;
    const { handler } = this;
    if (m.deliveries !== undefined) {
      if (this.detached) return; // they cannot be settled any more, and come again behind those before them
      const { deliveries } = m.deliveries;
      for (const d of deliveries) if (d.event !== undefined && d.event.offset > this.offset) this.offset = d.event.offset;
      handler.deliveries(m.deliveries);
    } else if (m.clientAcks !== undefined) handler.clientAcks(m.clientAcks);
    else if (m.results !== undefined) handler.results(m.results);
    else if (m.progress !== undefined) this.outbox.progress(m.progress.nonce);
    else if (m.snapshot !== undefined) handler.snapshot(m.snapshot);
    else if (m.assignment !== undefined) handler.assignment(m.assignment);
    else if (m.changes !== undefined) handler.changes(m.changes);
    else if (m.told !== undefined) handler.told(m.told);
    else if (m.welcome !== undefined) this.welcomed(stream, m.welcome);
    else if (m.draining !== undefined) {
      const within = m.draining.within;
      this.status.emit("draining", within ? within.seconds * 1000 + within.nanos / 1e6 : 0);
    }
  }

  private welcomed(stream: Call, welcome: Welcome): void {
    const before = this.welcome;
    if (before?.edgeId !== welcome.edgeId || before.logId !== welcome.logId) this.offset = 0;
    this.welcome = welcome;
    this.retry = FIRST_RETRY;
    const continued = welcome.resume === ResumeOutcome.CONTINUED;
    this.handler.attached(welcome, continued);
    this.outbox.attach((frames) => stream.write(frames));
    const resume = continued ? "continued" : welcome.resume === ResumeOutcome.SNAPSHOT ? "snapshot" : "fresh";
    this.status._set({ state: "attached", edgeId: welcome.edgeId, epoch: welcome.epoch, resume });
  }

  private lost(stream: Call, err: EdgeError | null): void {
    if (stream !== this.stream) return;
    const renewing = this.detached;
    clearTimeout(this.timer);
    this.drop();
    if (this.closing) {
      this.ended?.();
      return;
    }
    if (renewing && err === null) return this.open();
    const error = err ?? new EdgeError("the edge ended the stream", Code.UNAVAILABLE);
    if (error.reason === "FENCED") {
      this.status._set({ state: "fenced", error });
      return;
    }
    this.away(error);
  }

  private away(error: EdgeError): void {
    // Half of each pause is chance, so that the members of a group do not come back in step.
    const retryInMs = Math.round(this.retry * (0.5 + Math.random() / 2));
    this.retry = Math.min(this.retry * 2, LAST_RETRY);
    this.timer = setTimeout(() => this.open(), retryInMs);
    this.status._set({ state: "away", error, retryInMs });
  }

  private drop(): void {
    this.detach();
    this.detached = false;
    this.stream = undefined;
    this.channel?.close();
    this.channel = undefined;
  }

  // Says no more on the stream.
  private detach(): void {
    if (!this.outbox.attached) return;
    this.outbox.detach();
    this.handler.detached();
    this.detached = true;
  }
}
