import type { Closed, ConnectRequested, Event } from "./gen/sioedge/v1/event";
import type { Assignment, SessionChange, Snapshot } from "./gen/sioedge/v1/event_service";
import { readSession, SessionState, type Session } from "./gen/sioedge/v1/session";
import { parseAuth, toHandshake, withUser } from "./handshake";
import { admit } from "./admission";
import type { Namespace } from "./namespace";
import { type DisconnectReason, toReason } from "./reasons";
import type { Server } from "./server";
import { Socket } from "./socket";
import type { Task } from "./task";
import { Reader } from "./wire/index";

type AnySocket = Socket<any, any, any, any>;
type AnyNamespace = Namespace<any, any, any, any>;
type Pending = Promise<unknown> | undefined;

const nobody = readSession(new Reader(Buffer.alloc(0)), 0);

/**
 * Makes sockets of sessions and keeps them true: whatever the edge tells about a session's life,
 * the listeners of the program are called as a server in the same process would.
 */
export class Sessions {
  private readonly resolving = new Map<string, ((nsp: AnyNamespace | undefined) => void)[]>();
  private told: Set<string> | undefined; // what a snapshot has named so far

  private readonly away = new Set<string>(); // sessions whose client was away when they were first told of

  constructor(private readonly server: Server<any, any, any, any>) {}

  /** The socket of an event's session, connected or not. */
  find({ namespace, sid }: Pick<Event, "namespace" | "sid">): AnySocket | undefined {
    const nsp = this.server._nsps.get(namespace);
    return nsp?.sockets.get(sid) ?? nsp?._gone.get(sid);
  }

  /** Makes a socket for a session that is known only by an event of its client. */
  missing(event: Event, then: (socket: AnySocket | undefined) => void): void {
    this.resolve(event.namespace, {}, (nsp) => {
      const known = this.find(event);
      if (known !== undefined || nsp === undefined) return then(known);
      const session = { ...nobody, sid: event.sid, namespace: event.namespace };
      void this.server._core.guard(() => this.open(nsp, session, undefined, true));
      then(this.find(event));
    });
  }

  /** Calls f with every connected socket. */
  each(f: (socket: AnySocket) => void): void {
    for (const nsp of this.server._nsps.values()) for (const socket of nsp.sockets.values()) f(socket);
  }

  /** Takes an event of a session's life. Returns what the listeners are still doing. */
  take(event: Event, task: Task): Pending {
    const { connectRequested, opened, resumed } = event;
    if (connectRequested !== undefined) return this.ask(event, connectRequested, task);
    const auth = parseAuth((opened ?? resumed)?.authJson);
    if (resumed !== undefined) this.away.delete(key(event));
    return this.resolved(event.namespace, auth, (nsp) => {
      if (opened !== undefined) return this.open(nsp, opened.session ?? nobody, auth, false);
      if (resumed !== undefined) return this.resume(nsp, resumed.session ?? nobody, auth, resumed.complete);
      if (event.suspended !== undefined) return this.suspend(nsp, event, toReason(event.suspended.reason));
      if (event.closed !== undefined) return this.end(nsp, event.sid, event.closed);
      return undefined; // a kind that a later edge has
    });
  }

  /** Takes a part of the list of this member's sessions. Those it does not name are gone. */
  snapshot(part: Snapshot): void {
    if (this.told === undefined) this.away.clear();
    this.told ??= new Set();
    for (const session of part.sessions) {
      this.told.add(key(session));
      this.adopt(session);
    }
    if (!part.last) return;
    const { told } = this;
    this.told = undefined;
    this.each((socket) => {
      if (!told.has(key({ namespace: socket.nsp.name, sid: socket.id }))) this.lose(socket);
    });
  }

  /** Takes a change of this member's sessions. */
  assignment(change: Assignment): void {
    const lost = new Set(change.lostSids);
    this.each((socket) => {
      if (lost.has(socket.id)) this.lose(socket);
    });
    for (const session of change.gained) this.adopt(session);
  }

  /** Takes what others have done to a session, and the change of its transport. */
  changed({ sid, namespace, joined, left, allRooms, transport }: SessionChange): void {
    this.later(namespace, (nsp) => {
      const socket = nsp?.sockets.get(sid);
      if (nsp === undefined || socket === undefined) return;
      const { adapter } = nsp;
      const gone = allRooms ? [...adapter.socketRooms(sid)!].filter((room) => room !== sid && !joined.includes(room)) : left;
      for (const room of gone) adapter.del(sid, room);
      adapter.addAll(sid, joined);
      if (transport !== "") socket.conn._carried(transport);
    });
  }

  /** Disconnects a socket, as far as this process is concerned. */
  close(socket: AnySocket, reason: DisconnectReason): Pending {
    this.server._core.deliveries.release(socket);
    try {
      return socket.nsp._close(socket, reason)?.catch((err) => {
        socket._failed = true;
        throw err;
      });
    } catch (err) {
      socket._failed = true;
      throw err;
    }
  }

  private ask(event: Event, request: ConnectRequested, task: Task): Pending {
    const auth = parseAuth(request.authJson);
    let end: (() => void) | undefined;
    let fail: ((err: unknown) => void) | undefined;
    let failure: { err: unknown } | undefined;
    let decided = false;
    this.server._match(event.namespace, auth, (nsp) => {
      const over = (err?: { err: unknown }) => {
        decided = true;
        failure = err;
        if (err === undefined) end?.();
        else fail?.(err.err);
      };
      if (nsp === undefined) {
        task.decide({ reject: { message: "Invalid namespace" } });
        return over();
      }
      admit(nsp, event.sid, request, auth, (decision) => task.decide(decision), over);
    });
    if (failure !== undefined) throw (failure as { err: unknown }).err;
    if (decided) return undefined;
    return new Promise<void>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
  }

  // Without auth it is what it was before.
  private open(nsp: AnyNamespace, session: Session, auth: Record<string, any> | undefined, recovered: boolean): Pending {
    const { server } = this;
    const { sid } = session;
    const before = nsp.sockets.get(sid) ?? nsp._gone.get(sid);
    const client = server._core.clients.get(session.connectionId, session.transport, session.handshake);
    let socket = nsp._connecting.get(sid);
    if (socket === undefined) {
      const handshake = withUser(toHandshake(session.handshake, auth ?? before?.handshake.auth ?? {}), session.userId, session.attributes);
      socket = new Socket(nsp, client, sid, handshake, recovered);
      restore(socket, session, before);
    }
    socket.client = client;
    socket.recovered = recovered;
    socket._welcome = undefined;
    nsp._connecting.delete(sid);
    nsp._gone.delete(sid);
    nsp.sockets.set(sid, socket);
    client.sockets.set(sid, socket);
    nsp.adapter.addAll(sid, [sid, ...session.rooms]);
    socket.connected = true;
    if (before?._touched) server._core.touch(socket);
    const a = nsp._run("connect", [socket]);
    const b = nsp._run("connection", [socket]);
    return a && b ? Promise.all([a, b]) : (a ?? b);
  }

  private suspend(nsp: AnyNamespace, event: Event, reason: DisconnectReason): Pending {
    if (this.find(event) === undefined) void this.server._core.guard(() => this.open(nsp, { ...nobody, sid: event.sid, namespace: nsp.name }, undefined, true));
    const socket = nsp.sockets.get(event.sid);
    return socket && this.close(socket, reason);
  }

  private resume(nsp: AnyNamespace, session: Session, auth: Record<string, any>, complete: boolean): Pending {
    const open = nsp.sockets.get(session.sid);
    // The connection was lost in a way that nobody noticed, as when the edge itself was lost.
    if (open !== undefined) void this.server._core.guard(() => this.close(open, "transport close"));
    return this.open(nsp, session, auth, complete);
  }

  private end(nsp: AnyNamespace, sid: string, closed: Closed): Pending {
    const reason = closed.detail === "" ? toReason(closed.reason) : (closed.detail as DisconnectReason);
    let socket = nsp.sockets.get(sid) ?? nsp._gone.get(sid);
    if (socket === undefined && closed.session !== undefined && !this.away.delete(key({ namespace: nsp.name, sid }))) {
      // It ended while no program was there: the listeners hear of both, so that nothing stays open.
      const session = closed.session;
      void this.server._core.guard(() => this.open(nsp, session, undefined, true));
      socket = nsp.sockets.get(sid);
    }
    if (socket === undefined) return undefined;
    const gone = socket;
    const again = gone._failed && !gone.connected;
    gone._failed = false;
    const pending = again ? gone._run("disconnect", [reason]) : gone.connected ? this.close(gone, reason) : undefined;
    if (pending === undefined) nsp._gone.delete(sid);
    return pending?.then(() => nsp._gone.delete(sid));
  }

  private adopt(session: Session): void {
    if (session.state === SessionState.SUSPENDED) {
      const open = this.find(session);
      if (open?.connected) void this.server._core.guard(() => this.close(open, "transport close"));
      else if (open === undefined) this.away.add(key(session));
    }
    if (session.state !== SessionState.OPEN) return;
    const auth = parseAuth(session.authJson);
    this.resolve(session.namespace, auth, (nsp) => {
      if (nsp === undefined) return;
      const open = nsp.sockets.get(session.sid);
      if (open !== undefined && open.client.id === session.connectionId) {
        nsp.adapter.addAll(session.sid, session.rooms);
        return;
      }
      if (open !== undefined) void this.server._core.guard(() => this.close(open, "transport close"));
      void this.server._core.guard(() => this.open(nsp, session, auth, open === undefined || session.recovered));
    });
  }

  private lose(socket: AnySocket): void {
    void this.server._core.guard(() => this.close(socket, "session moved"));
    socket.nsp._gone.delete(socket.id);
  }

  private resolved(name: string, auth: Record<string, any>, then: (nsp: AnyNamespace) => Pending): Pending {
    const known = this.server._nsps.get(name);
    if (known !== undefined) return then(known);
    return new Promise((resolve, reject) => {
      this.resolve(name, auth, (nsp) => {
        if (nsp === undefined) return resolve(undefined);
        try {
          resolve(then(nsp));
        } catch (err) {
          reject(err);
        }
      });
    });
  }

  // Calls then with the namespace, after what waits for its being looked up.
  private later(name: string, then: (nsp: AnyNamespace | undefined) => void): void {
    const waiting = this.resolving.get(name);
    if (waiting !== undefined) waiting.push(then);
    else then(this.server._nsps.get(name));
  }

  // A namespace is looked up once, however many events of it arrive meanwhile; they stay in order.
  private resolve(name: string, auth: Record<string, any>, then: (nsp: AnyNamespace | undefined) => void): void {
    const waiting = this.resolving.get(name);
    if (waiting !== undefined) {
      waiting.push(then);
      return;
    }
    const list = [then];
    this.resolving.set(name, list);
    this.server._match(name, auth, (nsp) => {
      this.resolving.delete(name);
      for (const f of list) f(nsp);
    });
  }
}

function key({ namespace, sid }: { namespace: string; sid: string }): string {
  return `${sid} ${namespace}`;
}

// Data is what this process knows, which may be newer than what the edge has; else what the edge has.
function restore(socket: AnySocket, session: Session, before: AnySocket | undefined): void {
  const saved = session.attributes["data"];
  if (before !== undefined && !before._ended) socket._restoreData(before._peekData(), before._savedData);
  else if (saved !== undefined && saved !== "") socket._restoreData(JSON.parse(saved), saved);
}
