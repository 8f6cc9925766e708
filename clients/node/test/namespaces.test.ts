import assert from "node:assert/strict";
import { test } from "node:test";
import { Namespace, Server, Socket } from "../src/index";
import { countdown, edgeTest, next, pause, until } from "./edge";

async function offline(body: (io: Server) => void): Promise<void> {
  const io = new Server("127.0.0.1:1");
  try {
    body(io);
  } finally {
    await io.close();
  }
}

test("io.sockets is the main namespace, the server speaks for it", () =>
  offline((io) => {
    assert.ok(io.sockets instanceof Namespace);
    assert.equal(io.of("/"), io.sockets);
    for (const name of ["use", "to", "in", "emit", "send", "write", "allSockets", "compress"] as const) assert.equal(typeof io[name], "function");
  }));

test("broadcast operators never change", () =>
  offline((io) => {
    const operator = io.local.to(["room1", "room2"]).except("room3") as any;
    operator.compress(true).emit("hello");
    operator.volatile.emit("hello");
    operator.to("room4").emit("hello");
    operator.except("room5").emit("hello");
    io.to("room6").emit("hello");
    assert.deepEqual([...operator.rooms], ["room1", "room2"]);
    assert.deepEqual([...operator.exceptRooms], ["room3"]);
    assert.deepEqual(operator.flags, { local: true });
  }));

test("reserved names cannot be emitted", () => offline((io) => assert.throws(() => io.emit("connect"), /"connect" is a reserved event name/)));

test("new_namespace", () =>
  offline((io) => {
    const names: string[] = [];
    io.on("new_namespace", (nsp) => names.push(nsp.name));
    io.of("/nsp");
    io.of("nsp");
    assert.deepEqual(names, ["/nsp"]);
  }));

test("a namespace made by hand is a child of the pattern that matches", () =>
  offline((io) => {
    const parent: any = io.of(/^\/dynamic-\d+$/);
    assert.ok(parent.children.has(io.of("/dynamic-101")));
  }));

edgeTest("a client connects; connection and connect fire with a Socket", async (world) => {
  const io = world.server();
  const both = [next(io, "connection"), next(io, "connect")];
  const c = world.client();
  await next(c, "connect");
  const [[a], [b]] = await Promise.all(both);
  assert.ok(a instanceof Socket);
  assert.equal(a, b);
  assert.equal(a.id, c.id);
});

edgeTest("several namespaces on one connection", async (world) => {
  const io = world.server();
  const chats = countdown(2);
  io.of("/chat");
  io.of("/news", chats.hit);
  io.of("/news").on("connection", chats.hit);
  const chat = world.client("/chat");
  const news = world.client("/news");
  await Promise.all([next(chat, "connect"), next(news, "connect"), chats.done]);
});

edgeTest('"" and "/" are the same, with and without slash', async (world) => {
  const io = world.server();
  const both = countdown(2);
  io.of("").on("connection", both.hit);
  io.of("abc").on("connection", both.hit);
  world.client("");
  world.client("/abc");
  await both.done;
});

edgeTest("disconnect(true) ends every namespace of the client", async (world) => {
  const io = world.server();
  io.of("/foo");
  io.of("/bar").on("connection", (socket) => socket.on("now", () => socket.disconnect(true)));
  const first = world.client("/", { forceNew: true, transports: ["websocket"] });
  const others = ["/foo", "/bar"].map((nsp) => first.io.socket(nsp, {}));
  await next(first, "connect");
  for (const c of others) c.connect();
  await Promise.all(others.map((c) => next(c, "connect")));
  const gone = Promise.all([first, ...others].map((c) => next(c, "disconnect")));
  others[1].emit("now");
  await gone;
});

edgeTest("every namespace hears that the transport has gone", async (world) => {
  const io = world.server();
  const reasons: string[] = [];
  const all = countdown(2);
  for (const nsp of ["/chat", "/news"]) {
    io.of(nsp, (socket) => socket.on("disconnect", (reason) => (reasons.push(reason), all.hit())));
  }
  const chat = world.client("/chat");
  await next(chat, "connect");
  const news = chat.io.socket("/news", {});
  news.connect();
  await next(news, "connect");
  chat.io.engine.close();
  await all.done;
  assert.deepEqual(reasons, ["transport close", "transport close"]);
});

edgeTest("disconnecting fires before the rooms are left", async (world) => {
  const io = world.server();
  const seen: number[] = [];
  const connected = next(io, "connection");
  world.client();
  const [socket] = await connected;
  socket.join("a");
  socket.on("disconnecting", () => seen.push(socket.rooms.size));
  socket.on("disconnect", () => seen.push(socket.rooms.size));
  socket.disconnect();
  assert.deepEqual(seen, [2, 0]);
});

edgeTest("a namespace that nobody has is refused", async (world) => {
  world.server();
  const [err] = await next(world.client("/doesnotexist"), "connect_error");
  assert.equal(err.message, "Invalid namespace");
});

edgeTest("two clients in one namespace are two connections", async (world) => {
  const io = world.server();
  const two = countdown(2);
  io.on("connection", two.hit);
  world.client();
  world.client();
  await two.done;
  assert.equal(io.engine.clientsCount, 2);
});

edgeTest("all clients of a namespace, of a room, across rooms", async (world) => {
  const io = world.server();
  const three = countdown(3);
  const sids: Record<string, string> = {};
  let n = 0;
  io.of("/chat").on("connection", (socket) => {
    const room = n++ === 0 ? "bar" : "foo";
    sids[room] = socket.id;
    socket.join(room);
    three.hit();
  });
  io.of("/other").on("connection", (socket) => {
    sids["other"] = socket.id;
    socket.join("foo");
    three.hit();
  });
  world.client("/chat");
  world.client("/chat");
  world.client("/other");
  await three.done;
  assert.deepEqual(await io.of("/chat").allSockets(), new Set([sids["foo"], sids["bar"]]));
  assert.deepEqual(await io.of("/chat").in("foo").allSockets(), new Set([sids["foo"]]));
  assert.deepEqual(await io.of("/chat").except("foo").allSockets(), new Set([sids["bar"]]));
});

edgeTest("a volatile event after a regular one is dropped, alone it passes", async (world) => {
  const io = world.server();
  const c = world.client("/chat");
  io.of("/chat");
  await next(c, "connect");
  await pause(100); // until the upgrade is over
  const seen: string[] = [];
  c.onAny((name) => seen.push(name));
  io.of("/chat").volatile.emit("alone");
  await next(c, "alone");
  io.of("/chat").emit("regular");
  io.of("/chat").volatile.emit("volatile");
  await pause(150);
  assert.deepEqual(seen, ["alone", "regular"]);
});

test("compress(): on unless it is said, off when it is", () =>
  offline((io) => {
    const sent: unknown[] = [];
    io._core.send = (emit) => (sent.push([emit.event, emit.compress ?? true]), "");
    io.of("/chat").emit("by default");
    io.of("/chat").compress(false).emit("off");
    io.to("room").compress(true).emit("on");
    assert.deepEqual(sent, [["by default", true], ["off", false], ["on", true]]);
  }));

edgeTest("compress() reaches the edge, and the client", async (world) => {
  const io = world.server();
  const c = world.client("/chat");
  io.of("/chat");
  await next(c, "connect");
  io.of("/chat").compress(false).emit("woot", "hi");
  assert.deepEqual(await next(c, "woot"), ["hi"]);
});

edgeTest(
  "a client that joins no namespace is closed",
  async (world) => {
    world.server();
    const c = world.client("/", { reconnection: false });
    c.io.once("open", () => (c.io.engine.write = () => c.io.engine)); // its CONNECT does not leave
    const [reason] = await next(c, "disconnect");
    assert.equal(reason, "transport close");
  },
  ["--recovery-window", "0", "--data-dir", "", "--connect-timeout", "100ms"],
);

for (const nsp of ["/", "/nsp"]) {
  edgeTest(`a socket can be excluded by its id (${nsp})`, async (world) => {
    const io = world.server();
    const one = world.client(nsp);
    const two = world.client(nsp);
    io.of(nsp);
    await Promise.all([next(one, "connect"), next(two, "connect")]);
    two.on("a", () => world.errors.push(new Error("two got it")));
    io.of(nsp).except(two.id!).emit("a");
    io.of(nsp).emit("end");
    await Promise.all([next(one, "a"), next(two, "end")]);
  });
}

edgeTest("namespaces that are added later cost nothing that is under way", async (world) => {
  const io = world.server();
  const heard: number[] = [];
  io.on("connection", (socket) => socket.on("n", async (n, ack) => (heard.push(n), await pause(n % 3), ack(n))));
  const [c] = await world.connected(1);
  c.on("ask", (n, ack) => setTimeout(ack, n % 7, n));
  const answers: Promise<unknown>[] = [];
  for (let i = 0; i < 200; i++) {
    if (i % 20 === 0) io.of(`/late-${i}`);
    answers.push(c.timeout(10_000).emitWithAck("n", i), io.timeout(10_000).emitWithAck("ask", i));
    if (i % 10 === 0) await pause(5);
  }
  const all = await Promise.all(answers);
  for (let i = 0; i < 200; i++) assert.deepEqual([all[2 * i], all[2 * i + 1]], [i, [i]]);
  assert.deepEqual(heard, [...Array(200).keys()], "each once, in order");
  for (let i = 0; i < 200; i += 20) await next(world.client(`/late-${i}`), "connect");
});

edgeTest("a room can be excluded", async (world) => {
  const io = world.server();
  const nsp = io.of("/nsp");
  nsp.on("connection", (socket) => {
    socket.on("broadcast", () => {
      socket.join("room1");
      nsp.except("room1").emit("a");
      nsp.emit("end");
    });
  });
  const one = world.client("/nsp");
  const two = world.client("/nsp");
  await Promise.all([next(one, "connect"), next(two, "connect")]);
  two.on("a", () => world.errors.push(new Error("two got it")));
  two.emit("broadcast");
  await Promise.all([next(one, "a"), next(two, "end")]);
});

edgeTest("a namespace that was named stays when it is empty", async (world) => {
  const io = world.server({ cleanupEmptyChildNamespaces: true });
  io.of("/chat");
  const c = world.client("/chat");
  await next(c, "connect");
  await until(() => io.of("/chat").sockets.size === 1);
  c.disconnect();
  await until(() => io.of("/chat").sockets.size === 0);
  assert.ok(io._nsps.has("/chat"));
});

edgeTest("dynamic namespaces by pattern: middlewares, listeners, emits to all children and to a room", async (world) => {
  const io = world.server();
  const parent = io.of(/^\/dynamic-\d+$/);
  let asked = 0;
  parent.use((_socket, ok) => (asked++, ok()));
  parent.on("connect", (socket) => {
    assert.equal(socket.nsp.name, "/dynamic-101");
    socket.join("some-room");
    parent.emit("hello", 1, "2", { 3: "4" });
    parent.to("some-room").emit("room", 4, "3", { 2: "1" });
  });
  const created = next(io, "new_namespace");
  const c = world.client("/dynamic-101");
  const [hello, room] = await Promise.all([next(c, "hello"), next(c, "room")]);
  assert.deepEqual([hello, room], [[1, "2", { 3: "4" }], [4, "3", { 2: "1" }]]);
  assert.equal(asked, 1);
  assert.equal((await created)[0].name, "/dynamic-101");
  assert.throws(() => parent.fetchSockets(), /not supported on parent namespaces/);
});

edgeTest("dynamic namespaces by function; names that do not match are refused", async (world) => {
  const io = world.server();
  io.of(/^\/dynamic-\d+$/);
  io.of((name, auth, ok) => ok(null, name === "/fn" && auth["key"] === "k"));
  await next(world.client("/fn", { auth: { key: "k" } }), "connect");
  const [err] = await next(world.client("/abc"), "connect_error");
  assert.equal(err.message, "Invalid namespace");
});

edgeTest("two first clients of a dynamic namespace make one namespace", async (world) => {
  const io = world.server();
  let created = 0;
  let connected = 0;
  const waiting: ((err: Error | null, ok: boolean) => void)[] = [];
  io.on("new_namespace", () => created++);
  io.of((_name, _auth, ok) => {
    waiting.push(ok);
    if (waiting.length === 2) for (const f of waiting) f(null, true);
  }).on("connection", () => {
    if (++connected === 2) io.of("/dynamic-101").emit("message");
  });
  const [one, two] = [world.client("/dynamic-101"), world.client("/dynamic-101")];
  await Promise.all([next(one, "message"), next(two, "message")]);
  assert.equal(created, 1);
});

edgeTest("an empty dynamic namespace is forgotten, and made again for the next client", async (world) => {
  const io = world.server({ cleanupEmptyChildNamespaces: true });
  io.of(/^\/dynamic-\d+$/);
  for (let i = 0; i < 2; i++) {
    const c = world.client("/dynamic-101");
    await next(c, "connect");
    await until(() => io._nsps.has("/dynamic-101"));
    c.disconnect();
    await until(() => !io._nsps.has("/dynamic-101"));
  }
});

edgeTest("without the option an empty dynamic namespace stays", async (world) => {
  const io = world.server();
  io.of(/^\/dynamic-\d+$/);
  const c = world.client("/dynamic-101");
  await next(c, "connect");
  await until(() => io._nsps.get("/dynamic-101")?.sockets.size === 1);
  c.disconnect();
  await until(() => io._nsps.get("/dynamic-101")?.sockets.size === 0);
});

for (const [cleanup, others, stays] of [[false, 0, true], [true, 0, false], [true, 1, true]] as const) {
  edgeTest(`a dynamic namespace after a refused client: cleanup ${cleanup}, ${others} others, stays ${stays}`, async (world) => {
    const io = world.server({ cleanupEmptyChildNamespaces: cleanup });
    let n = 0;
    io.of(/^\/dynamic-\d+$/).use((_socket, ok) => (n++ < others ? ok() : ok(new Error("You shall not pass!"))));
    if (others > 0) await next(world.client("/dynamic-101"), "connect");
    const [err] = await next(world.client("/dynamic-101"), "connect_error");
    assert.equal(err.message, "You shall not pass!");
    assert.equal(io._nsps.has("/dynamic-101"), stays);
    if (stays) assert.equal(io._nsps.get("/dynamic-101")!.sockets.size, others);
  });
}
