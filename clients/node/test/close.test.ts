import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { edgeTest, next, until } from "./edge";

edgeTest("after close() no socket is left here, and the clients are still connected", async (world) => {
  const io = world.server();
  const connection = next(io, "connection");
  const c = world.client();
  await next(c, "connect");
  const [s] = await connection;
  const reason = next(s, "disconnect");
  await new Promise<void>((resolve) => void io.close(() => resolve()));
  assert.deepEqual((await reason)[0], "server shutting down");
  assert.equal(io.sockets.sockets.size, 0);
  assert.ok(c.connected);
  await io.close(); // again does nothing
});

edgeTest("another server of the group can take over", async (world) => {
  const io = world.server({ memberId: "m" });
  const c = world.client();
  await next(c, "connect");
  await io.close();
  const other = world.server({ memberId: "m" });
  const [s] = await next(other, "connection");
  assert.deepEqual([s.id, s.recovered], [c.id, true]);
  s.emit("hi");
  await next(c, "hi");
});

edgeTest("closing without an edge", async (world) => {
  const io = world.server();
  await world.kill();
  await until(() => io.status.current.state === "away");
  io.emit("lost");
  await io.close();
  assert.equal(io.status.current.state, "closed");
});

edgeTest("nothing keeps the process alive after close()", async (world) => {
  const program = `
    const { Server } = require(${JSON.stringify(join(__dirname, "../src/index.js"))});
    const io = new Server(${JSON.stringify(world.backends)}, { group: "other" });
    io.status.attached().then(() => io.close()).then(() => console.log("closed"));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { timeout: 10_000 });
  assert.equal(stdout, "closed\n");
});

edgeTest("a client that breaks the protocol is closed", async (world) => {
  const io = world.server();
  await io.status.attached();
  const url = `${world.url}/socket.io/?EIO=4&transport=polling`;
  const poll = async (sid: string) => (await fetch(`${url}&sid=${sid}`)).text();
  for (const [packets, first] of [
    [["40", "40"], /^40\{/], // several CONNECT
    [['42["some event"]'], undefined], // before CONNECT
    [["40", "4abc"], /^40\{/], // no packet
  ] as const) {
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    for (const packet of packets) {
      await fetch(`${url}&sid=${sid}`, { method: "POST", body: packet });
    }
    let seen = await poll(sid);
    if (first !== undefined) {
      assert.match(seen, first);
      if (!seen.includes("\x1e")) seen = await poll(sid);
    }
    assert.match(seen, /(^|\x1e)1$/, `after ${packets}`);
  }
  await until(() => io.sockets.sockets.size === 0);
});

edgeTest("a port that is no control port", async (world) => {
  const port = new URL(world.url).host;
  const { Server } = await import("../src/index");
  const io = new Server(port);
  const [status] = await next(io.status, "change"); // connecting
  assert.equal(status.state, "connecting");
  const [away] = await next(io.status, "change");
  assert.equal(away.state, "away");
  assert.ok(away.error instanceof Error && away.retryInMs! > 0);
  await io.close();
});
