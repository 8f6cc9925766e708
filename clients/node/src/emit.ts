import type { Command, Emit, Target } from "./gen/sioedge/v1/command";
import { bytesOf, encodeArgs } from "./payload";
import { RESERVED } from "./events";
import { many, one, timedOut } from "./link/acks";
import type { Selection } from "./rooms";
import type { Init } from "./wire/index";
import type { Namespace } from "./namespace";

/** Modifiers of one emit. */
export interface Flags {
  volatile?: boolean;
  compress?: boolean;
  local?: boolean;
  timeout?: number;
}

type Callback = (...args: any[]) => void;

const NO_LIMIT = 600_000; // the longest that an edge waits for an acknowledgement
const BROADCAST_TIMEOUT = 10_000; // if none is given, as the contract says
// A name that may be the id of a socket of another process is looked up both as room and as sid.
const LIKE_SID = /^[A-Za-z0-9_-]{20,64}$/;

/** Throws for a name that clients take for something else. */
export function checkName(event: string | symbol): void {
  if (RESERVED.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
}

/** Says in the contract's words who is meant. */
export function toTarget(nsp: Namespace<any, any, any, any>, { rooms, except }: Selection): Init<Target> {
  const t = { namespace: nsp.name, rooms: [] as string[], sids: [] as string[], everyone: rooms.size === 0, exceptRooms: [] as string[], exceptSids: [] as string[] };
  split(nsp, rooms, t.rooms, t.sids);
  split(nsp, except, t.exceptRooms, t.exceptSids);
  return t;
}

/** Says that the sockets with these ids are meant. */
export function toSids(nsp: Namespace<any, any, any, any>, sids: readonly string[]): Init<Target> {
  return { namespace: nsp.name, sids };
}

function split(nsp: Namespace<any, any, any, any>, names: Iterable<string>, rooms: string[], sids: string[]): void {
  for (const given of names) {
    const name = String(given);
    rooms.push(name);
    if (LIKE_SID.test(name) || nsp.sockets.has(name)) sids.push(name);
  }
}

function toEmit(target: Init<Target> | undefined, event: string | symbol, args: unknown[], flags: Flags): Init<Emit> {
  const payload = encodeArgs(args);
  const emit: Init<Emit> = { target, event: String(event), payload, volatile: flags.volatile };
  if (flags.compress !== undefined) emit.compress = flags.compress;
  return emit;
}

function duration(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: Math.round((ms % 1000) * 1e6) };
}

function popCallback(args: unknown[]): Callback | undefined {
  return typeof args[args.length - 1] === "function" ? (args.pop() as Callback) : undefined;
}

/** An emit for the greeting of a client that is not connected yet. */
export function greeting(event: string | symbol, args: unknown[], flags: Flags): Init<Emit> {
  const callback = popCallback(args);
  if (callback !== undefined && flags.timeout !== undefined) setTimeout(() => callback(timedOut()), flags.timeout);
  return toEmit(undefined, event, args, flags);
}

/**
 * Emits to one socket. With a callback, it is called with the answer; with a timeout flag or
 * always, with an error first if none came.
 */
export function emitToOne(nsp: Namespace<any, any, any, any>, sid: string, event: string | symbol, args: unknown[], flags: Flags, errorFirst = flags.timeout !== undefined): void {
  const { server } = nsp;
  const callback = popCallback(args);
  const emit = toEmit(toSids(nsp, [sid]), event, args, flags);
  if (callback === undefined) {
    server._core.send(emit);
    return;
  }
  const wait = flags.timeout ?? NO_LIMIT;
  emit.ack = { timeout: duration(Math.min(Math.max(wait, 1), NO_LIMIT)) };
  const id = server._core.send(emit);
  let timer: NodeJS.Timeout | undefined;
  const sent = performance.now();
  if (flags.timeout !== undefined) timer = setTimeout(() => server._core.acks.end(id), flags.timeout);
  server._core.acks.add(
    id,
    one((err, answer) => {
      clearTimeout(timer);
      server._core.acks.forget(id);
      // The clock decides, not whether a busy process comes to the answer or to the timer first.
      if (err === null && flags.timeout !== undefined && performance.now() - sent > flags.timeout) err = timedOut();
      if (err !== null) {
        if (errorFirst) callback(err);
      } else if (errorFirst) callback(null, ...answer);
      else callback(...answer);
    }),
  );
}

/** Emits to a selection. With a callback, it is called with an error or null and the answers. */
export function emitToMany(nsp: Namespace<any, any, any, any>, to: Selection, event: string | symbol, args: unknown[], flags: Flags, single: boolean): void {
  const { server } = nsp;
  const callback = popCallback(args);
  let target = toTarget(nsp, to);
  if (flags.local) {
    const sids = [...nsp.adapter.select(to)];
    if (sids.length === 0) {
      if (callback !== undefined) process.nextTick(callback, null, single ? undefined : []);
      return;
    }
    target = toSids(nsp, sids);
  }
  const emit = toEmit(target, event, args, flags);
  if (callback === undefined) {
    server._core.send(emit);
    return;
  }
  const wait = flags.timeout ?? BROADCAST_TIMEOUT;
  emit.ack = { timeout: duration(Math.min(Math.max(wait, 1), NO_LIMIT)) };
  const id = server._core.send(emit);
  const timer = setTimeout(() => server._core.acks.end(id), wait);
  server._core.acks.add(
    id,
    many((err, responses) => {
      clearTimeout(timer);
      if (single) callback(err, err === null ? responses[0] : null);
      else callback(err, responses);
    }),
  );
}

/** About how many bytes a command takes on the wire. */
export function sizeOf({ emit, tell, answer }: Init<Command>): number {
  return 96 + (emit?.event?.length ?? 0) + bytesOf((emit ?? tell ?? answer)?.payload);
}
