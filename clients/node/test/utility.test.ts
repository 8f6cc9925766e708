import assert from "node:assert/strict";
import type { Socket as ClientSocket } from "socket.io-client";
import { RemoteSocket, Server, type Socket } from "../src/index";
import { edgeTest, next, until, type World } from "./edge";

async function three(world: World): Promise<{ io: Server; s: Socket[]; c: ClientSocket[] }> {
  const io = world.server();
  const c: ClientSocket[] = [];
  const s: Socket[] = [];
  for (let i = 0; i < 3; i++) {
    const connection = next(io, "connection");
    c.push(world.client("/", { transports: ["websocket"] }));
    s.push((await connection)[0]);
    if (!c[i].connected) await next(c[i], "connect");
  }
  return { io, s, c };
}

function seat([a, b, c]: Socket[]): void {
  a.join(["room1", "room2"]);
  b.join("room1");
  c.join("room2");
}

edgeTest("fetchSockets: all, those of a room, those of this process", async (world) => {
  const { io, s } = await three(world);
  assert.deepEqual(new Set(await io.fetchSockets()), new Set(s));
  seat(s);
  assert.deepEqual(new Set(await io.in("room1").fetchSockets()), new Set([s[0], s[1]]));
  assert.deepEqual(new Set(await io.local.except("room1").fetchSockets()), new Set([s[2]]));
});

edgeTest("fetchSockets finds sockets of other processes, and acts on them", async (world) => {
  const { io: first, s, c } = await three(world);
  const other = world.server({ group: "other" });
  await other.status.attached();
  s[0].data.username = "john";
  s[0].join("room1");
  await first.fetchSockets(); // until the edge has both
  const [remote] = (await other.in("room1").fetchSockets()) as any[];
  // The other group was told of all sessions, too; a socket of its own stands for them.
  const seen = remote instanceof RemoteSocket ? remote : other.sockets.sockets.get(s[0].id)!;
  assert.equal(seen.id, s[0].id);
  assert.ok(seen.rooms.has("room1"));
  assert.equal(seen.handshake.query["EIO"], "4");
  const got = next(c[0], "from the other");
  other.to(s[0].id).emit("from the other");
  await got;
});

edgeTest("socketsJoin: all, those of a room", async (world) => {
  const { io, s } = await three(world);
  io.socketsJoin("everyone");
  for (const x of s) assert.ok(x.rooms.has("everyone"));
  seat(s);
  io.in("room1").socketsJoin(["room3", "room4"]);
  assert.deepEqual(s.map((x) => x.rooms.has("room3") && x.rooms.has("room4")), [true, true, false]);
  assert.deepEqual(await io.in("room3").allSockets(), new Set([s[0].id, s[1].id]));
  assert.equal((await io.in("everyone").allSockets()).size, 3);
});

edgeTest("socketsLeave: all, those of a room", async (world) => {
  const { io, s } = await three(world);
  seat(s);
  io.in("room2").socketsLeave("room1");
  assert.deepEqual(s.map((x) => x.rooms.has("room1")), [false, true, false]);
  assert.deepEqual(await io.in("room1").allSockets(), new Set([s[1].id]));
  io.socketsLeave("room2");
  assert.deepEqual(s.map((x) => x.rooms.has("room2")), [false, false, false]);
  assert.deepEqual(await io.in("room2").allSockets(), new Set());
});

edgeTest("disconnectSockets: those of a room, all", async (world) => {
  const { io, s, c } = await three(world);
  seat(s);
  const gone = Promise.all([next(c[0], "disconnect"), next(c[2], "disconnect")]);
  io.in("room2").disconnectSockets(true);
  await gone;
  assert.ok(c[1].connected);
  const last = next(c[1], "disconnect");
  io.disconnectSockets();
  assert.deepEqual((await last)[0], "io server disconnect");
  assert.equal(io.sockets.sockets.size, 0);
});

edgeTest("two processes of one group share the clients; what one emits reaches those of both", async (world) => {
  const a = world.server({ memberId: "a" });
  const b = world.server({ memberId: "b" });
  const seen: string[] = [];
  for (const io of [a, b]) io.on("connection", (socket) => (seen.push(socket.id), socket.join("all")));
  const clients = Array.from({ length: 12 }, () => world.client("/", { transports: ["websocket"] }));
  await until(() => seen.length === 12);
  assert.equal(new Set(seen).size, 12);
  assert.equal(a.sockets.sockets.size + b.sockets.sockets.size, 12);
  assert.ok(a.sockets.sockets.size > 0 && b.sockets.sockets.size > 0, "both have some");
  await Promise.all([a.fetchSockets(), b.fetchSockets()]); // until both have joined
  const got = Promise.all(clients.map((c) => next(c, "hi")));
  a.to("all").emit("hi");
  await got;
  const all = await a.fetchSockets();
  assert.equal(all.length, 12);
  const remote = all.find((x) => x instanceof RemoteSocket)!;
  const client = clients.find((c) => c.id === remote.id)!;
  client.on("ask", (cb) => cb("yes"));
  assert.equal(await new Promise((resolve, reject) => (remote as any).timeout(5000).emit("ask", (err: Error | null, x: unknown) => (err ? reject(err) : resolve(x)))), "yes");
  const gone = next(client, "disconnect");
  remote.disconnect(true);
  await gone;
});
