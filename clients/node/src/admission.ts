import { Client, Connection } from "./client";
import type { ConnectRequested } from "./gen/sioedge/v1/event";
import type { ConnectDecision } from "./gen/sioedge/v1/event_service";
import { toHandshake, withUser } from "./handshake";
import type { ExtendedError, Namespace } from "./namespace";
import { Socket } from "./socket";
import type { Init } from "./wire/index";

type AnySocket = Socket<any, any, any, any>;
type Decision = Omit<Init<ConnectDecision>, "deliveryId">;

const FORGET_AFTER = 60_000;

/**
 * Runs the middlewares of a namespace for a client that asks to come in. Calls decide once, unless
 * a middleware fails or never calls next; then over, with what was thrown.
 */
export function admit(
  nsp: Namespace<any, any, any, any>,
  sid: string,
  request: ConnectRequested,
  auth: Record<string, any>,
  decide: (decision: Decision) => void,
  over: (failure?: { err: unknown }) => void,
): void {
  const { server } = nsp;
  const fns = nsp._fns;
  if (fns.length === 0 || (request.resuming && server._skipMiddlewares)) {
    decide({ accept: {} });
    return over();
  }
  const conn = new Connection("", "", request.handshake);
  const handshake = withUser(toHandshake(request.handshake, auth), request.userId, request.attributes);
  const socket: AnySocket = new Socket(nsp, new Client(server, conn), sid, handshake, request.resuming);
  socket._welcome = { greeting: [], rooms: new Set() };
  const before = nsp._gone.get(sid);
  if (before !== undefined) socket._restoreData(before._peekData(), before._savedData);
  nsp._connecting.set(sid, socket);

  let ended = false;
  const end = (act: () => void, failure?: { err: unknown }) => {
    if (ended) return;
    ended = true;
    if (failure === undefined) act();
    else forget(nsp, socket);
    over(failure);
  };
  const step = (i: number): void => {
    if (i === fns.length) return end(() => accept(nsp, socket, decide));
    let called = false;
    const next = (err?: ExtendedError) => {
      if (called) return;
      called = true;
      if (err) end(() => reject(nsp, socket, err, decide));
      else step(i + 1);
    };
    try {
      const r: unknown = fns[i](socket, next);
      if (typeof (r as Promise<unknown> | undefined)?.catch === "function") (r as Promise<unknown>).catch((err) => end(() => {}, { err }));
    } catch (err) {
      end(() => {}, { err });
    }
  };
  step(0);
}

function accept(nsp: Namespace<any, any, any, any>, socket: AnySocket, decide: (d: Decision) => void): void {
  const { greeting, rooms } = socket._welcome!;
  const attributes: Record<string, string> = {};
  const data = nsp.server._core.encodeData(socket);
  if (data !== undefined && data !== socket._savedData) {
    attributes["data"] = data;
    socket._savedData = data;
  }
  decide({ accept: { attributes, rooms: [...rooms], greeting } });
  socket._welcome = { greeting: [], rooms };
  // The client may have gone meanwhile; then it is never connected.
  setTimeout(() => forget(nsp, socket), FORGET_AFTER).unref();
}

function reject(nsp: Namespace<any, any, any, any>, socket: AnySocket, err: ExtendedError | string, decide: (d: Decision) => void): void {
  forget(nsp, socket);
  const { message, data } = typeof err === "string" ? { message: err, data: undefined } : err;
  decide({ reject: { message: String(message ?? ""), dataJson: data === undefined ? "" : JSON.stringify(data) } });
}

function forget(nsp: Namespace<any, any, any, any>, socket: AnySocket): void {
  if (nsp._connecting.get(socket.id) !== socket) return;
  nsp._connecting.delete(socket.id);
  if (!nsp.sockets.has(socket.id)) nsp._remove(socket);
}
