import assert from "node:assert/strict";
import type { Socket as ClientSocket } from "socket.io-client";
import type { Server, Socket } from "../src/index";
import { edgeTest, next, pause, until, type World } from "./edge";

type Pair = { io: Server; s: Socket; c: ClientSocket };

async function pair(world: World, options: object = {}): Promise<Pair> {
  const io = world.server();
  const connection = next(io, "connection");
  const c = world.client("/", options);
  await next(c, "connect");
  const [s] = await connection;
  return { io, s, c };
}

edgeTest("receives events with all kinds of values, nested buffers too", async (world) => {
  const { s, c } = await pair(world);
  const values = [1, "2", [3], null, { a: { b: true } }, Buffer.from("x"), [Buffer.from("asdf"), "swag", { deep: Buffer.alloc(0) }], "utf8 — string 🐴", 2 ** 53 - 1, 0.1];
  c.emit("random", ...values);
  assert.deepEqual(await next(s, "random"), values);
  c.send(1337);
  assert.deepEqual(await next(s, "message"), [1337]);
  c.send(null);
  assert.deepEqual(await next(s, "message"), [null]);
  c.emit("");
  assert.deepEqual(await next(s, ""), []);
});

edgeTest("emits events with all kinds of values, nested buffers too", async (world) => {
  const { s, c } = await pair(world);
  const date = new Date();
  s.emit("many", 1, Buffer.from("image"), "3", [4], Uint8Array.of(1, 2), [Buffer.from("a"), "swag"], { at: date, un: undefined }, undefined, new ArrayBuffer(3), "utf8 — string 🐴");
  const got = await next(c, "many");
  assert.deepEqual(got, [1, Buffer.from("image"), "3", [4], Buffer.from([1, 2]), [Buffer.from("a"), "swag"], { at: date.toISOString() }, null, Buffer.alloc(3), "utf8 — string 🐴"]);
  s.send("a");
  assert.deepEqual(await next(c, "message"), ["a"]);
  s.write("b");
  assert.deepEqual(await next(c, "message"), ["b"]);
  assert.throws(() => s.emit("big", 1n), TypeError);
});

edgeTest("what is emitted is what it was when it was emitted", async (world) => {
  const { s, c } = await pair(world);
  const value = { n: 1 };
  const bytes = Buffer.from([1]);
  s.emit("v", value, bytes);
  value.n = 2;
  bytes[0] = 2;
  assert.deepEqual(await next(c, "v"), [{ n: 1 }, Buffer.from([1])]);
});

edgeTest("callbacks of clients: without and with arguments, with binary ones, at once and late", async (world) => {
  const { s, c } = await pair(world);
  s.on("plain", (fn) => fn(1, 2));
  s.on("args", (a, b, fn) => setTimeout(() => fn(a + b), 50));
  s.on("bytes", (buf, fn) => fn(Buffer.concat([buf, buf])));
  s.on("twice", (fn) => (fn(1), fn(2)));
  s.on("async", async (x, fn) => (await pause(10), fn(x)));
  s.on("rest", (...args) => setImmediate(() => args.at(-1)(args.length)));
  assert.deepEqual(await new Promise((resolve) => c.emit("plain", (...r: unknown[]) => resolve(r))), [1, 2]);
  assert.equal(await c.emitWithAck("args", 1, 2), 3);
  assert.deepEqual(await c.emitWithAck("bytes", Buffer.from("ab")), Buffer.from("abab"));
  assert.equal(await c.emitWithAck("twice"), 1);
  assert.equal(await c.emitWithAck("async", 9), 9);
  assert.equal(await c.emitWithAck("rest", 1, 2), 3);
});

edgeTest("callbacks of the server: without and with arguments, with binary ones, as a promise", async (world) => {
  const { s, c } = await pair(world);
  c.on("none", (fn) => fn());
  c.on("hi", (a, b, fn) => fn(a + b));
  c.on("bytes", (buf, fn) => fn(Buffer.concat([buf, Buffer.from("!")])));
  assert.deepEqual(await new Promise((resolve) => s.emit("none", (...r: unknown[]) => resolve(r))), []);
  assert.equal(await s.emitWithAck("hi", 1, 2), 3);
  assert.deepEqual(await s.emitWithAck("bytes", Buffer.from("x")), Buffer.from("x!"));
});

edgeTest("timeout(): the client does not answer, not in time, in time", async (world) => {
  const { s, c } = await pair(world);
  c.on("echo", (x, cb) => cb(x));
  const callback = (ms: number, event: string) => new Promise<any[]>((resolve) => s.timeout(ms).emit(event, 42, (...r: unknown[]) => resolve(r)));
  assert.match(String((await callback(50, "unknown"))[0]), /operation has timed out/);
  assert.ok((await callback(0, "echo"))[0] instanceof Error);
  assert.deepEqual(await callback(5000, "echo"), [null, 42]);
  await assert.rejects(s.timeout(50).emitWithAck("unknown"), /operation has timed out/);
  assert.equal(await s.timeout(5000).emitWithAck("echo", 42), 42);
  assert.equal(world.errors.length, 0);
});

edgeTest("events of a namespace arrive at once and in order", async (world) => {
  const io = world.server();
  const seen: string[] = [];
  io.of("/chat", (s) => s.on("hi", (letter) => seen.push(letter)));
  const chat = world.client("/chat");
  for (const letter of "abcdefghij") chat.emit("hi", letter);
  await until(() => seen.length === 10);
  assert.equal(seen.join(""), "abcdefghij");
});

for (const transport of ["polling", "websocket"] as const) {
  edgeTest(`volatile events over ${transport}: after a regular one, alone, two in a row, between regular ones`, async (world) => {
    const { s, c, io } = await pair(world, { transports: [transport] });
    const seen: unknown[] = [];
    c.on("ev", (x) => seen.push(x));
    const turn = async (act: () => void) => {
      await pause(100); // until nothing is being sent
      act();
      await pause(100);
      return seen.splice(0);
    };
    assert.deepEqual(await turn(() => (s.emit("ev", 1), s.volatile.emit("ev", 2))), [1]);
    assert.deepEqual(await turn(() => s.volatile.emit("ev", 1)), [1]);
    assert.deepEqual(await turn(() => (s.volatile.emit("ev", 1), s.volatile.emit("ev", 2))), [1]);
    assert.deepEqual(await turn(() => (s.volatile.emit("ev", Buffer.from([1])), s.volatile.emit("ev", Buffer.from([2])))), [Buffer.from([1])]);
    assert.deepEqual(await turn(() => (io.volatile.emit("ev", Buffer.from([1])), io.volatile.emit("ev", Buffer.from([2])))), [Buffer.from([1])]);
    assert.deepEqual(await turn(() => (s.emit("ev", 1), s.volatile.emit("ev", 2), s.emit("ev", 3))), [1, 3]);
  });
}

edgeTest("the client, the connection, the request", async (world) => {
  const { s, c, io } = await pair(world, { query: { key1: 1, key2: "é" }, auth: { token: "t" }, extraHeaders: { "x-name": "v" }, transports: ["websocket"] });
  assert.equal(s.client.conn, s.conn);
  assert.equal(s.client.sockets.get(s.id), s);
  assert.equal(s.conn.transport.name, "websocket");
  assert.equal(s.conn.readyState, "open");
  assert.equal(s.request.headers["x-name"], "v");
  const query = new URL(s.request.url, "http://x").searchParams;
  assert.deepEqual([query.get("key1"), query.get("key2"), query.get("EIO")], ["1", "é", "4"]);
  const { handshake: h } = s;
  assert.equal(h.headers["x-name"], "v");
  assert.deepEqual(h.auth, { token: "t" });
  assert.equal(h.query["key1"], "1");
  assert.equal(h.address, "127.0.0.1");
  assert.deepEqual([h.secure, h.xdomain], [false, false]);
  assert.ok(Math.abs(h.issued - Date.now()) < 60_000);
  assert.equal(h.time, String(new Date(h.issued)));
  assert.equal(io.engine.clientsCount, 1);
  const closed = next(s.conn, "close");
  c.disconnect();
  await closed;
  assert.equal(io.engine.clientsCount, 0);
});

edgeTest("query and auth of a second namespace", async (world) => {
  const io = world.server();
  const connection = next(io.of("/connection2"), "connection");
  const c1 = world.client();
  await next(c1, "connect");
  c1.io.socket("/connection2", { auth: { key1: "aa", key2: "&=bb" } }).connect();
  const [s] = await connection;
  assert.equal(s.handshake.query.key1, undefined);
  assert.equal(s.handshake.query.EIO, "4");
  assert.deepEqual(s.handshake.auth, { key1: "aa", key2: "&=bb" });
});

edgeTest("very large values, both ways", async (world) => {
  const { s, c } = await pair(world, { transports: ["websocket"] });
  const json = { hello: "friend", list: Array.from({ length: 20_000 }, (_, i) => ({ i, name: `item ${i}` })) };
  const image = Buffer.alloc(700_000, "image");
  s.on("big", (a) => s.emit("big", a));
  for (const value of [json, { hello: "friend", image }]) {
    c.emit("big", value);
    assert.deepEqual(await next(c, "big"), [value]);
  }
});

edgeTest("a client can emit after it was disconnected and is back", async (world) => {
  const { io, c } = await pair(world, { reconnectionDelay: 10 });
  const again = next(io, "connection");
  c.io.engine.close();
  const [s] = await again;
  c.emit("ev", "payload");
  assert.deepEqual(await next(s, "ev"), ["payload"]);
  assert.equal(s.recovered, false);
});

edgeTest("a client gives up once when the edge has gone", async (world) => {
  const { c } = await pair(world, { reconnectionAttempts: 3, reconnectionDelay: 10, reconnectionDelayMax: 20 });
  let failed = 0;
  c.io.on("reconnect_failed", () => failed++);
  await world.kill();
  await until(() => failed > 0);
  await pause(200);
  assert.equal(failed, 1);
});

edgeTest("compress() of one event", async (world) => {
  const { io, s } = await pair(world);
  const sent: unknown[] = [];
  io._core.send = (emit) => (sent.push([emit.event, emit.compress ?? true]), "");
  s.emit("by default");
  s.compress(false).emit("off");
  s.emit("the next");
  assert.deepEqual(sent, [["by default", true], ["off", false], ["the next", true]]);
});

edgeTest("manually reconnecting connects once", async (world) => {
  const { io, c } = await pair(world, { reconnection: false });
  let n = 0;
  io.on("connection", () => n++);
  const gone = next(c, "disconnect");
  c.io.engine.close();
  await gone;
  c.connect();
  await next(c, "connect");
  await pause(50);
  assert.equal(n, 1);
});

edgeTest("reserved names, and names that only look so", async (world) => {
  const { s, c } = await pair(world);
  for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
    assert.throws(() => s.emit(name), new RegExp(`"${name}" is a reserved event name`));
  }
  c.emit("error", { x: 1 }); // must not throw here
  c.emit("after");
  await next(s, "after");
  s.emit("connection", 1);
  assert.deepEqual(await next(c, "connection"), [1]);
});

edgeTest("works when somebody adds to Object.prototype", async (world) => {
  (Object.prototype as any).foo = "bar";
  try {
    const { s, c } = await pair(world);
    s.join("r");
    s.data = { a: 1 };
    s.emit("x", { b: Buffer.from("1") });
    const [x] = await next(c, "x");
    assert.deepEqual(Object.keys(x), ["b"]);
  } finally {
    delete (Object.prototype as any).foo;
  }
});

edgeTest("a disconnected socket hears nothing and joins nothing", async (world) => {
  const { io, s, c } = await pair(world);
  s.on("test", () => world.errors.push(new Error("heard")));
  c.on("bye", () => c.emit("test"));
  s.emit("bye");
  s.disconnect();
  s.join("room1");
  assert.deepEqual([s.connected, s.disconnected, s.rooms.size, io.sockets.adapter.rooms.size], [false, true, 0, 0]);
  assert.deepEqual((await next(c, "disconnect"))[0], "io server disconnect");
  await pause(50);
  assert.deepEqual(await io.in("room1").allSockets(), new Set());
});

edgeTest("reasons: what the client did, what the server did", async (world) => {
  const io = world.server();
  const why = async (act: (s: Socket, c: ClientSocket) => void) => {
    const connection = next(io, "connection");
    const c = world.client("/", { reconnection: false, transports: ["websocket"] });
    await next(c, "connect");
    const [s] = await connection;
    const reason = next(s, "disconnect");
    act(s, c);
    return (await reason)[0];
  };
  assert.equal(await why((_s, c) => c.disconnect()), "client namespace disconnect");
  assert.equal(await why((s) => s.disconnect()), "server namespace disconnect");
  assert.equal(await why((s) => s.disconnect(true)), "server namespace disconnect");
  assert.equal(await why((_s, c) => c.io.engine.close()), "transport close");
  for (const broken of ["abc", "5woooot", "5", "2[]", '51-["x"]', '4["handle me please"]']) {
    assert.equal(await why((_s, c) => (c.io.engine as any).write(broken)), "forced close", broken);
  }
  assert.equal(await why((_s, c) => (c.io.engine as any).write("0")), "forced server close");
});

edgeTest("onAny: called, before the others, removed", async (world) => {
  const { s, c } = await pair(world);
  const order: string[] = [];
  const gone = () => order.push("gone");
  s.onAny(gone);
  s.offAny(gone);
  assert.equal(s.listenersAny().length, 0);
  s.onAny((event, x) => order.push(`last ${event} ${x}`));
  s.prependAny(() => order.push("second"));
  s.prependAny(() => order.push("first"));
  s.on("my-event", () => order.push("listener"));
  c.emit("my-event", "123");
  await until(() => order.length === 4);
  assert.deepEqual(order, ["first", "second", "last my-event 123", "listener"]);
  s.offAny();
  assert.equal(s.listenersAny().length, 0);
});

edgeTest("onAnyOutgoing: called, before the others, removed; callbacks are not arguments", async (world) => {
  const { s } = await pair(world);
  const order: unknown[] = [];
  const gone = () => order.push("gone");
  s.onAnyOutgoing(gone);
  s.offAnyOutgoing(gone);
  assert.equal(s.listenersAnyOutgoing().length, 0);
  s.onAnyOutgoing((...args) => order.push(args));
  s.prependAnyOutgoing(() => order.push("first"));
  s.emit("my-event", "123", () => {});
  assert.deepEqual(order, ["first", ["my-event", "123"]]);
});

edgeTest("numeric names", async (world) => {
  const { s, c } = await pair(world);
  const any = new Promise((resolve) => s.onAny((name) => resolve(name)));
  c.emit(5 as never, "x");
  assert.deepEqual(await next(s, "5"), ["x"]);
  assert.equal(await any, 5);
});
