import { EventEmitter } from "node:events";
import type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
import { Core } from "./core";
import { refuseMembers } from "./elsewhere";
import type { Engine } from "./engine";
import {
  type AckAnswer,
  type DefaultEventsMap,
  type EventNames,
  type EventNamesWithAck,
  type EventNamesWithoutAck,
  type EventParams,
  type EventsMap,
  type ManyAcks,
  type ParamsBeforeAck,
  type TimedAcks,
  type TimedManyAcks,
  TypedEmitter,
} from "./events";
import type { Status } from "./link/status";
import { type Middleware, Namespace, type ServerReservedEvents } from "./namespace";
import { complete, type ServerOptions, toUrl } from "./options";
import { type NamespaceMatcher, ParentNamespace } from "./parent-namespace";
import type { Room, SocketId } from "./rooms";
import type { Socket } from "./socket";

/**
 * The Socket.IO server of a backend whose clients are connected to sio-edge.
 *
 * @example
 * const io = new Server("127.0.0.1:7070", { group: "chat" });
 * io.on("connection", (socket) => {
 *   socket.on("say", (text) => io.emit("said", text));
 * });
 */
export class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends TypedEmitter<
  ServerSideEvents,
  ServerReservedEvents<
    Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  >
> {
  /** The namespace "/". */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** What can be seen of the clients' connections. */
  readonly engine: Engine;
  /** The link to the edge. */
  readonly status: Status;

  /** @internal */
  readonly _nsps = new Map<string, Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>();
  /** @internal */
  readonly _parents: ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>[] = [];
  /** @internal */
  readonly _core: Core;
  /** @internal */
  readonly _cleanup: boolean;
  /** @internal */
  readonly _skipMiddlewares: boolean;

  /**
   * Attaches to the edge, and again whenever that is necessary.
   *
   * @param address of the edge's control port: "host:port", "http://…" or "https://…"
   */
  constructor(address = "127.0.0.1:7070", options: Partial<ServerOptions> = {}) {
    super();
    const url = toUrl(address, options.tls !== undefined, options.token !== undefined);
    const all = complete(options);
    this._cleanup = all.cleanupEmptyChildNamespaces;
    this._skipMiddlewares = all.connectionStateRecovery.skipMiddlewares !== false;
    this._core = new Core(this, url, all);
    this.engine = this._core.engine;
    this.status = this._core.status;
    this.sockets = new Namespace(this, "/");
    this._nsps.set("/", this.sockets);
  }

  /**
   * The namespace with a name; with a pattern or a function, the parent of all namespaces that it
   * matches. fn is a connection listener.
   */
  of(
    name: string | RegExp | NamespaceMatcher,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    const nsp = typeof name === "string" ? this.named(name) : this.dynamic(name);
    if (fn !== undefined) nsp.on("connect", fn as never);
    return nsp;
  }

  /** Adds a middleware to the namespace "/". */
  use(fn: Middleware<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>): this {
    return this.sockets.use(fn), this;
  }

  /** See {@link Namespace.to}. */
  to(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.to(room);
  }

  /** See {@link Namespace.in}. */
  in(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.in(room);
  }

  /** See {@link Namespace.except}. */
  except(room: Room | Room[]): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.except(room);
  }

  /** See {@link Namespace.compress}. */
  compress(compress: boolean): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.compress(compress);
  }

  /** See {@link Namespace.volatile}. */
  get volatile(): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.volatile;
  }

  /** See {@link Namespace.local}. */
  get local(): BroadcastOperator<ManyAcks<EmitEvents>, SocketData> {
    return this.sockets.local;
  }

  /** See {@link Namespace.timeout}. */
  timeout(timeout: number): BroadcastOperator<TimedAcks<ManyAcks<EmitEvents>>, SocketData> {
    return this.sockets.timeout(timeout);
  }

  /** Emits to all sockets of the namespace "/". */
  override emit<Ev extends EventNamesWithoutAck<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    return this.sockets.emit(event, ...args);
  }

  /** See {@link Namespace.emitWithAck}. */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    event: Ev,
    ...args: ParamsBeforeAck<EmitEvents, Ev>
  ): Promise<AckAnswer<TimedManyAcks<EmitEvents>, Ev>> {
    return this.sockets.emitWithAck(event, ...args);
  }

  /** See {@link Namespace.send}. */
  send(...args: EventParams<EmitEvents, "message">): this {
    return this.sockets.send(...args), this;
  }

  /** See {@link Namespace.write}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.sockets.send(...args), this;
  }

  /** See {@link Namespace.serverSideEmit}. */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(event: Ev, ...args: EventParams<TimedManyAcks<ServerSideEvents>, Ev>): boolean {
    return this.sockets.serverSideEmit(event, ...args);
  }

  /** See {@link Namespace.serverSideEmitWithAck}. */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    event: Ev,
    ...args: ParamsBeforeAck<ServerSideEvents, Ev>
  ): Promise<AckAnswer<ServerSideEvents, Ev>[]> {
    return this.sockets.serverSideEmitWithAck(event, ...args);
  }

  /** See {@link Namespace.allSockets}. @deprecated Use {@link fetchSockets}. */
  allSockets(): Promise<Set<SocketId>> {
    return this.sockets.allSockets();
  }

  /** See {@link Namespace.fetchSockets}. */
  fetchSockets(): Promise<(RemoteSocket<EmitEvents, SocketData> | Socket<any, any, any, SocketData>)[]> {
    return this.sockets.fetchSockets();
  }

  /** See {@link Namespace.socketsJoin}. */
  socketsJoin(room: Room | Room[]): void {
    this.sockets.socketsJoin(room);
  }

  /** See {@link Namespace.socketsLeave}. */
  socketsLeave(room: Room | Room[]): void {
    this.sockets.socketsLeave(room);
  }

  /** See {@link Namespace.disconnectSockets}. */
  disconnectSockets(close = false): void {
    this.sockets.disconnectSockets(close);
  }

  /**
   * Leaves the edge: no more events come, those that run are awaited, what was emitted is sent.
   * The clients stay connected; other processes of the group take over, or the next start of this
   * one does. Here, every socket gets "disconnect" with "server shutting down".
   */
  async close(fn?: (err?: Error) => void): Promise<void> {
    await this._core.close();
    fn?.();
  }

  /** @internal Finds or makes the namespace that a client names. */
  _match(name: string, auth: Record<string, any>, then: (nsp: Namespace<any, any, any, any> | undefined) => void): void {
    const ask = (i: number): void => {
      const known = this._nsps.get(name);
      if (known !== undefined || i === this._parents.length) return then(known);
      const parent = this._parents[i];
      parent._matches(name, auth, (err, success) => {
        if (err || !success) return ask(i + 1);
        then(this._nsps.get(name) ?? parent._createChild(name)); // another client may have been first
      });
    };
    ask(0);
  }

  /** @internal */
  _addNamespace(nsp: Namespace<any, any, any, any>): void {
    this._nsps.set(nsp.name, nsp);
    this.sockets._run("new_namespace", [nsp]);
  }

  private named(given: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    const name = given.startsWith("/") ? given : `/${given}`;
    const known = this._nsps.get(name);
    if (known !== undefined) return known;
    for (const parent of this._parents) {
      if (parent.pattern instanceof RegExp && parent.pattern.test(name)) return parent._createChild(name);
    }
    const nsp = new Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>(this, name);
    this._addNamespace(nsp);
    this._core.routesChanged();
    return nsp;
  }

  private dynamic(pattern: RegExp | NamespaceMatcher): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    const parent = new ParentNamespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>(this, pattern, this._parents.length);
    this._parents.push(parent);
    this._core.routesChanged();
    return parent;
  }
}

refuseMembers(Server.prototype, "io");

// The listeners of a server are those of its main namespace.
for (const name of Object.keys(EventEmitter.prototype) as (keyof EventEmitter)[]) {
  if (name === ("emit" as string) || typeof EventEmitter.prototype[name] !== "function") continue;
  Object.defineProperty(Server.prototype, name, {
    value(this: Server, ...args: unknown[]): unknown {
      const r = Reflect.apply(this.sockets[name] as (...args: unknown[]) => unknown, this.sockets, args);
      return r === this.sockets ? this : r;
    },
  });
}
