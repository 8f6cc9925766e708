import assert from "node:assert/strict";
import { edgeTest, next, until } from "./edge";

edgeTest("an upgrade is an event of the connection, once", async (world) => {
  const io = world.server();
  io.of("/other").on("connection", () => {});
  const connected = next(io, "connection");
  const c = world.client();
  const [socket] = await connected;
  assert.equal(socket.conn.transport.name, "polling");
  const upgrades: string[] = [];
  socket.conn.on("upgrade", (transport: { name: string }) => upgrades.push(transport.name));
  const other = c.io.socket("/other");
  other.connect();
  await next(other, "connect");
  await until(() => socket.conn.transport.name === "websocket");
  await until(() => io.of("/other").sockets.size === 1);
  assert.equal([...io.of("/other").sockets.values()][0].conn, socket.conn);
  await io.fetchSockets(); // everything has been said
  assert.deepEqual(upgrades, ["websocket"]);
});

edgeTest("a client that begins with WebSocket does not upgrade", async (world) => {
  const io = world.server();
  const connected = next(io, "connection");
  world.client("/", { transports: ["websocket"] });
  const [socket] = await connected;
  socket.conn.on("upgrade", () => assert.fail("upgraded"));
  assert.equal(socket.conn.transport.name, "websocket");
  await io.fetchSockets();
});

edgeTest("what a client gave as auth outlives the process", async (world) => {
  const first = world.server({ memberId: "a" });
  const connected = next(first, "connection");
  const c = world.client("/", { auth: { token: "secret", n: [1, null] } });
  await connected;
  await until(() => c.connected);
  await first.close();
  const second = world.server({ memberId: "a" });
  const [socket] = await next(second, "connection");
  assert.equal(socket.id, c.id);
  assert.ok(socket.recovered);
  assert.deepEqual(socket.handshake.auth, { token: "secret", n: [1, null] });
  assert.equal(socket.handshake.query["EIO"], "4");
  const [remote] = await second.fetchSockets();
  assert.equal(remote, socket);
});

edgeTest("a client that comes back may bring another auth", async (world) => {
  const io = world.server();
  let token = 1;
  const c = world.client("/", { auth: (cb: (auth: object) => void) => cb({ token: token++ }), reconnectionDelay: 10, transports: ["websocket"] });
  const [before] = await next(io, "connection");
  assert.deepEqual(before.handshake.auth, { token: 1 });
  await until(() => c.connected);
  const again = next(io, "connection");
  c.io.engine.close();
  const [after] = await again;
  assert.equal(after.id, before.id);
  assert.ok(after.recovered);
  assert.deepEqual(after.handshake.auth, { token: 2 });
}, ["--recovery-window", "1m", "--data-dir", ""]);
