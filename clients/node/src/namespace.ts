import { BroadcastOperator, type RemoteSocket } from "./broadcast-operator";
import { checkName, emitToMany, type Flags, toSids, toTarget } from "./emit";
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
import type { DisconnectReason } from "./reasons";
import { type Room, Rooms, type Selection, type SocketId } from "./rooms";
import type { Server } from "./server";
import type { Socket } from "./socket";
import { tellOthers } from "./tell";

/** An error whose data reaches the client in connect_error. */
export interface ExtendedError extends Error {
  /** Any JSON value. */
  data?: any;
}

/** A middleware: decides whether a client may come in. */
export type Middleware<S = Socket<any, any, any, any>> = (socket: S, next: (err?: ExtendedError) => void) => unknown;

/** Events that the SDK emits on a namespace. */
export interface NamespaceReservedEvents<S> {
  connect: (socket: S) => void;
  connection: (socket: S) => void;
}

/** Events that the SDK emits on the main namespace. */
export interface ServerReservedEvents<S, N> extends NamespaceReservedEvents<S> {
  new_namespace: (namespace: N) => void;
}

type Operator<E extends EventsMap, D> = BroadcastOperator<ManyAcks<E>, D>;

/** The sockets under one name, such as "/" or "/admin". */
export class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends TypedEmitter<
  ServerSideEvents,
  NamespaceReservedEvents<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>
> {
  /** The connected sockets of this process, by id. */
  readonly sockets = new Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>();
  /** The rooms of the sockets of this process. */
  readonly adapter = new Rooms();

  /** @internal Sockets whose middlewares run, or that are about to be connected. */
  readonly _connecting = new Map<SocketId, Socket<any, any, any, any>>();
  /** @internal Sockets that are disconnected, whose session may not be over. */
  readonly _gone = new Map<SocketId, Socket<any, any, any, any>>();
  /** @internal Sockets that want to know what is sent to them. */
  readonly _outgoing = new Set<Socket<any, any, any, any>>();
  /** @internal */
  _fns: Middleware[] = [];

  /** @internal */
  constructor(
    /** The server. */
    readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    /** The name, beginning with a slash. */
    readonly name: string,
  ) {
    super();
  }

  /** Adds a middleware; it runs for every client that asks to come in. */
  use(fn: Middleware<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>): this {
    this._fns = [...this._fns, fn];
    this.server._core.routesChanged();
    return this;
  }

  /** Selects the sockets in a room, or in any of several. */
  to(room: Room | Room[]): Operator<EmitEvents, SocketData> {
    return this.operator().to(room);
  }

  /** Same as {@link to}. */
  in(room: Room | Room[]): Operator<EmitEvents, SocketData> {
    return this.to(room);
  }

  /** Selects all sockets but those in a room, or in any of several. */
  except(room: Room | Room[]): Operator<EmitEvents, SocketData> {
    return this.operator().except(room);
  }

  /** See {@link BroadcastOperator.compress}. */
  compress(compress: boolean): Operator<EmitEvents, SocketData> {
    return this.operator().compress(compress);
  }

  /** See {@link BroadcastOperator.volatile}. */
  get volatile(): Operator<EmitEvents, SocketData> {
    return this.operator().volatile;
  }

  /** See {@link BroadcastOperator.local}. */
  get local(): Operator<EmitEvents, SocketData> {
    return this.operator().local;
  }

  /** See {@link BroadcastOperator.timeout}. */
  timeout(timeout: number): BroadcastOperator<TimedAcks<ManyAcks<EmitEvents>>, SocketData> {
    return this.operator().timeout(timeout);
  }

  /** Emits to all sockets. */
  override emit<Ev extends EventNamesWithoutAck<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    checkName(event);
    this._emit(EVERYONE, event, args, {}, false);
    return true;
  }

  /** Emits to all sockets and resolves with their answers; see {@link timeout}. */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    event: Ev,
    ...args: ParamsBeforeAck<EmitEvents, Ev>
  ): Promise<AckAnswer<TimedManyAcks<EmitEvents>, Ev>> {
    return this.operator().emitWithAck(event as never, ...(args as never)) as Promise<AckAnswer<TimedManyAcks<EmitEvents>, Ev>>;
  }

  /** Emits a "message" event to all sockets. */
  send(...args: EventParams<EmitEvents, "message">): this {
    return this.emit("message" as never, ...(args as never)), this;
  }

  /** Emits a "message" event to all sockets. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.send(...args);
  }

  /**
   * Emits to the other processes of the group: to the listeners of their namespace of this name.
   * With a callback as last argument each is asked for an answer; the callback gets an error or
   * null after at most 5 s, then the answers that came. Processes that have left, or have no
   * listener, are not waited for.
   */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(event: Ev, ...args: EventParams<TimedManyAcks<ServerSideEvents>, Ev>): boolean {
    tellOthers(this, event, args);
    return true;
  }

  /** Asks the other processes of the group. The error it rejects with has the answers that came as `responses`. */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    event: Ev,
    ...args: ParamsBeforeAck<ServerSideEvents, Ev>
  ): Promise<AckAnswer<ServerSideEvents, Ev>[]> {
    return new Promise((resolve, reject) => {
      const callback = (err: (Error & { responses?: unknown }) | null, responses: any) => {
        if (err === null) return resolve(responses);
        err.responses = responses;
        reject(err);
      };
      tellOthers(this, event, [...args, callback]);
    });
  }

  /** The ids of all sockets. @deprecated Use {@link fetchSockets}. */
  allSockets(): Promise<Set<SocketId>> {
    return this.operator().allSockets();
  }

  /** See {@link BroadcastOperator.fetchSockets}. */
  fetchSockets(): Promise<(RemoteSocket<EmitEvents, SocketData> | Socket<any, any, any, SocketData>)[]> {
    return this.operator().fetchSockets() as never;
  }

  /** Makes all sockets join rooms. */
  socketsJoin(room: Room | Room[]): void {
    this.operator().socketsJoin(room);
  }

  /** Makes all sockets leave rooms. */
  socketsLeave(room: Room | Room[]): void {
    this.operator().socketsLeave(room);
  }

  /** Disconnects all sockets; with close, their clients from every namespace. */
  disconnectSockets(close = false): void {
    this.operator().disconnectSockets(close);
  }

  /** @internal */
  _emit(to: Selection, event: string | symbol, args: readonly unknown[], flags: Flags, single: boolean): void {
    const copy = [...args];
    if (this._outgoing.size > 0) {
      const seen = typeof copy.at(-1) === "function" ? copy.slice(0, -1) : copy;
      const picked = this.adapter.select(to);
      for (const s of this._outgoing) if (picked.has(s.id)) s._notifyOutgoing(event, seen);
    }
    emitToMany(this, to, event, copy, flags, single);
  }

  /** @internal */
  async _fetch(to: Selection, local: boolean): Promise<any[]> {
    if (local) return this.pick(to);
    return this.server._core.listSessions(this, toTarget(this, to));
  }

  /** @internal */
  _join(to: Selection, rooms: Room[], local: boolean): void {
    const picked = this.pick(to);
    const target = local ? toSids(this, picked.map((s) => s.id)) : toTarget(this, to);
    if (rooms.length > 0 && (!local || picked.length > 0)) this.server._core.command({ join: { target, rooms } });
    for (const s of picked) this.adapter.addAll(s.id, rooms);
  }

  /** @internal */
  _leave(to: Selection, rooms: Room[], local: boolean): void {
    const picked = this.pick(to);
    const target = local ? toSids(this, picked.map((s) => s.id)) : toTarget(this, to);
    if (rooms.length > 0 && (!local || picked.length > 0)) this.server._core.command({ leave: { target, rooms } });
    for (const s of picked) for (const room of rooms) this.adapter.del(s.id, room);
  }

  /** @internal */
  _disconnect(to: Selection, close: boolean, local: boolean): void {
    const picked = this.pick(to);
    const target = local ? toSids(this, picked.map((s) => s.id)) : toTarget(this, to);
    if (!local || picked.length > 0) this.server._core.command({ disconnect: { target, closeConnection: close } });
    for (const s of picked) this._disconnectLocally(s, close);
  }

  /** @internal */
  _joinOne(socket: Socket<any, any, any, any>, rooms: Room[]): void {
    const names = rooms.map(String);
    if (socket._welcome !== undefined) for (const name of names) socket._welcome.rooms.add(name);
    if (!socket.connected || names.length === 0) return;
    this.adapter.addAll(socket.id, names);
    this.server._core.command({ join: { target: toSids(this, [socket.id]), rooms: names } });
  }

  /** @internal */
  _leaveOne(socket: Socket<any, any, any, any>, room: Room): void {
    socket._welcome?.rooms.delete(room);
    if (!socket.connected || !this.adapter.socketRooms(socket.id)?.has(room)) return;
    this.adapter.del(socket.id, room);
    this.server._core.command({ leave: { target: toSids(this, [socket.id]), rooms: [room] } });
  }

  /** @internal */
  _leaveAll(socket: Socket<any, any, any, any>): void {
    socket._welcome?.rooms.clear();
    if (!socket.connected) return;
    this.adapter.delAll(socket.id);
    this.server._core.command({ leave: { target: toSids(this, [socket.id]), all: true } });
  }

  /** @internal What this process knows at once about a session that it ends. */
  _disconnectLocally(socket: Socket<any, any, any, any>, close: boolean): void {
    const all = close ? [...socket.client.sockets.values()] : [socket];
    for (const s of all) {
      s._ended = true;
      void s.nsp.server._core.guard(() => s.nsp._close(s, "server namespace disconnect"));
    }
  }

  /**
   * Runs the listeners of a disconnection. Returns what they are still doing.
   * @internal
   */
  _close(socket: Socket<any, any, any, any>, reason: DisconnectReason): Promise<unknown> | undefined {
    if (!socket.connected) return undefined;
    const leaving = socket._run("disconnecting", [reason]);
    socket.connected = false;
    this._remove(socket);
    this._gone.set(socket.id, socket);
    this.server._core.clients.remove(socket, reason);
    const left = socket._run("disconnect", [reason]);
    return leaving && left ? Promise.all([leaving, left]) : (leaving ?? left);
  }

  /** @internal */
  _remove(socket: Socket<any, any, any, any>): void {
    this.adapter.delAll(socket.id);
    this.sockets.delete(socket.id);
    this._connecting.delete(socket.id);
    this._outgoing.delete(socket);
  }

  private pick(to: Selection): Socket<any, any, any, any>[] {
    const picked: Socket<any, any, any, any>[] = [];
    for (const id of this.adapter.select(to)) {
      const s = this.sockets.get(id);
      if (s !== undefined) picked.push(s);
    }
    return picked;
  }

  private operator(): Operator<EmitEvents, SocketData> {
    return new BroadcastOperator(this);
  }
}

const EVERYONE: Selection = { rooms: new Set(), except: new Set() };
