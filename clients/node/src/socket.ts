import { BroadcastOperator } from "./broadcast-operator";
import type { Client, Connection } from "./client";
import { checkName, emitToOne, greeting, type Flags, toSids } from "./emit";
import {
  CatchAll,
  type AckAnswer,
  type DefaultEventsMap,
  type EventNames,
  type EventNamesWithAck,
  type EventParams,
  type EventsMap,
  type ManyAcks,
  type ParamsBeforeAck,
  type TimedAcks,
  TypedEmitter,
} from "./events";
import type { Emit } from "./gen/sioedge/v1/command";
import type { ConnectionRequest, Handshake } from "./handshake";
import type { Inbox } from "./inbox";
import type { Namespace } from "./namespace";
import type { DisconnectReason } from "./reasons";
import type { Room, SocketId } from "./rooms";
import type { Init } from "./wire/index";

type Fn = (...args: any[]) => void;

/** An incoming event as a middleware sees it: its name, then its arguments. */
export type Event = [string, ...any[]];

/** A middleware for the incoming events of one socket. */
export type EventMiddleware = (event: Event, next: (err?: Error) => void) => unknown;

/** Events that the SDK emits on a socket. */
export interface SocketReservedEvents {
  /** The client has gone; description is not used. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** As disconnect, but the socket is still in its rooms. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** A middleware refused an event. */
  error: (err: Error) => void;
}

/**
 * One client in one namespace.
 *
 * @example
 * io.on("connection", (socket) => {
 *   socket.join("lobby");
 *   socket.on("say", (text, ack) => {
 *     socket.to("lobby").emit("said", text);
 *     ack("ok");
 *   });
 *   socket.on("disconnect", (reason) => console.log(socket.id, reason));
 * });
 */
export class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends TypedEmitter<ListenEvents, SocketReservedEvents> {
  /** The id that the client sees too. It stays while the session lives, over reconnections. */
  readonly id: SocketId;
  /** The client came back to its session: id, rooms and data are as they were, and it has missed nothing. */
  recovered: boolean;
  /** What the client said when it connected. */
  readonly handshake: Handshake;
  /** False in middlewares and after the disconnection. */
  connected = false;

  /** @internal Set before the client is connected: what Accept will carry. */
  _welcome: { greeting: Init<Emit>[]; rooms: Set<Room> } | undefined;
  /** @internal A listener of the disconnection failed: the edge tells it again. */
  _failed = false;
  /** @internal Events on their way to the listeners. */
  _inbox: Inbox | undefined;
  /** @internal The data as the edge has it. */
  _savedData: string | undefined;
  /** @internal The data may have changed since it was saved. */
  _touched = false;
  /** @internal This process ended the session. */
  _ended = false;
  /** @internal */
  readonly _any = new CatchAll();
  /** @internal */
  readonly _anyOutgoing = new CatchAll();
  /** @internal */
  _fns: EventMiddleware[] = [];

  private flags: Flags = {};
  private _data: SocketData = {} as SocketData;

  /** @internal */
  constructor(
    /** The namespace. */
    readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    /** The client, whose connection may carry sockets of other namespaces. */
    public client: Client,
    id: SocketId,
    handshake: Handshake,
    recovered: boolean,
  ) {
    super();
    this.id = id;
    this.handshake = handshake;
    this.recovered = recovered;
    this.on("error", () => {}); // a client may emit "error"; that must not throw
  }

  /**
   * Anything you like to keep with the session. It is kept at the edge as JSON: it survives this
   * process and is seen by fetchSockets() of others, so give it nothing that JSON cannot hold.
   */
  get data(): SocketData {
    this.nsp.server._core.touch(this);
    return this._data;
  }

  /** Replaces all of it. */
  set data(data: SocketData) {
    this._data = data;
    this.nsp.server._core.touch(this);
  }

  /** @internal */
  _restoreData(data: SocketData, saved: string | undefined): void {
    this._data = data;
    this._savedData = saved;
  }

  /** @internal */
  _peekData(): SocketData {
    return this._data;
  }

  /**
   * Emits to this client. With a callback as last argument the client is asked for an
   * acknowledgement; after timeout() the callback gets an error or null first.
   */
  override emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    checkName(event);
    this.transmit(event, args);
    return true;
  }

  /**
   * Emits and resolves with the first argument of the acknowledgement. Rejects when the time of
   * timeout() is over, or when the client has gone.
   */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(event: Ev, ...args: ParamsBeforeAck<EmitEvents, Ev>): Promise<AckAnswer<EmitEvents, Ev>> {
    checkName(event);
    return new Promise((resolve, reject) => {
      this.transmit(event, [...args, (err: Error | null, answer: any) => (err === null ? resolve(answer) : reject(err))], true);
    });
  }

  /** Emits a "message" event. */
  send(...args: EventParams<EmitEvents, "message">): this {
    return this.emit("message", ...args), this;
  }

  /** Emits a "message" event. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.send(...args);
  }

  /** Selects the other sockets in a room, or in any of several. */
  to(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.broadcast.to(room);
  }

  /** Same as {@link to}. */
  in(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.to(room);
  }

  /** Selects the other sockets, less those in a room, or in any of several. */
  except(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.broadcast.except(room);
  }

  /** Selects all other sockets of the namespace. */
  get broadcast(): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return new BroadcastOperator(this.nsp, new Set(), new Set([this.id]), this.takeFlags());
  }

  /** Selects all other sockets of the namespace that are connected to this process. */
  get local(): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.broadcast.local;
  }

  /** The next event is dropped if the client is away or cannot take it at once. */
  get volatile(): this {
    this.flags.volatile = true;
    return this;
  }

  /** Whether to compress the next event where the transport can. */
  compress(compress: boolean): this {
    this.flags.compress = compress;
    return this;
  }

  /** How many milliseconds the next event waits for its acknowledgement. */
  timeout(timeout: number): Socket<ListenEvents, TimedAcks<EmitEvents>, ServerSideEvents, SocketData> {
    this.flags.timeout = timeout;
    return this as unknown as Socket<ListenEvents, TimedAcks<EmitEvents>, ServerSideEvents, SocketData>;
  }

  /** Joins rooms. What is emitted to them from now on reaches the client. */
  join(rooms: Room | Room[]): Promise<void> | void {
    this.nsp._joinOne(this, Array.isArray(rooms) ? rooms : [rooms]);
  }

  /** Leaves a room. */
  leave(room: Room): Promise<void> | void {
    this.nsp._leaveOne(this, room);
  }

  /** Leaves all rooms. Unlike the original, what is emitted to its id still reaches it. */
  leaveAll(): void {
    this.nsp._leaveAll(this);
  }

  /** The rooms that the socket is in, its own id among them. Empty after the disconnection. */
  get rooms(): Set<Room> {
    return this._welcome?.rooms ?? this.nsp.adapter.socketRooms(this.id) ?? new Set();
  }

  /** Ends the session; with close, every session of the client, then its connection. */
  disconnect(close = false): this {
    if (!this.connected) return this;
    this.nsp.server._core.command({ disconnect: { target: toSids(this.nsp, [this.id]), closeConnection: close } });
    this.nsp._disconnectLocally(this, close);
    return this;
  }

  /** Adds a middleware for incoming events. */
  use(fn: EventMiddleware): this {
    this._fns = [...this._fns, fn];
    return this;
  }

  /** Not {@link connected}. */
  get disconnected(): boolean {
    return !this.connected;
  }

  /** The request that opened the connection, as a plain object. */
  get request(): ConnectionRequest {
    return this.client.request;
  }

  /** The client's connection. */
  get conn(): Connection {
    return this.client.conn;
  }

  /** Adds a listener of every incoming event; it gets the name, then the arguments. */
  onAny(listener: Fn): this {
    return this._any.add(listener), this;
  }

  /** Same as {@link onAny}, before the others. */
  prependAny(listener: Fn): this {
    return this._any.prepend(listener), this;
  }

  /** Removes such a listener, or all of them. */
  offAny(listener?: Fn): this {
    return this._any.remove(listener), this;
  }

  /** Such listeners. */
  listenersAny(): Fn[] {
    return this._any.all;
  }

  /** Adds a listener of every event sent to this client, broadcasts from this process included. */
  onAnyOutgoing(listener: Fn): this {
    this.nsp._outgoing.add(this);
    return this._anyOutgoing.add(listener), this;
  }

  /** Same as {@link onAnyOutgoing}, before the others. */
  prependAnyOutgoing(listener: Fn): this {
    this.nsp._outgoing.add(this);
    return this._anyOutgoing.prepend(listener), this;
  }

  /** Removes such a listener, or all of them. */
  offAnyOutgoing(listener?: Fn): this {
    return this._anyOutgoing.remove(listener), this;
  }

  /** Such listeners. */
  listenersAnyOutgoing(): Fn[] {
    return this._anyOutgoing.all;
  }

  /** @internal */
  _notifyOutgoing(event: string | symbol, args: readonly unknown[]): void {
    for (const fn of this._anyOutgoing.all) fn.call(this, event, ...args);
  }

  private transmit(event: string | symbol, args: unknown[], promised?: true): void {
    const flags = this.takeFlags();
    if (this._anyOutgoing.all.length > 0) this._notifyOutgoing(event, typeof args.at(-1) === "function" ? args.slice(0, -1) : args);
    if (this._welcome !== undefined) this._welcome.greeting.push(greeting(event, args, flags));
    else emitToOne(this.nsp, this.id, event, args, flags, promised);
  }

  private takeFlags(): Flags {
    const flags = this.flags;
    this.flags = {};
    return flags;
  }
}
