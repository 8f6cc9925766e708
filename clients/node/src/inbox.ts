import type { Task } from "./deliveries";
import { decodeArgs } from "./payload";
import type { Event, Socket } from "./socket";

/** What waits for the listeners of one socket, and what they are doing. */
export class Inbox {
  /** Deliveries in order. */
  waiting: Task[] = [];
  /** Deliveries whose listeners have not finished. */
  running = 0;
  /** The connection listeners have not finished: they may still add listeners. */
  opening = false;
  /** Deliveries whose listeners have returned, but may call back. */
  held: Task[] = [];
  /** What was handed back on this stream: the seq that must come first, and the last that was let pass by. */
  refused: { generation: number; seq: number; last: number } | undefined;

  /**
   * Whether an event is next in turn. After one was handed back, those that the edge had sent behind
   * it come again, after it; if one of them does without it, the edge has given it up.
   */
  admits(generation: number, seq: number): boolean {
    const r = this.refused;
    if (r === undefined) return true;
    if (r.generation === generation && seq > r.seq && seq > r.last) {
      r.last = seq;
      return false;
    }
    this.refused = undefined;
    return true;
  }
}

type AnySocket = Socket<any, any, any, any>;

/** Whether somebody listens to the event. */
export function listens(socket: AnySocket, event: string): boolean {
  return socket.listenerCount(event) > 0 || socket._any.all.length > 0 || socket._fns.length > 0;
}

/** Whether a listener waits for the next such event only, as a running listener does that awaits it. */
export function awaits(socket: AnySocket, event: string): boolean {
  return socket.rawListeners(event).some((fn) => "listener" in fn);
}

/**
 * Runs the middlewares and the listeners of an event from the client. Returns what they are still
 * doing and throws what they throw. The task is held when it is not over although everything has
 * returned: a middleware will call next, or a listener the callback, later.
 */
export function receive(socket: AnySocket, task: Task): Promise<unknown> | undefined {
  const event = task.event.clientEvent!;
  if (socket._ended || !listens(socket, event.event)) return undefined; // the arguments are not even parsed
  const args = decodeArgs(event.payload);
  const given = args.length;
  if (event.wantsReply) args.push(task.replier());
  const all = socket._any.all;
  if (all.length > 0) {
    const name = event.numericName ? Number(event.event) : event.event;
    for (const fn of all) fn.call(socket, name, ...args);
  }
  const fns = socket._fns;
  if (fns.length > 0) return pass(socket, task, fns, [event.event, ...args]);
  if (event.wantsReply && takesMore(socket, event.event, given)) task.awaitReply();
  return socket._run(event.event, args);
}

// A listener with no more parameters than arguments were given will not call back. One without
// any may collect them all.
function takesMore(socket: AnySocket, event: string, given: number): boolean {
  return socket.listeners(event).some((fn) => fn.length > given || fn.length === 0);
}

function pass(socket: AnySocket, task: Task, fns: AnySocket["_fns"], event: Event): Promise<unknown> | undefined {
  const pending: unknown[] = [];
  let returned = false;
  const end = (err?: Error): void => {
    const run = () => {
      if (err) return socket._run("error", [err]);
      if (!socket.connected) return undefined;
      const [name, ...args] = event;
      if (task.event.clientEvent!.wantsReply && takesMore(socket, name, args.length - 1)) task.awaitReply();
      return socket._run(name, args);
    };
    if (returned) return task.resume(run);
    try {
      const r = run();
      if (r !== undefined) pending.push(r);
    } catch (err) {
      pending.push(Promise.reject(err)); // not into the caller of next, who may be a timer
    }
    task.release();
  };
  const step = (i: number): void => {
    if (i === fns.length) return end();
    let called = false;
    const r: unknown = fns[i](event, (err) => {
      if (called) return;
      called = true;
      if (err) end(err);
      else step(i + 1);
    });
    if (typeof (r as PromiseLike<unknown> | undefined)?.then === "function") pending.push(r);
  };
  task.hold();
  step(0);
  if (pending.length === 0) {
    returned = true;
    return undefined;
  }
  return settleAll(pending).finally(() => (returned = true));
}

// A promise may add another while it is awaited: an async middleware that calls next late.
async function settleAll(pending: unknown[]): Promise<void> {
  for (const p of pending) await p;
}
