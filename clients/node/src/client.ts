import { EventEmitter } from "node:events";
import { refuseEvent, refuseMembers } from "./elsewhere";
import type { Handshake as WireHandshake } from "./gen/sioedge/v1/session";
import { type ConnectionRequest, toHandshake, toRequest } from "./handshake";
import type { Server } from "./server";
import type { Socket } from "./socket";

interface ConnectionEvents {
  /** The last socket of this process on the connection has gone. */
  close: [reason: string];
  /** A WebSocket has taken over from polling. */
  upgrade: [transport: Transport];
}

/** What carries a connection. */
export interface Transport {
  /** "polling" or "websocket". */
  readonly name: string;
}

/**
 * A client's connection to the edge, as far as it can be seen from here. Emits "upgrade" with the
 * new transport, and "close" with the reason.
 */
export class Connection extends EventEmitter<ConnectionEvents> {
  /** Shared by the sockets of one client; not the Engine.IO sid, which is a secret. */
  readonly id: string;
  /** What carries the connection now. */
  transport: Transport;
  /** See {@link Handshake.address}. */
  readonly remoteAddress: string;
  /** The request that opened the connection, as a plain object. */
  readonly request: ConnectionRequest;
  /** The version of Engine.IO. */
  readonly protocol = 4;
  /** "closed" when the last socket of this process on the connection has gone. */
  readyState: "open" | "closed" = "open";

  /** @internal */
  constructor(id: string, transport: string, handshake: WireHandshake | undefined) {
    super();
    this.id = id;
    this.transport = { name: transport || handshake?.transport || "polling" };
    this.request = toRequest(toHandshake(handshake, {}));
    this.remoteAddress = this.request.socket.remoteAddress;
  }

  /** @internal */
  override on(event: any, listener: (...args: any[]) => void): this {
    refuseEvent("conn", event);
    return super.on(event, listener);
  }

  /** @internal */
  override once(event: any, listener: (...args: any[]) => void): this {
    refuseEvent("conn", event);
    return super.once(event, listener);
  }

  /** @internal What is told late, of before the upgrade, changes nothing. */
  _carried(transport: string): void {
    if (transport === this.transport.name || this.transport.name === "websocket") return;
    this.transport = { name: transport };
    this.emit("upgrade", this.transport);
  }
}

refuseMembers(Connection.prototype, "conn");

/** One client: a connection and the sockets of this process on it, one for each namespace. */
export class Client {
  /** Same as {@link Connection.id}. */
  readonly id: string;
  /** The sockets of this process on the connection, by id. */
  readonly sockets = new Map<string, Socket<any, any, any, any>>();

  /** @internal */
  constructor(
    /** The server. */
    readonly server: Server<any, any, any, any>,
    /** The connection. */
    readonly conn: Connection,
  ) {
    this.id = conn.id;
  }

  /** See {@link Connection.request}. */
  get request(): ConnectionRequest {
    return this.conn.request;
  }
}

/** The clients that have a socket in this process. */
export class Clients {
  private readonly byId = new Map<string, Client>();

  constructor(
    private readonly server: Server<any, any, any, any>,
    private readonly opened: (conn: Connection) => void,
  ) {}

  get size(): number {
    return this.byId.size;
  }

  /** Finds or makes the client of a connection. */
  get(id: string, transport: string, handshake: WireHandshake | undefined): Client {
    let client = this.byId.get(id);
    if (client === undefined) {
      client = new Client(this.server, new Connection(id, transport, handshake));
      if (id !== "") {
        this.byId.set(id, client);
        this.opened(client.conn);
      }
    } else if (transport !== "") {
      client.conn._carried(transport);
    }
    return client;
  }

  /** Forgets a socket, and its client with the last one. */
  remove(socket: Socket<any, any, any, any>, reason: string): void {
    const { client } = socket;
    if (!client.sockets.delete(socket.id) || client.sockets.size > 0) return;
    this.byId.delete(client.id);
    client.conn.readyState = "closed";
    client.conn.emit("close", reason);
  }
}
