import { checkName, type Flags } from "./emit";
import type { AckAnswer, EventNames, EventNamesWithError, EventParams, EventsMap, ParamsBeforeAck, TimedAcks } from "./events";
import type { Handshake } from "./handshake";
import type { Namespace } from "./namespace";
import type { Room, Selection, SocketId } from "./rooms";
import type { Socket } from "./socket";

/**
 * A selection of sockets, of this process and of all others, with modifiers. It never changes:
 * every modifier returns a new one.
 *
 * @example
 * io.to("lobby").except("muted").emit("said", "hello");
 */
export class BroadcastOperator<EmitEvents extends EventsMap, SocketData> {
  /** @internal */
  constructor(
    private readonly nsp: Namespace<any, any, any, any>,
    private readonly rooms: ReadonlySet<Room> = new Set(),
    private readonly exceptRooms: ReadonlySet<Room> = new Set(),
    private readonly flags: Flags = {},
    private readonly single = false,
  ) {}

  /** Adds a room, or several: sockets in any of them are meant, each once. */
  to(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.with({ rooms: union(this.rooms, room) });
  }

  /** Same as {@link to}; reads better before a verb other than emit. */
  in(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.to(room);
  }

  /** Leaves out the sockets in a room, or in any of several. */
  except(room: Room | Room[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.with({ except: union(this.exceptRooms, room) });
  }

  /** Whether to compress the event where the transport can. */
  compress(compress: boolean): BroadcastOperator<EmitEvents, SocketData> {
    return this.with({ flags: { ...this.flags, compress } });
  }

  /** The event is dropped for clients that are away or cannot take it at once. */
  get volatile(): BroadcastOperator<EmitEvents, SocketData> {
    return this.with({ flags: { ...this.flags, volatile: true } });
  }

  /** Only the sockets of this process. */
  get local(): BroadcastOperator<EmitEvents, SocketData> {
    return this.with({ flags: { ...this.flags, local: true } });
  }

  /** How many milliseconds to wait for acknowledgements; 10 s if this is not said. */
  timeout(timeout: number): BroadcastOperator<TimedAcks<EmitEvents>, SocketData> {
    return this.with({ flags: { ...this.flags, timeout } });
  }

  /**
   * Emits to the selected sockets. With a callback as last argument every client is asked for an
   * acknowledgement; the callback gets an error or null, then the first argument of each answer
   * that came, also if there is an error.
   */
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    checkName(event);
    this.nsp._emit(this.selection, event, args, this.flags, this.single);
    return true;
  }

  /** Emits and resolves with the answers. The error it rejects with has those that came as `responses`. */
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(event: Ev, ...args: ParamsBeforeAck<EmitEvents, Ev>): Promise<AckAnswer<EmitEvents, Ev>> {
    checkName(event);
    return new Promise((resolve, reject) => {
      const callback = (err: (Error & { responses?: unknown }) | null, responses: any) => {
        if (err === null) return resolve(responses);
        err.responses = responses;
        reject(err);
      };
      this.nsp._emit(this.selection, event, [...args, callback], this.flags, this.single);
    });
  }

  /** The ids of the selected sockets. @deprecated Use {@link fetchSockets}. */
  async allSockets(): Promise<Set<SocketId>> {
    return new Set((await this.fetchSockets()).map((s) => s.id));
  }

  /**
   * Asks the edge for the selected sockets, of all processes. A socket of this process is the
   * Socket itself, any other a RemoteSocket.
   */
  fetchSockets(): Promise<(RemoteSocket<EmitEvents, SocketData> | Socket<any, any, any, SocketData>)[]> {
    return this.nsp._fetch(this.selection, this.flags.local === true);
  }

  /** Makes the selected sockets join rooms. */
  socketsJoin(room: Room | Room[]): void {
    this.nsp._join(this.selection, list(room), this.flags.local === true);
  }

  /** Makes the selected sockets leave rooms. */
  socketsLeave(room: Room | Room[]): void {
    this.nsp._leave(this.selection, list(room), this.flags.local === true);
  }

  /** Disconnects the selected sockets; with close, their clients from every namespace. */
  disconnectSockets(close = false): void {
    this.nsp._disconnect(this.selection, close, this.flags.local === true);
  }

  private get selection(): Selection {
    return { rooms: this.rooms, except: this.exceptRooms };
  }

  private with(change: { rooms?: Set<Room>; except?: Set<Room>; flags?: Flags }): BroadcastOperator<any, SocketData> {
    return new BroadcastOperator(this.nsp, change.rooms ?? this.rooms, change.except ?? this.exceptRooms, change.flags ?? this.flags, this.single);
  }
}

/** What the edge tells of a socket of another process. */
export interface SocketDetails<SocketData> {
  id: SocketId;
  handshake: Handshake;
  rooms: Iterable<Room>;
  data: SocketData;
}

/** A socket of another process, as it was when it was asked for. Its methods act on the real one. */
export class RemoteSocket<EmitEvents extends EventsMap, SocketData> {
  /** Its id, which its client sees too. */
  readonly id: SocketId;
  /** What its client said when it connected, but for auth. */
  readonly handshake: Handshake;
  /** Its rooms, its own id among them. */
  readonly rooms: Set<Room>;
  /** A copy of its data. */
  readonly data: SocketData;

  private readonly operator: BroadcastOperator<EmitEvents, SocketData>;

  /** @internal */
  constructor(nsp: Namespace<any, any, any, any>, details: SocketDetails<SocketData>) {
    this.id = details.id;
    this.handshake = details.handshake;
    this.rooms = new Set(details.rooms);
    this.data = details.data;
    this.operator = new BroadcastOperator(nsp, new Set([this.id]), new Set(), {}, true);
  }

  /** How many milliseconds to wait for the acknowledgement. */
  timeout(timeout: number): BroadcastOperator<TimedAcks<EmitEvents>, SocketData> {
    return this.operator.timeout(timeout);
  }

  /** Emits to the socket. A callback gets an error or null, then the answer. */
  emit<Ev extends EventNames<EmitEvents>>(event: Ev, ...args: EventParams<EmitEvents, Ev>): boolean {
    return this.operator.emit(event, ...args);
  }

  /** Makes the socket join rooms. */
  join(room: Room | Room[]): void {
    this.operator.socketsJoin(room);
  }

  /** Makes the socket leave a room. */
  leave(room: Room): void {
    this.operator.socketsLeave(room);
  }

  /** Disconnects the socket; with close, its client from every namespace. */
  disconnect(close = false): this {
    this.operator.disconnectSockets(close);
    return this;
  }
}

function list(room: Room | Room[]): Room[] {
  return Array.isArray(room) ? room : [room];
}

function union(set: ReadonlySet<Room>, room: Room | Room[]): Set<Room> {
  return new Set([...set, ...list(room)]);
}
