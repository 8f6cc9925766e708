import type { Command } from "../gen/sioedge/v1/command";
import { writeSubscribeRequest, type DeliveryRange, type Nack, type Reply, type SubscribeRequest } from "../gen/sioedge/v1/event_service";
import { traceparent } from "../trace";
import { type Init, Writer } from "../wire/index";
import { bytesOf } from "../payload";

type Request = Init<SubscribeRequest>;

/** A command to send. Those that are kept are sent again after a reconnect, with the same id. */
export interface Outgoing {
  command: Init<Command>;
  /** About how many bytes it takes. */
  size: number;
  /** False for what loses its worth when it cannot be sent now. */
  keep: boolean;
}

const MAX_ITEMS = 1024; // of one CommandBatch or ReplyBatch, by the contract
const MAX_BATCH = 512 << 10;

/** Bounds on what is kept for an edge that is away. */
export interface OutboxLimits {
  commands: number;
  bytes: number;
}

/**
 * What this process has to say to the edge. Everything that is said in one turn of the event loop
 * leaves in one write, in the order said: commands, replies, decisions; then what was handled.
 */
export class Outbox {
  private send: ((frames: Buffer) => void) | undefined;
  private readonly writer = new Writer(64 << 10);
  private scheduled = false;

  private requests: Request[] = [];
  // What the last of requests collects: neighbours of one kind share a message.
  private commands: Init<Command>[] | undefined;
  private replies: Init<Reply>[] | undefined;
  private batchBytes = 0;

  // Settled since the last flush.
  private done: { first: number; last: number }[] = [];
  private nacks: Init<Nack>[] = [];
  private told = 0; // heard up to here; 0: nothing since

  // Commands in order until the edge has confirmed them, by answering a heartbeat sent after them.
  private kept: Outgoing[] = [];
  private keptBytes = 0;
  private firstKept = 0; // index of kept[0] among all commands ever kept
  private nonce = 0;
  private beats: { nonce: number; upTo: number; reached: (() => void)[] }[] = [];
  private barriers: (() => void)[] = [];

  /** dropped is told of kept commands that fall out because the edge is away for too long. */
  constructor(
    private readonly limits: OutboxLimits,
    private readonly dropped: (commandId: string) => void,
  ) {}

  get attached(): boolean {
    return this.send !== undefined;
  }

  /** Whether everything said has reached the edge. */
  get idle(): boolean {
    return this.kept.length === 0 && !this.scheduled;
  }

  /** Queues a command. */
  command(out: Outgoing): void {
    const parent = traceparent();
    if (parent !== "") out.command.traceParent = parent;
    if (out.keep) {
      this.kept.push(out);
      this.keptBytes += out.size;
      if (this.send === undefined) this.bound();
    }
    if (this.send !== undefined) this.append(out);
  }

  /** Queues a reply. It is lost when the stream is; then its event comes again. */
  reply(reply: Init<Reply>): void {
    if (this.send === undefined) return;
    const size = 16 + bytesOf(reply.payload);
    if (this.replies === undefined || this.replies.length >= MAX_ITEMS || this.batchBytes + size > MAX_BATCH) {
      this.closeBatch();
      this.replies = [];
      this.requests.push({ replies: { replies: this.replies } });
    }
    this.replies.push(reply);
    this.batchBytes += size;
    this.schedule();
  }

  /** Queues a decision or what else answers an event. It is lost when the stream is, as a reply. */
  answer(request: Request): void {
    if (this.send === undefined) return;
    this.closeBatch();
    this.requests.push(request);
    this.schedule();
  }

  /** Settles a delivery. */
  settle(id: number): void {
    const last = this.done[this.done.length - 1];
    if (last !== undefined && id === last.last + 1) last.last = id;
    else this.done.push({ first: id, last: id });
    this.schedule();
  }

  /** Hands a delivery back. */
  nack(nack: Init<Nack>): void {
    this.nacks.push(nack);
    this.schedule();
  }

  /** Notes that what other processes said was heard up to an id. */
  heard(told: number): void {
    this.told = told;
    this.schedule();
  }

  /** Restarts the deadline of deliveries. */
  extend(ids: readonly number[]): void {
    const extend: Init<DeliveryRange>[] = ids.map((id) => ({ first: id, last: id }));
    this.answer({ ack: { extend } });
  }

  /** Calls reached once the edge has processed everything queued so far. */
  barrier(reached: () => void): void {
    this.barriers.push(reached);
    this.schedule();
  }

  /** The edge has answered a heartbeat. */
  progress(nonce: number): void {
    const i = this.beats.findIndex((b) => b.nonce === nonce);
    if (i < 0) return;
    const passed = this.beats.splice(0, i + 1);
    const n = passed[i].upTo - this.firstKept;
    if (n > 0) this.forget(n);
    for (const b of passed) for (const reached of b.reached) reached();
    if (this.kept.length > 0 && this.beats.length === 0) this.schedule();
  }

  /** Begins to send; what was not confirmed is sent again, first. */
  attach(send: (frames: Buffer) => void): void {
    this.detach();
    this.send = send;
    for (const out of this.kept) this.append(out);
    if (this.kept.length > 0 || this.barriers.length > 0) this.schedule();
  }

  /** Stops sending. Deliveries of the stream that ended cannot be settled any more. */
  detach(): void {
    this.send = undefined;
    this.requests = [];
    this.closeBatch();
    this.done = [];
    this.nacks = [];
    this.told = 0;
    for (const b of this.beats) this.barriers.push(...b.reached);
    this.beats = [];
  }

  /** Sends what is queued, now. */
  flush(): void {
    this.scheduled = false;
    const { send, writer } = this;
    if (send === undefined) return;
    this.closeBatch();
    const requests = this.requests;
    this.requests = [];
    for (const r of requests) writer.frame(writeSubscribeRequest, r);
    if (this.done.length > 0 || this.nacks.length > 0 || this.told > 0) {
      writer.frame(writeSubscribeRequest, { ack: { done: this.done, nacks: this.nacks, told: this.told } });
      this.done = [];
      this.nacks = [];
      this.told = 0;
    }
    if (this.barriers.length > 0 || (this.kept.length > 0 && this.beats.length === 0)) {
      this.beats.push({ nonce: ++this.nonce, upTo: this.firstKept + this.kept.length, reached: this.barriers });
      this.barriers = [];
      writer.frame(writeSubscribeRequest, { heartbeat: { nonce: this.nonce } });
    }
    if (writer.length > 0) send(writer.take());
  }

  private append(out: Outgoing): void {
    if (this.commands === undefined || this.commands.length >= MAX_ITEMS || this.batchBytes + out.size > MAX_BATCH) {
      this.closeBatch();
      this.commands = [];
      this.requests.push({ commands: { commands: this.commands } });
    }
    this.commands.push(out.command);
    this.batchBytes += out.size;
    this.schedule();
  }

  private closeBatch(): void {
    this.commands = undefined;
    this.replies = undefined;
    this.batchBytes = 0;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    // Not a microtask: handlers that were woken by the same message add to the same write.
    setImmediate(() => this.flush());
  }

  private bound(): void {
    while (this.kept.length > this.limits.commands || this.keptBytes > this.limits.bytes) {
      const { commandId } = this.kept[0].command;
      this.forget(1);
      this.dropped(commandId!);
    }
  }

  private forget(n: number): void {
    for (let i = 0; i < n; i++) this.keptBytes -= this.kept[i].size;
    this.kept.splice(0, n);
    this.firstKept += n;
  }
}
