import assert from "node:assert/strict";
import type { Socket } from "../src/index";
import { edgeTest, next, pause, until } from "./edge";

const recovery = ["--recovery-window", "1m", "--data-dir", "./data"];

edgeTest(
  "a client that is back has missed nothing: id, rooms, data, packets",
  async (world) => {
    const io = world.server();
    const first = next(io, "connection");
    const c = world.client("/", { reconnection: false });
    await next(c, "connect");
    const [s]: Socket[] = (await first) as never;
    const id = c.id;
    assert.equal(s.recovered, false);
    s.join(["room1", "room2"]);
    s.data.foo = "bar";
    s.emit("hello");
    await next(c, "hello");

    const lost = next(s, "disconnect");
    c.io.engine.close();
    assert.deepEqual((await lost)[0], "transport close");
    assert.deepEqual([s.rooms.size, io.sockets.sockets.size], [0, 0]);
    const seen: string[] = [];
    c.onAny((name) => seen.push(name));
    io.emit("hello1");
    io.to("room1").emit("hello2");
    s.emit("hello3");
    io.to("elsewhere").emit("no");
    await io.fetchSockets(); // until the edge has them

    const second = next(io, "connection");
    c.connect();
    await next(c, "connect");
    const [back]: Socket[] = (await second) as never;
    assert.deepEqual(seen, ["hello1", "hello2", "hello3"]);
    assert.deepEqual([c.recovered, c.id], [true, id]);
    assert.notEqual(back, s);
    assert.deepEqual([back.recovered, back.id, [...back.rooms].sort(), back.data.foo], [true, id, [id, "room1", "room2"].sort(), "bar"]);
    back.emit("again");
    await next(c, "again");
  },
  recovery,
);

for (const skipMiddlewares of [true, false]) {
  edgeTest(
    `middlewares for a client that is back: skipped ${skipMiddlewares}`,
    async (world) => {
      const io = world.server({ connectionStateRecovery: { skipMiddlewares } });
      let asked = 0;
      io.use((socket, ok) => {
        asked++;
        socket.data.middlewareWasCalled = asked;
        ok();
      });
      const c = world.client("/", { reconnection: false });
      await next(c, "connect");
      await until(() => io.sockets.sockets.size === 1);
      c.io.engine.close();
      await until(() => io.sockets.sockets.size === 0);
      const second = next(io, "connection");
      c.connect();
      const [s] = await second;
      assert.equal(s.recovered, true);
      assert.equal(asked, skipMiddlewares ? 1 : 2);
      assert.equal(s.data.middlewareWasCalled, asked);
    },
    recovery,
  );
}

edgeTest(
  "an unknown session is a new one",
  async (world) => {
    const io = world.server();
    const connection = next(io, "connection");
    const c = world.client("/", { auth: { pid: "foo", offset: "bar", token: "t" } });
    await next(c, "connect");
    const [s] = await connection;
    assert.notEqual(s.id, "foo");
    assert.equal(s.recovered, false);
    assert.deepEqual(s.handshake.auth, { token: "t" });
  },
  recovery,
);

edgeTest("without recovery a client that is back is a new one", async (world) => {
  const io = world.server();
  io.on("connection", (s) => s.emit("hello"));
  const c = world.client("/", { reconnectionDelay: 10 });
  const args = await next(c, "hello");
  assert.deepEqual(args, []);
  const id = c.id;
  const again = next(c, "connect");
  c.io.engine.close();
  await again;
  assert.notEqual(c.id, id);
  assert.ok(!c.recovered);
});

edgeTest(
  "the edge is killed and comes back: the same session, its rooms, what was emitted meanwhile",
  async (world) => {
    const io = world.server();
    const heard: number[] = [];
    const log: string[] = [];
    io.on("connection", (s) => {
      log.push(`+${s.recovered}`);
      s.on("n", (n, cb) => (heard.push(n), cb()));
      s.on("disconnect", () => log.push("-"));
      if (!s.recovered) s.join("room");
    });
    const c = world.client("/", { reconnectionDelay: 50, reconnectionDelayMax: 100, transports: ["websocket"] });
    await next(c, "connect");
    const id = c.id;
    await c.emitWithAck("n", 1);
    io.emit("first");
    await next(c, "first");
    await io.fetchSockets();
    await pause(50); // the store is behind by a few milliseconds

    await world.kill();
    await until(() => io.status.current.state === "away" && !c.connected);
    const seen: string[] = [];
    c.onAny((name) => seen.push(name));
    io.to("room").emit("meanwhile");
    await world.start();
    await next(c, "connect");
    assert.deepEqual([c.id, c.recovered], [id, true]);
    await until(() => io.sockets.sockets.size === 1 && io.sockets.sockets.get(id!)!.recovered);
    assert.deepEqual(log, ["+false", "-", "+true"]);
    assert.ok(io.sockets.sockets.get(id!)!.rooms.has("room"));
    await c.emitWithAck("n", 2);
    assert.deepEqual(heard, [1, 2]);
    io.to("room").emit("last");
    await until(() => seen.includes("last"));
    assert.deepEqual(seen, ["meanwhile", "last"]);
    assert.equal(io.status.current.epoch, 2);
  },
  recovery,
);

edgeTest(
  "the backend is killed and another process takes over: listeners, rooms and data are there",
  async (world) => {
    const first = world.server({ memberId: "m" });
    const connection = next(first, "connection");
    const c = world.client("/", { transports: ["websocket"] });
    await next(c, "connect");
    const [s] = await connection;
    s.join("room");
    s.data.user = "u";
    await first.fetchSockets();
    await first.close();
    assert.ok(c.connected);
    c.emit("meanwhile", 1);
    await pause(50);

    const second = world.server({ memberId: "m" });
    const heard: unknown[] = [];
    second.on("connection", (x) => {
      heard.push([x.id, x.recovered, [...x.rooms].sort(), x.data]);
      x.on("meanwhile", (n, cb) => (heard.push(n), cb?.()));
      x.on("disconnect", (why) => heard.push(why));
    });
    await until(() => heard.length === 2);
    assert.deepEqual(heard, [[c.id, true, [c.id, "room"].sort(), { user: "u" }], 1]);
    second.to("room").emit("hi");
    await next(c, "hi");
    c.disconnect();
    await until(() => heard.length === 3);
    assert.equal(heard[2], "client namespace disconnect");
  },
  recovery,
);
