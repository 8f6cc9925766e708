import { EventEmitter } from "node:events";

/** The name of a room. */
export type Room = string;
/** The public id of a socket. */
export type SocketId = string;

interface RoomEvents {
  "create-room": [room: Room];
  "delete-room": [room: Room];
  "join-room": [room: Room, id: SocketId];
  "leave-room": [room: Room, id: SocketId];
}

/** Who is meant: everyone in any of rooms, or everyone at all if there are none; less except. */
export interface Selection {
  readonly rooms: ReadonlySet<Room>;
  readonly except: ReadonlySet<Room>;
}

/**
 * The rooms of the sockets of this process, in one namespace. It answers at once; what is in it
 * has been told to the edge, which holds the rooms of all processes.
 */
export class Rooms extends EventEmitter<RoomEvents> {
  /** The sockets of this process in each room. */
  readonly rooms = new Map<Room, Set<SocketId>>();
  /** The rooms of each socket of this process, its own id among them. */
  readonly sids = new Map<SocketId, Set<Room>>();

  /** Adds a socket to rooms. */
  addAll(id: SocketId, rooms: Iterable<Room>): void {
    let own = this.sids.get(id);
    if (own === undefined) this.sids.set(id, (own = new Set()));
    for (const room of rooms) {
      if (own.has(room)) continue;
      own.add(room);
      let members = this.rooms.get(room);
      if (members === undefined) {
        this.rooms.set(room, (members = new Set()));
        this.emit("create-room", room);
      }
      members.add(id);
      this.emit("join-room", room, id);
    }
  }

  /** Removes a socket from a room. */
  del(id: SocketId, room: Room): void {
    if (!this.sids.get(id)?.delete(room)) return;
    const members = this.rooms.get(room)!;
    members.delete(id);
    this.emit("leave-room", room, id);
    if (members.size > 0) return;
    this.rooms.delete(room);
    this.emit("delete-room", room);
  }

  /** Removes a socket from all rooms. */
  delAll(id: SocketId): void {
    for (const room of [...(this.sids.get(id) ?? [])]) this.del(id, room);
    this.sids.delete(id);
  }

  /** The rooms of a socket. */
  socketRooms(id: SocketId): Set<Room> | undefined {
    return this.sids.get(id);
  }

  /** The sockets of this process that are meant. */
  select({ rooms, except }: Selection): Set<SocketId> {
    const picked = new Set<SocketId>();
    if (rooms.size === 0) for (const id of this.sids.keys()) picked.add(id);
    else for (const room of rooms) for (const id of this.rooms.get(room) ?? []) picked.add(id);
    for (const room of except) for (const id of this.rooms.get(room) ?? []) picked.delete(id);
    return picked;
  }
}
