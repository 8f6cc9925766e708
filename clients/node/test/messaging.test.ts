import assert from "node:assert/strict";
import { countdown, edgeTest, next, pause, type World } from "./edge";

const never = (world: World) => () => world.errors.push(new Error("should not have been received"));

const connected = (world: World, n: number, nsp = "/") => world.connected(n, nsp);

function rooms(world: World) {
  const io = world.server();
  io.on("connection", (socket) => {
    socket.on("join", (room, cb) => {
      socket.join(room);
      cb?.();
    });
  });
  return io;
}

for (const [what, value] of [["text", "b"], ["binary", Buffer.alloc(10, 7)]] as const) {
  edgeTest(`emits to a namespace and to no other (${what})`, async (world) => {
    const io = world.server();
    io.of("/test");
    const [one, two] = await connected(world, 2);
    const [other] = await connected(world, 1, "/test");
    other.on("a", never(world));
    io.emit("a", value);
    io.of("/test").emit("end");
    const [[a], [b]] = await Promise.all([next(one, "a"), next(two, "a"), next(other, "end")]);
    assert.deepEqual([a, b], [value, value]);
  });

  edgeTest(`a socket broadcasts to the others in a room and emits to itself (${what})`, async (world) => {
    const io = rooms(world);
    io.on("connection", (socket) => {
      socket.on("broadcast", () => {
        socket.broadcast.to("test").emit("a", value);
        socket.emit("b", value);
        io.emit("end");
      });
    });
    const [one, two, three] = await connected(world, 3);
    await Promise.all([one.emitWithAck("join", "woot"), two.emitWithAck("join", "test"), three.emitWithAck("join", "test")]);
    one.on("a", never(world));
    three.on("a", never(world));
    two.on("b", never(world));
    const got = Promise.all([next(two, "a"), next(three, "b"), next(one, "end"), next(two, "end"), next(three, "end")]);
    three.emit("broadcast");
    const [[a], [b]] = await got;
    assert.deepEqual([a, b], [value, value]);
  });
}

edgeTest("emits to the rest", async (world) => {
  const io = world.server();
  io.of("/test");
  io.on("connection", (socket) => {
    socket.on("broadcast", () => {
      socket.broadcast.emit("a", "b");
      io.emit("end");
    });
  });
  const [one, two] = await connected(world, 2);
  const [other] = await connected(world, 1, "/test");
  two.on("a", never(world));
  other.on("a", never(world));
  const got = Promise.all([next(one, "a"), next(two, "end")]);
  two.emit("broadcast");
  assert.deepEqual((await got)[0], ["b"]);
});

edgeTest("emits to rooms, once to a socket that is in several", async (world) => {
  const io = rooms(world);
  io.on("connection", (socket) => {
    socket.on("emit", () => {
      io.in("woot").in("test").emit("a");
      io.in("third").emit("b");
      io.emit("end");
    });
  });
  const [one, two] = await connected(world, 2);
  const seen: string[] = [];
  one.onAny((name) => seen.push(`1${name}`));
  two.onAny((name) => seen.push(`2${name}`));
  await one.emitWithAck("join", "woot");
  await one.emitWithAck("join", "test");
  await two.emitWithAck("join", "third");
  two.emit("emit");
  await Promise.all([next(one, "end"), next(two, "end")]);
  assert.deepEqual(seen.sort(), ["1a", "1end", "2b", "2end"]);
});

edgeTest("keeps track of rooms, at once", async (world) => {
  const io = world.server();
  const connection = next(io, "connection");
  await connected(world, 1);
  const [s] = await connection;
  const events: string[] = [];
  const { adapter } = s.nsp;
  for (const name of ["create-room", "delete-room", "join-room", "leave-room"] as const) adapter.on(name, (room: string) => events.push(`${name} ${room}`));
  s.join("a");
  assert.deepEqual([...s.rooms], [s.id, "a"]);
  s.join(["b", "c", "b"]);
  assert.deepEqual([...s.rooms], [s.id, "a", "b", "c"]);
  s.leave("b");
  s.leave("unknown");
  assert.deepEqual([...s.rooms], [s.id, "a", "c"]);
  assert.ok(adapter.rooms.has("a"));
  s.leave("a");
  assert.ok(!adapter.rooms.has("a"), "an empty room is deleted");
  assert.deepEqual(events.slice(0, 2), ["create-room a", "join-room a"]);
  assert.deepEqual(events.slice(-2), ["leave-room a", "delete-room a"]);
  assert.deepEqual(await io.in("c").allSockets(), new Set([s.id]));
  assert.deepEqual(await io.in("a").allSockets(), new Set());
  s.leaveAll();
  assert.equal(s.rooms.size, 0);
  assert.deepEqual(await io.in("c").allSockets(), new Set());
});

edgeTest("sockets and rooms can be excluded from a broadcast", async (world) => {
  const io = rooms(world);
  io.on("connection", (socket) => {
    socket.on("exclude", (who) => {
      socket.broadcast.except(who).emit("a", who);
      io.emit("end");
    });
  });
  const [one, two, three] = await connected(world, 3);
  await two.emitWithAck("join", "room1");
  two.on("a", never(world));
  three.on("a", never(world));
  for (const who of [two.id, "room1"]) {
    const got = Promise.all([next(one, "a"), ...[one, two, three].map((c) => next(c, "end"))]);
    three.emit("exclude", who);
    await got;
  }
});

edgeTest("the operators of a socket never change either", async (world) => {
  const io = world.server();
  const connection = next(io, "connection");
  await connected(world, 1);
  const [socket] = await connection;
  const operator = socket.local.compress(false).to(["room1", "room2"]).except("room3") as any;
  operator.compress(true).emit("hello");
  operator.volatile.emit("hello");
  operator.to("room4").emit("hello");
  operator.except("room5").emit("hello");
  socket.emit("hello");
  socket.to("room6").emit("hello");
  assert.deepEqual([...operator.rooms], ["room1", "room2"]);
  assert.deepEqual([...operator.exceptRooms], [socket.id, "room3"]);
  assert.deepEqual(operator.flags, { local: true, compress: false });
});

async function answering(world: World, silent: number) {
  const io = world.server();
  const clients = await connected(world, 3);
  clients.forEach((c, i) => c.on("some event", (cb) => (i < 3 - silent ? cb(i + 1) : undefined)));
  return io;
}

edgeTest("a broadcast with acknowledgements of all", async (world) => {
  const io = await answering(world, 0);
  const responses = await new Promise<unknown[]>((resolve, reject) => io.timeout(5000).emit("some event", (err: Error | null, r: unknown[]) => (err ? reject(err) : resolve(r))));
  assert.deepEqual([...responses].sort(), [1, 2, 3]);
  assert.deepEqual([...(await io.timeout(5000).emitWithAck("some event"))].sort(), [1, 2, 3]);
  assert.deepEqual([...(await io.timeout(5000).local.emitWithAck("some event"))].sort(), [1, 2, 3]);
});

edgeTest("a broadcast that one does not acknowledge: an error, and the answers that came", async (world) => {
  const io = await answering(world, 1);
  const [err, responses] = await new Promise<any[]>((resolve) => io.timeout(200).emit("some event", (...r: unknown[]) => resolve(r)));
  assert.ok(err instanceof Error);
  assert.deepEqual([...responses].sort(), [1, 2]);
  const failure: any = await io.timeout(200).emitWithAck("some event").catch((e: unknown) => e);
  assert.ok(failure instanceof Error);
  assert.deepEqual([...(failure as any).responses].sort(), [1, 2]);
  assert.equal(io._core.acks.size, 0);
});

edgeTest("a broadcast to nobody is answered at once", async (world) => {
  const io = await answering(world, 0);
  assert.deepEqual(await io.to("room123").timeout(60_000).emitWithAck("some event"), []);
});

edgeTest("a broadcast from a socket asks the others", async (world) => {
  const io = world.server();
  io.on("connection", (socket) => socket.on("ask", async (cb) => cb(await socket.timeout(5000).broadcast.emitWithAck("some event"))));
  const clients = await connected(world, 3);
  clients.forEach((c, i) => c.on("some event", (cb) => cb(i)));
  assert.deepEqual([...(await clients[0].emitWithAck("ask"))].sort(), [1, 2]);
});

edgeTest("onAnyOutgoing hears broadcasts from this process", async (world) => {
  const io = world.server();
  const heard: unknown[] = [];
  io.on("connection", (socket) => {
    socket.onAnyOutgoing((...args) => heard.push(args));
    socket.join("r");
  });
  const [c] = await connected(world, 1);
  io.emit("my-event", "123");
  io.to("r").emit("bin", Uint8Array.of(1, 2, 3));
  io.to("elsewhere").emit("no");
  io.except("r").emit("no");
  await next(c, "bin");
  assert.deepEqual(heard, [["my-event", "123"], ["bin", Uint8Array.of(1, 2, 3)]]);
});

edgeTest("a thousand emits in one turn arrive in order", async (world) => {
  const io = world.server();
  const [c] = await connected(world, 1);
  const seen: number[] = [];
  const all = countdown(1000);
  c.on("n", (n) => (seen.push(n), all.hit()));
  for (let i = 0; i < 1000; i++) (i % 2 ? io : io.to(c.id!)).emit("n", i);
  await all.done;
  await pause(20);
  assert.deepEqual(seen, Array.from({ length: 1000 }, (_, i) => i));
});
