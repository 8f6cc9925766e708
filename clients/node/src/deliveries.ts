import type { Delivery } from "./gen/sioedge/v1/event_service";
import { awaits, Inbox, listens, receive } from "./inbox";
import { Done } from "./link/done";
import type { Outbox } from "./link/outbox";
import type { Sessions } from "./sessions";
import type { Socket } from "./socket";
import { Task, type TaskOwner } from "./task";
import { withTraceparent } from "./trace";

export { Task };

type AnySocket = Socket<any, any, any, any>;

/** How deliveries are handled. */
export interface DeliveryOptions {
  /** Start the listeners of an event without waiting for those of the one before. */
  concurrent: boolean;
  /** How long a callback may be outstanding before its delivery counts as done. */
  replyWithin: number;
  /** How often the edge is told that what runs still runs, in milliseconds. */
  extendEvery: number;
  onError: (err: unknown, event: string, socket: AnySocket | undefined) => void;
}

const HELD = 32; // of one socket; the edge hands out a bounded number for each session

/**
 * Takes deliveries to the listeners: those of one socket in order, those of different sockets side
 * by side. Settles each when its listeners have finished; hands it back when one throws.
 */
export class Deliveries implements TaskOwner {
  private readonly done = new Done();
  private readonly open = new Map<number, Task>(); // not over, by offset
  private generation = 0;
  private readonly sweeper: NodeJS.Timeout;

  constructor(
    private readonly outbox: Outbox,
    private readonly sessions: Sessions,
    private readonly options: DeliveryOptions,
  ) {
    this.sweeper = setInterval(() => this.sweep(), options.extendEvery);
  }

  /** How many deliveries are not over. */
  get pending(): number {
    return this.open.size;
  }

  close(): void {
    clearInterval(this.sweeper);
  }

  /** A stream was attached. */
  attached(sameLog: boolean): void {
    if (sameLog) return;
    this.done.clear();
    this.open.clear();
  }

  /** The stream ended: what has not begun comes again, here or in another process. */
  detached(): void {
    this.generation++;
    for (const task of this.open.values()) {
      if (task.startedAt === 0) this.drop(task);
    }
    this.sessions.each((socket) => {
      if (socket._inbox !== undefined) socket._inbox.waiting = [];
    });
  }

  /** Takes one delivery. */
  take(d: Delivery): void {
    const { event } = d;
    if (event === undefined) return this.outbox.settle(d.deliveryId);
    const { offset } = event;
    if (offset !== 0) {
      const running = this.open.get(offset);
      if (running !== undefined) return this.again(running, d.deliveryId);
      if (this.done.has(offset)) return this.repeat(d.deliveryId, this.done.answer(offset));
    }
    const task = new Task(d.deliveryId, this.generation, event, this);
    task.traceParent = d.traceParent;
    if (event.clientEvent === undefined) return this.life(task);
    const socket = this.sessions.find(event);
    if (socket !== undefined) return this.queue(socket, task);
    this.keep(task);
    this.sessions.missing(event, (found) => {
      if (task.generation !== this.generation) return this.drop(task);
      if (found === undefined) task.finish();
      else this.queue(found, task);
    });
  }

  /** Runs what a session waits for, whatever its listeners are doing: it is over. */
  release(socket: AnySocket): void {
    const inbox = socket._inbox;
    if (inbox === undefined) return;
    const { waiting, held } = inbox;
    inbox.waiting = [];
    inbox.held = [];
    for (const task of waiting) this.start(socket, task);
    for (const task of held) task.end();
  }

  answered(task: Task): void {
    if (task.generation === this.generation) this.send(task.answer, task.id);
  }

  finished(task: Task): void {
    this.done.add(task.event.offset, task.answer);
    this.open.delete(task.event.offset);
    if (task.generation === this.generation) this.outbox.settle(task.id);
  }

  failed(task: Task, err: unknown): void {
    const { event } = task;
    const socket = this.sessions.find(event);
    this.options.onError(err, nameOf(task), socket);
    this.drop(task);
    if (task.answer !== undefined) return this.finished(task); // the client has its answer: it is too late to try again
    if (task.generation !== this.generation) return;
    this.outbox.nack({ deliveryId: task.id, reason: String(err).slice(0, 512) });
    // The edge delivers what came after it again, too.
    if (socket === undefined) return;
    const inbox = (socket._inbox ??= new Inbox());
    let last = event.seq;
    for (const t of inbox.waiting) {
      last = Math.max(last, t.event.seq);
      this.drop(t);
    }
    inbox.waiting = [];
    inbox.refused = { generation: this.generation, seq: event.seq, last };
  }

  private queue(socket: AnySocket, task: Task): void {
    const inbox = socket._inbox;
    if (inbox?.refused !== undefined && !inbox.admits(task.generation, task.event.seq)) return this.drop(task);
    if (inbox === undefined || this.ready(socket, inbox, task)) return this.start(socket, task);
    inbox.waiting.push(task);
    this.keep(task);
  }

  private ready(socket: AnySocket, inbox: Inbox, task: Task): boolean {
    const { event } = task.event.clientEvent!;
    if (awaits(socket, event)) return true; // what runs may be waiting for just this
    if (inbox.opening && !listens(socket, event)) return false;
    return this.options.concurrent || (inbox.running === 0 && inbox.waiting.length === 0);
  }

  private start(socket: AnySocket, task: Task): void {
    if (task.over) return;
    task.startedAt = Date.now();
    let pending: Promise<unknown> | undefined;
    try {
      pending = task.traceParent === "" ? receive(socket, task) : withTraceparent(task.traceParent, () => receive(socket, task));
    } catch (err) {
      return task.fail(err);
    }
    if (pending === undefined) {
      if (task.finish()) this.held(socket, task);
      return;
    }
    this.keep(task);
    const inbox = (socket._inbox ??= new Inbox());
    inbox.running++;
    pending.then(
      () => {
        if (task.finish()) this.held(socket, task);
        this.next(socket, inbox);
      },
      (err) => {
        task.fail(err);
        this.next(socket, inbox);
      },
    );
  }

  private next(socket: AnySocket, inbox: Inbox): void {
    inbox.running--;
    this.resume(socket, inbox);
  }

  private resume(socket: AnySocket, inbox: Inbox): void {
    while (inbox.waiting.length > 0 && (inbox.running === 0 || this.options.concurrent)) {
      const { event } = inbox.waiting[0].event.clientEvent!;
      if (inbox.opening && !listens(socket, event)) return;
      this.start(socket, inbox.waiting.shift()!);
    }
  }

  // Everything but events of clients: what the session manager does with it, in order.
  private life(task: Task): void {
    task.startedAt = Date.now();
    let pending: Promise<unknown> | undefined;
    const { event } = task;
    try {
      pending = this.sessions.take(event, task);
    } catch (err) {
      return task.fail(err);
    }
    if (pending === undefined) {
      task.finish();
      return;
    }
    this.keep(task);
    const socket = event.opened ?? event.resumed ? this.sessions.find(event) : undefined;
    const inbox = socket && (socket._inbox ??= new Inbox());
    if (inbox) inbox.opening = true;
    const over = () => {
      if (!socket || !inbox) return;
      inbox.opening = false;
      this.resume(socket, inbox);
    };
    pending.then(() => task.finish(), (err) => task.fail(err)).finally(over);
  }

  private held(socket: AnySocket, task: Task): void {
    this.keep(task);
    const inbox = (socket._inbox ??= new Inbox());
    inbox.held = inbox.held.filter((t) => !t.over);
    inbox.held.push(task);
    if (inbox.held.length > HELD) inbox.held.shift()!.end();
  }

  private keep(task: Task): void {
    if (task.event.offset !== 0 && !task.over) this.open.set(task.event.offset, task);
  }

  private drop(task: Task): void {
    this.open.delete(task.event.offset);
  }

  // The event came again, as after a reconnect, while its listeners run.
  private again(task: Task, id: number): void {
    task.id = id;
    task.generation = this.generation;
    if (task.answer !== undefined) this.answered(task);
  }

  private repeat(id: number, answer: Task["answer"]): void {
    this.send(answer, id);
    this.outbox.settle(id);
  }

  private send(answer: Task["answer"], deliveryId: number): void {
    if (answer?.reply !== undefined) this.outbox.reply({ deliveryId, payload: answer.reply.payload });
    else if (answer?.decision !== undefined) this.outbox.answer({ decision: { ...answer.decision, deliveryId } });
  }

  // Tells the edge that what runs still runs, and gives up waiting for callbacks that do not come.
  private sweep(): void {
    const now = Date.now();
    const extend: number[] = [];
    for (const task of this.open.values()) {
      if (task.startedAt !== 0 && now - task.startedAt > this.options.replyWithin) {
        // A connection listener may run for as long as the session, and need not hold anything.
        if (task.event.opened ?? task.event.resumed) task.end();
        if (task.over || task.finishIfReturned()) continue;
      }
      if (task.generation === this.generation) extend.push(task.id);
    }
    if (extend.length > 0) this.outbox.extend(extend);
  }
}

function nameOf(task: Task): string {
  const { event } = task;
  if (event.clientEvent) return event.clientEvent.event;
  return event.connectRequested ? "middleware" : event.opened || event.resumed ? "connection" : "disconnect";
}
