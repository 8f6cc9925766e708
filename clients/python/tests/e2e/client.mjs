// Stock Socket.IO clients told what to do by lines of JSON, telling what happens to them likewise.
// Bytes are {"$bytes": "hex"}.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const clients = {};

const pack = (v) =>
  v instanceof Uint8Array || v instanceof ArrayBuffer ? { $bytes: Buffer.from(v).toString("hex") }
  : Array.isArray(v) ? v.map(pack)
  : v && typeof v === "object" ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, pack(x)]))
  : v;
const unpack = (v) =>
  Array.isArray(v) ? v.map(unpack)
  : v && typeof v === "object"
    ? "$bytes" in v ? Buffer.from(v.$bytes, "hex")
    : Object.fromEntries(Object.entries(v).map(([k, x]) => [k, unpack(x)]))
  : v;
const tell = (client, what, ...args) => process.stdout.write(JSON.stringify([client, what, ...pack(args)]) + "\n");

const does = {
  connect(name, url, options) {
    const s = (clients[name] = io(url, { reconnectionDelay: 50, reconnectionDelayMax: 200, ...options }));
    s.on("connect", () => tell(name, "connect", s.id, s.recovered));
    s.on("disconnect", (reason) => tell(name, "disconnect", reason));
    s.on("connect_error", (e) => { if (!s.active) tell(name, "connect_error", e.message, e.data ?? null); });
    s.onAny((event, ...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : null;
      if (ack && event !== "silent") ack(...args.map((a) => (typeof a === "number" ? a + 1 : a)));
      tell(name, event, ...args);
    });
  },
  emit: (name, event, ...args) => clients[name].emit(event, ...unpack(args)),
  ask: (name, event, ...args) => clients[name].emit(event, ...unpack(args), (...answer) => tell(name, "ack", ...answer)),
  drop: (name) => clients[name].io.engine.close(),
  disconnect: (name) => clients[name].disconnect(),
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const [verb, ...rest] = JSON.parse(line);
  does[verb](...rest);
}).on("close", () => process.exit());
