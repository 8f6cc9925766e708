import assert from "node:assert/strict";
import { Socket } from "../src/index";
import { edgeTest, next, pause } from "./edge";

edgeTest("middlewares run in order, then the client is connected", async (world) => {
  const io = world.server();
  const order: unknown[] = [];
  io.use(() => world.errors.push(new Error("of another namespace")));
  const nsp = io.of("/chat");
  nsp.use((socket, ok) => {
    assert.ok(socket instanceof Socket);
    assert.deepEqual([socket.connected, socket.disconnected, nsp.sockets.size], [false, true, 0]);
    order.push(1);
    setTimeout(ok, 50);
  });
  nsp.use(async (socket, ok) => {
    await pause(20);
    order.push(2);
    (socket as any).name = "guillermo";
    ok();
  });
  nsp.on("connection", (socket) => {
    assert.deepEqual([socket.connected, socket.disconnected, nsp.sockets.size], [true, false, 1]);
    order.push((socket as any).name);
  });
  await next(world.client("/chat"), "connect");
  await pause(20);
  assert.deepEqual(order, [1, 2, "guillermo"]);
});

edgeTest("a refused client gets the message and the data", async (world) => {
  const io = world.server();
  io.use((socket, ok) => {
    socket.join("room1");
    ok(Object.assign(new Error("Authentication error"), { data: { a: "b", c: 3 } }));
  });
  io.use(() => world.errors.push(new Error("should not run")));
  io.on("connection", () => world.errors.push(new Error("should not connect")));
  const [err] = await next(world.client(), "connect_error");
  assert.ok(err instanceof Error);
  assert.equal(err.message, "Authentication error");
  assert.deepEqual((err as any).data, { a: "b", c: 3 });
  assert.equal(io.of("/").adapter.rooms.size, 0);
  assert.deepEqual(await io.allSockets(), new Set());
});

edgeTest("a client that has gone meanwhile is never connected", async (world) => {
  const io = world.server();
  const c = world.client("/", { reconnection: false });
  const asked = new Promise<() => void>((resolve) => io.use((_socket, ok) => resolve(ok)));
  io.on("connection", () => world.errors.push(new Error("should not connect")));
  const ok = await asked;
  c.io.engine.close();
  await pause(50);
  ok();
  await pause(100);
});

edgeTest("other namespaces are not asked for", async (world) => {
  const io = world.server();
  io.of("/chat").use((_socket, ok) => ok());
  await Promise.all([next(world.client("/"), "connect"), next(world.client("/chat"), "connect")]);
});

edgeTest("what a middleware joins, keeps and emits is there when the client connects", async (world) => {
  const io = world.server();
  io.use((socket, ok) => {
    socket.join("lobby");
    assert.deepEqual([...socket.rooms], ["lobby"]);
    socket.data.user = "u";
    socket.emit("hello", 1);
    ok();
  });
  const connection = next(io, "connection");
  const c = world.client();
  assert.deepEqual(await next(c, "hello"), [1]);
  const [s] = await connection;
  assert.deepEqual([...s.rooms], [s.id, "lobby"]);
  assert.deepEqual(s.data, { user: "u" });
  io.to("lobby").emit("all");
  await next(c, "all");
  assert.equal((await io.fetchSockets())[0].data.user, "u");
});

edgeTest("socket middlewares run in order and may change the event", async (world) => {
  const io = world.server();
  const seen: unknown[] = [];
  io.on("connection", (socket) => {
    socket.use((event, ok) => {
      assert.deepEqual(event, ["join", "woot"]);
      event.unshift("wrap");
      ok();
    });
    socket.use(async (event, ok) => {
      assert.deepEqual(event, ["wrap", "join", "woot"]);
      await pause(5);
      ok();
    });
    socket.use((_event, ok) => void setTimeout(ok, 5));
    socket.on("wrap", (...args) => seen.push(args));
    socket.on("wrap", () => socket.emit("done"));
  });
  const c = world.client();
  c.emit("join", "woot");
  await next(c, "done");
  assert.deepEqual(seen, [["join", "woot"]]);
});

edgeTest("a socket middleware that refuses an event: error, and no listener", async (world) => {
  const io = world.server();
  const error = new Promise<Error>((resolve) => {
    io.on("connection", (socket) => {
      socket.use((_event, ok) => ok(new Error("Authentication error")));
      socket.use(() => world.errors.push(new Error("should not run")));
      socket.on("join", () => world.errors.push(new Error("should not be heard")));
      socket.on("error", resolve);
    });
  });
  world.client().emit("join", "woot");
  assert.equal((await error).message, "Authentication error");
});
