// Plays the backend's half of the conformance cases with the TypeScript SDK. See ../README.md.
import { readFileSync, writeSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Server } from "../../node/dist/index.mjs";

const flags = { edge: {}, group: {}, member: {}, part: {}, life: { default: "1" } };
const { values: options } = parseArgs({
  options: Object.fromEntries(Object.entries(flags).map(([k, v]) => [k, { type: "string", ...v }])),
});
const life = Number(options.life);
const part = JSON.parse(readFileSync(options.part, "utf8"));
const tries = {};
const tell = (line) => writeSync(1, JSON.stringify(line) + "\n");

const io = new Server(options.edge, { group: options.group, memberId: options.member, onError: () => {} });
const nsp = io.of(part.namespace);

/** What actions are about: something that happened to a socket. */
class Scene {
  constructor(socket, what, args = [], reason = "") {
    Object.assign(this, { socket, what, args, reason });
  }

  /** What an expression stands for. */
  value(expression) {
    if (Array.isArray(expression)) return expression.map((e) => this.value(e));
    if (expression === null || typeof expression !== "object") return expression;
    const [key] = Object.keys(expression);
    if (key?.startsWith("$")) return this.special(key, expression[key]);
    return Object.fromEntries(Object.entries(expression).map(([k, e]) => [k, this.value(e)]));
  }

  special(key, operand) {
    const { socket } = this;
    switch (key) {
      case "$bytes": return Buffer.from(operand, "hex");
      case "$integer": return Number(operand);
      case "$args": return this.args;
      case "$arg": return this.args[operand] ?? null;
      case "$kinds": return kinds(this.args);
      case "$auth": return socket.handshake.auth;
      case "$answer": return this.answer;
      case "$sid": return socket.id;
      case "$rooms": return [...socket.rooms].filter((room) => room !== socket.id).sort();
      case "$attribute": return socket.data[operand] ?? "";
      case "$reason": return this.reason;
      case "$member": return options.member;
      case "$life": return life;
    }
    throw new Error(`unknown expression ${key}`);
  }

  /** Does the actions in order and returns the reply, if there is one. */
  async run(actions) {
    for (const action of actions) {
      if ("reply" in action) return this.value(action.reply);
      await this.do(action);
    }
  }

  async do(action) {
    const { socket } = this;
    const [[verb, operand]] = Object.entries(action);
    const args = this.value(action.args ?? []);
    switch (verb) {
      case "emit": return void this.target(action).emit(operand, ...args);
      case "ask": return void (this.answer = await this.ask(operand, args, action.timeout));
      case "tell": return void (this.answer = await nsp.serverSideEmitWithAck(operand, ...args));
      case "join": return socket.join(this.value(operand));
      case "leave": return void (await Promise.all(this.value(operand).map((room) => socket.leave(room))));
      case "set": return void Object.assign(socket.data, operand);
      case "reject": throw Object.assign(new Refused(operand), "data" in action ? { data: action.data } : {});
      case "disconnect": return void socket.disconnect();
      case "note": return tell({ note: this.value(operand) });
      case "fail":
        tries[this.what] = (tries[this.what] ?? 0) + 1;
        if (tries[this.what] <= operand) throw new Error("told to fail");
        return;
      case "exit": return operand === life ? process.exit(1) : undefined;
      case "wait": return pause(operand);
    }
    throw new Error(`unknown action ${verb}`);
  }

  /** All arguments of the answer, of which emitWithAck would give the first only. */
  ask(event, args, timeout) {
    return new Promise((resolve) => {
      this.socket.timeout(timeout).emit(event, ...args, (err, ...answer) => resolve(err ? "no answer in time" : answer));
    });
  }

  target(action) {
    const to = this.value(action.to ?? "self");
    if (to === "self") return this.socket;
    const rooms = to === "everyone" ? nsp : nsp.to(to);
    const excepted = (action.except ?? []).map((name) => (name === "self" ? this.socket.id : name));
    return excepted.length > 0 ? rooms.except(excepted) : rooms;
  }
}

class Refused extends Error {}

function kinds(value) {
  if (value === null) return "null";
  if (typeof value === "boolean") return "bool";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return value.map(kinds);
  if (typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, kinds(v)]));
  return typeof value;
}

if (part.connect) {
  nsp.use((socket, next) =>
    new Scene(socket, "connect").run(part.connect).then(
      () => next(),
      (err) => {
        if (!(err instanceof Refused)) throw err;
        next(err);
      },
    ),
  );
}
nsp.on("connection", (socket) => {
  for (const [event, actions] of Object.entries(part.on)) {
    socket.on(event, async (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      const reply = await new Scene(socket, event, args).run(actions);
      if (reply !== undefined) ack?.(...reply);
    });
  }
  socket.on("disconnect", (reason) => new Scene(socket, "disconnect", [], reason).run(part.disconnect ?? []));
});

for (const [event, actions] of Object.entries(part.told ?? {})) {
  nsp.on(event, async (...args) => {
    const ack = args.pop();
    ack(...(await new Scene(undefined, event, args).run(actions)));
  });
}

io.status.on("change", ({ state }) => state === "attached" && tell({ attached: true }));
process.once("SIGTERM", async () => {
  await io.close();
  process.exit();
});
