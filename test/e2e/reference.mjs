// The official Node server behaving like the backends of these tests. Running the tests
// against it shows that they ask for what the official server does, not for what ours does.
//
//   node reference.mjs --port 3000 --ping-interval 300 --ping-timeout 200

import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server as Engine } from "engine.io";
import { Server } from "socket.io";

const milliseconds = { type: "string", default: "0" };
const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "3000" },
    "ping-interval": { ...milliseconds, default: "25000" },
    "ping-timeout": { ...milliseconds, default: "20000" },
    "connect-timeout": { ...milliseconds, default: "45000" },
    "recovery-window": milliseconds,
    cors: { type: "string" },
  },
});

const heartbeat = {
  pingInterval: Number(flags["ping-interval"]),
  pingTimeout: Number(flags["ping-timeout"]),
  cors: flags.cors ? { origin: flags.cors, credentials: flags.cors !== "*" } : undefined,
};
const window = Number(flags["recovery-window"]);

const http = createServer((_, response) => response.writeHead(404).end());
const io = new Server(http, {
  ...heartbeat,
  connectTimeout: Number(flags["connect-timeout"]),
  connectionStateRecovery:
    window > 0 ? { maxDisconnectionDuration: window, skipMiddlewares: false } : undefined,
});

const engine = new Engine(heartbeat);
engine.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
engine.attach(http, { path: "/engine.io", destroyUpgrade: false });

const histories = new Map(); // auth.label -> what happened to the sockets with that label

function record(socket, entry) {
  const label = socket.handshake.auth.label;
  if (!label) return;
  if (!histories.has(label)) histories.set(label, []);
  histories.get(label).push({ sid: socket.id, ...entry });
}

for (const name of ["/", "/custom"]) {
  const namespace = io.of(name);
  namespace.use((socket, next) => {
    const { reject, user, rooms, attributes } = socket.handshake.auth.decide ?? {};
    if (reject) return next(Object.assign(new Error(reject.message), { data: reject.data }));
    if (user) socket.join(`user ${user}`);
    if (rooms) socket.join(rooms);
    Object.assign(socket.data, { user, attributes: { ...attributes } });
    next();
  });
  namespace.on("connection", (socket) => {
    record(socket, { kind: socket.recovered ? "resumed" : "opened" });
    socket.on("disconnecting", (reason) => {
      const rooms = [...socket.rooms].filter((room) => room !== socket.id);
      record(socket, { kind: "closed", reason, rooms });
    });

    if (!socket.recovered) {
      for (const [event, ...args] of socket.handshake.auth.decide?.greeting ?? []) socket.emit(event, ...args);
      socket.emit("auth", socket.handshake.auth);
    }
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
    socket.on("count", (i, reply) => (socket.emit("counted", i), reply?.(i)));
    socket.on("cmd", async (command, binary, reply) => reply(await run(socket, command, binary)));
  });
}

async function run(socket, command, binary) {
  try {
    return await commands[command.op](socket, command, binary);
  } catch (error) {
    return { error: error.message };
  }
}

function select(socket, to) {
  const { rooms = [], sids = [], users = [], everyone, exceptRooms = [], exceptSids = [] } = to;
  const targets = [...rooms, ...sids, ...users.map((user) => `user ${user}`)];
  if (!everyone && targets.length === 0) throw new Error("TARGET_EMPTY");
  return socket.nsp.to(targets).except([...exceptRooms, ...exceptSids]);
}

// What a client can ask for with the event `cmd`; backend/commands.go has the same table.
const commands = {
  join: (socket, { sid, rooms }) => (socket.nsp.in(sid ?? socket.id).socketsJoin(rooms), {}),
  leave: (socket, { sid, rooms }) => (socket.nsp.in(sid ?? socket.id).socketsLeave(rooms), {}),
  disconnect: (socket, { to, close }) => (select(socket, to).disconnectSockets(close), {}),

  async emit(socket, { to, event, args = [], volatile, timeout }, binary) {
    let operator = select(socket, to);
    if (binary) args = [...args, binary];
    if (volatile) operator = operator.volatile;
    if (!timeout) return operator.emit(event, ...args), {};
    const matched = (await operator.fetchSockets()).length;
    const answers = await new Promise((resolve) =>
      operator.timeout(timeout).emit(event, ...args, (_, answers) => resolve(answers)),
    );
    return { acked: answers.length, timedOut: matched - answers.length, answers };
  },

  burst(socket, { event, count }) {
    for (let i = 0; i < count; i++) socket.emit(event, i);
    return {};
  },

  "volatile-burst"(socket, { event, count }) {
    for (let i = 0; i < count; i++) socket.volatile.emit(event, i);
    socket.emit(event, "last");
    return {};
  },

  async session(socket, { sid = socket.id }) {
    const [found] = await socket.nsp.in(sid).fetchSockets();
    if (!found) return { error: "SESSION_GONE" };
    const rooms = [...found.rooms].filter((room) => room !== sid && !room.startsWith("user ")).sort();
    return { rooms, user: found.data.user ?? "", attributes: found.data.attributes };
  },

  async count(socket, { rooms = [] }) {
    return { count: (await socket.nsp.in(rooms).fetchSockets()).length };
  },

  handshake(socket) {
    const { query, headers, address, secure } = socket.handshake;
    return { query, headers, address, secure };
  },

  update: (socket, { set }) => (Object.assign(socket.data.attributes, set), {}),

  history: (_, { label }) => ({ entries: histories.get(label) ?? [] }),
};

http.listen(Number(flags.port), "127.0.0.1");
