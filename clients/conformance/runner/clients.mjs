// Stock clients by name, and what has happened to each.
import { io } from "socket.io-client";
import { Queue, within } from "./programs.mjs";

/** A value of a case as a client sends it. */
export function unpack(v) {
  if (Array.isArray(v)) return v.map(unpack);
  if (v === null || typeof v !== "object") return v;
  if ("$bytes" in v) return Buffer.from(v.$bytes, "hex");
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]));
}

/** What a client got as a case writes it. */
export function pack(v) {
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return { $bytes: Buffer.from(v).toString("hex") };
  if (Array.isArray(v)) return v.map(pack);
  if (v === null || typeof v !== "object") return v;
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, pack(x)]));
}

/** One client; everything that happens to it comes out of `seen` in order, as a case writes it. */
export class Client {
  seen = new Queue();
  answers = new Map();

  constructor(name, url, { namespace = "/", auth, transports = ["websocket"], acks = {} }) {
    this.name = name;
    this.socket = io(url + namespace, { auth, transports, forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    const { socket } = this;
    socket.on("connect", () => this.seen.put({ connected: socket.recovered === true }));
    socket.on("disconnect", (reason) => this.seen.put({ gone: reason }));
    socket.on("connect_error", (error) => {
      if (!socket.active) this.seen.put({ refused: error.data === undefined ? [error.message] : [error.message, error.data] });
    });
    socket.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" && args.pop();
      // What a client that can be recovered gets ends with an offset, which the official client
      // leaves there.
      if (socket._pid && !ack && typeof args.at(-1) === "string") args.pop();
      this.seen.put({ event, args: pack(args) });
      if (ack && acks[event]) ack(...unpack(acks[event]));
    });
  }

  next(what) {
    return this.seen.take(() => `${this.name} to see ${JSON.stringify(what)}`);
  }

  emit(event, args) {
    this.socket.emit(event, ...unpack(args));
  }

  /** Resolves with the arguments of the acknowledgement, or with what the client says instead. */
  ask(event, args, timeout) {
    const answer = timeout
      ? new Promise((resolve) => this.socket.timeout(timeout).emit(event, ...unpack(args), (err, ...got) => resolve(err ? err.message : pack(got))))
      : new Promise((resolve) => this.socket.emit(event, ...unpack(args), (...got) => resolve(pack(got))));
    return within(answer, `the answer to ${event} of ${this.name}`);
  }

  /** Sends a Socket.IO packet as text and resolves with the next one that comes. */
  frame(text) {
    const { engine } = this.socket.io;
    const back = new Promise((resolve) => engine.once("data", resolve));
    engine.write(text);
    return within(back, `an answer to ${text}`);
  }

  /** Loses the connection without a word, and stays away. */
  lose() {
    this.socket.io.reconnection(false);
    this.socket.io.engine.close();
  }

  back() {
    this.socket.io.reconnection(true);
    this.socket.connect();
  }

  end() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}
