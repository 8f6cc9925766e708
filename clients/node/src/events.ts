import { EventEmitter } from "node:events";

/** Names of events and the listeners that take them. */
export interface EventsMap {
  [event: string]: any;
}

/** Every name, any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

type Fn = (...args: any[]) => any;
type Params<F> = F extends (...args: infer P) => any ? P : never;
type IsAny<T> = 0 extends 1 & T ? true : false;
type Final<T extends unknown[]> = Required<T> extends [...unknown[], infer L] ? L : T extends (infer E)[] ? E : never;
type Rest<T extends any[]> = T extends [...infer H, any] ? H : T extends [...infer H, any?] ? H : any[];

/** Whether the last parameter of a listener is an acknowledgement; "maybe" for untyped events. */
type Acks<F> = IsAny<F> extends true
  ? "maybe"
  : Params<F> extends []
    ? "no"
    : IsAny<Final<Params<F>>> extends true
      ? "maybe"
      : Final<Params<F>> extends Fn
        ? "yes"
        : "no";

/** The names in a map. */
export type EventNames<M extends EventsMap> = keyof M & (string | symbol);

/** The parameters of one event. */
export type EventParams<M extends EventsMap, E extends EventNames<M>> = Parameters<M[E]>;

/** The names of events with an acknowledgement. */
export type EventNamesWithAck<M extends EventsMap, K extends EventNames<M> = EventNames<M>> = K extends unknown
  ? Acks<M[K]> extends "no"
    ? never
    : K
  : never;

/** The names of events whose acknowledgement gets an error first, as after timeout(). */
export type EventNamesWithError<M extends EventsMap, K extends EventNamesWithAck<M> = EventNamesWithAck<M>> = K extends unknown
  ? Acks<M[K]> extends "maybe"
    ? K
    : Final<Params<M[K]>> extends (err: infer E, ...rest: any[]) => any
      ? IsAny<E> extends true
        ? K
        : E extends Error
          ? K
          : never
      : never
  : never;

/** The names of events without one. */
export type EventNamesWithoutAck<M extends EventsMap, K extends EventNames<M> = EventNames<M>> = K extends unknown
  ? Acks<M[K]> extends "yes"
    ? never
    : K
  : never;

/** The parameters of an event before its acknowledgement. */
export type ParamsBeforeAck<M extends EventsMap, E extends EventNames<M>> = Rest<Parameters<M[E]>>;

/** What an acknowledgement answers: its first argument that is no error. */
export type AckAnswer<M extends EventsMap, E extends EventNames<M>> = Final<Parameters<M[E]>> extends infer C
  ? IsAny<C> extends true
    ? any
    : C extends (...args: infer P) => any
      ? P[0] extends Error
        ? P[1]
        : P[0]
      : any
  : never;

type TimedAck<F> = F extends (...args: infer P) => infer R ? (P[0] extends Error ? F : (err: Error, ...args: P) => R) : F;

type First<P extends unknown[]> = P extends [infer A, ...unknown[]] ? A : P extends [(infer A)?, ...unknown[]] ? A : P[number];

type ManyAck<F> = F extends (...args: infer P) => infer R
  ? P extends []
    ? F
    : P extends [Error]
      ? F
      : P extends [Error, ...infer Q]
        ? (err: Error, responses: First<Q>[]) => R
        : (responses: First<P>[]) => R
  : F;

type MapParams<F, How extends "timed" | "many" | "both"> = F extends (...args: infer P) => infer R
  ? (
      ...args: {
        [I in keyof P]: P[I] extends Fn ? (How extends "timed" ? TimedAck<P[I]> : How extends "many" ? ManyAck<P[I]> : ManyAck<TimedAck<P[I]>>) : P[I];
      }
    ) => R
  : F;

/** Acknowledgements get an error first, because of timeout(). */
export type TimedAcks<M> = { [K in keyof M]: MapParams<M[K], "timed"> };

/** Acknowledgements get one answer from each client. */
export type ManyAcks<M> = { [K in keyof M]: MapParams<M[K], "many"> };

/** Both. */
export type TimedManyAcks<M> = { [K in keyof M]: MapParams<M[K], "both"> };

/** A listener of a reserved event or of one of the user's. */
export type Listener<Reserved extends EventsMap, User extends EventsMap, E extends EventNames<Reserved> | EventNames<User>> =
  E extends EventNames<Reserved> ? Reserved[E] : E extends EventNames<User> ? ([User[E]] extends [never] ? Fn : User[E]) : Fn;

/**
 * An EventEmitter that knows its events: those of the user to listen to, and those that the SDK
 * emits by itself. What emit() does, the classes say.
 */
export abstract class TypedEmitter<Listen extends EventsMap, Reserved extends EventsMap = {}> extends EventEmitter {
  /** Adds a listener. */
  override on<E extends EventNames<Reserved> | EventNames<Listen>>(event: E, listener: Listener<Reserved, Listen, E>): this {
    return super.on(event, listener as Fn);
  }

  /** Adds a listener for the next such event only. */
  override once<E extends EventNames<Reserved> | EventNames<Listen>>(event: E, listener: Listener<Reserved, Listen, E>): this {
    return super.once(event, listener as Fn);
  }

  /** Removes a listener. */
  override off<E extends EventNames<Reserved> | EventNames<Listen>>(event: E, listener: Listener<Reserved, Listen, E>): this {
    return super.off(event, listener as Fn);
  }

  /** The listeners of an event. */
  override listeners<E extends EventNames<Reserved> | EventNames<Listen>>(event: E): Listener<Reserved, Listen, E>[] {
    return super.listeners(event) as Listener<Reserved, Listen, E>[];
  }

  /**
   * Calls the listeners of this process and returns what they are still doing: a promise if any
   * of them returned one, else undefined. Throws what a listener throws.
   * @internal
   */
  _run(event: string | symbol, args: unknown[]): Promise<unknown> | undefined {
    const listeners = this.rawListeners(event);
    let pending: Promise<unknown> | undefined;
    for (const listener of listeners) {
      const r: unknown = Reflect.apply(listener, this, args);
      if (typeof r === "object" && r !== null && typeof (r as PromiseLike<unknown>).then === "function") {
        pending = pending === undefined ? Promise.resolve(r) : Promise.all([pending, r]);
      }
    }
    return pending;
  }
}

/** Listeners of every event of a socket, in one direction. */
export class CatchAll {
  private list: Fn[] = [];

  add(fn: Fn): void {
    this.list = [...this.list, fn];
  }

  prepend(fn: Fn): void {
    this.list = [fn, ...this.list];
  }

  /** Removes one, or all if none is given. */
  remove(fn?: Fn): void {
    const i = fn === undefined ? -1 : this.list.indexOf(fn);
    if (fn === undefined) this.list = [];
    else if (i >= 0) this.list = this.list.toSpliced(i, 1);
  }

  get all(): Fn[] {
    return this.list;
  }
}

/** Names that a socket or a namespace must not emit. */
export const RESERVED: ReadonlySet<string | symbol> = new Set([
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
]);
