import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Proxy, Server, Sockets, ask, cmd, collect, history, matrix, newest, next, reference, settled, until } from "./harness.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const kinds = (entries) => entries.map(({ kind }) => kind);
const closed = (entries) => entries.some(({ kind }) => kind === "closed");

for (const client of matrix()) {
  const scenario = (name, fn) =>
    test(`${client.label}: ${name}`, async (t) => {
      const sockets = new Sockets(t, server, client);
      await fn({ t, sockets, watcher: await sockets.join(), label: `${name} ${client.label}` });
    });

  /** The main and the custom namespace on one connection. */
  async function both(sockets, label, options = {}) {
    const main = sockets.dial("/", { auth: { label }, ...options });
    const custom = main.io.socket("/custom", { auth: { label } });
    custom.connect();
    await Promise.all([next(main, "auth"), next(custom, "auth")]);
    if (client.way === "upgrade") await settled(main);
    return [main, custom];
  }

  scenario("Z01 Z07 Z10 the client leaves", async ({ sockets, watcher, label }) => {
    const socket = await sockets.join("/", { auth: { label } });
    const reasons = collect(socket, "disconnect");
    socket.disconnect();
    assert.equal([reasons[0]].flat()[0], "io client disconnect");
    const entries = await history(watcher, label, closed);
    assert.deepEqual(kinds(entries), ["opened", "closed"]);
    assert.equal(entries[1].reason, "client namespace disconnect");
  });

  scenario("Z04 the end comes with the rooms that were left by it", async ({ sockets, watcher, label }) => {
    const socket = await sockets.join("/", { auth: { label, decide: { rooms: ["first"] } } });
    await cmd(socket, { op: "join", rooms: ["second"] });
    socket.disconnect();
    const entries = await history(watcher, label, closed);
    assert.deepEqual(entries.at(-1).rooms.sort(), ["first", "second"]);
  });

  scenario("Z02 the client leaves one namespace of two", async ({ sockets, watcher, label }) => {
    const [main, custom] = await both(sockets, label);
    custom.disconnect();
    assert.deepEqual(await ask(main, "message-with-ack", 1), [1]);
    assert.equal(main.connected, true);
    const entries = await history(watcher, label, closed);
    assert.deepEqual(kinds(entries), ["opened", "opened", "closed"]);
  });

  scenario("Q04 Z07 the backend ends a socket", async ({ sockets, watcher, label }) => {
    const [main, custom] = await both(sockets, label);
    const reason = next(main, "disconnect");
    await cmd(watcher, { op: "disconnect", to: { sids: [main.id] } });
    assert.equal((await reason)[0], "io server disconnect");
    assert.deepEqual(await ask(custom, "message-with-ack", 1), [1]);
    const entries = await history(watcher, label, closed);
    assert.equal(entries.find(({ kind }) => kind === "closed").reason, "server namespace disconnect");
  });

  scenario("Q04 the backend ends all of a room", async ({ sockets, watcher, label }) => {
    const decide = { rooms: [label] };
    const inside = await Promise.all([1, 2, 3].map(() => sockets.join("/", { auth: { decide } })));
    const gone = inside.map((socket) => next(socket, "disconnect"));
    await cmd(watcher, { op: "disconnect", to: { rooms: [label] } });
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
    assert.deepEqual(await ask(watcher, "message-with-ack", 1), [1]);
  });

  scenario("Z05 the backend ends the whole connection", async ({ sockets, watcher, label }) => {
    const [main, custom] = await both(sockets, label);
    const gone = [next(main, "disconnect"), next(custom, "disconnect")];
    const engine = main.io.engine;
    await cmd(watcher, { op: "disconnect", to: { sids: [main.id] }, close: true });
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, "io server disconnect");
    await until(() => engine.readyState === "closed", "the end of the connection");
  });

  scenario("Q05 L09 what is emitted before the end arrives before it", async ({ sockets, watcher }) => {
    const socket = await sockets.join();
    const order = [];
    socket.on("goodbye", () => order.push("goodbye"));
    socket.on("disconnect", () => order.push("end"));
    const to = { sids: [socket.id] };
    await cmd(watcher, { op: "emit", to, event: "goodbye" });
    await cmd(watcher, { op: "disconnect", to, close: true });
    await until(() => order.includes("end"), "the end");
    assert.deepEqual(order, ["goodbye", "end"]);
  });

  scenario("Z03 Z07 L04 the connection is lost for all its namespaces", async ({ t, sockets, watcher, label }) => {
    const proxy = await Proxy.start(t, server.port);
    const [main, custom] = await both(sockets, label, { url: proxy.url });
    const gone = [next(main, "disconnect"), next(custom, "disconnect")];
    await proxy.cutNoticed(main);
    for (const [reason] of await Promise.all(gone)) assert.match(reason, /^transport (close|error)$/);
    const entries = await history(watcher, label, (seen) => closed(seen));
    assert.match(entries.find(({ kind }) => kind === "closed").reason, /^transport (close|error)$/);
  });

  scenario("L11 N20 a client comes back after its connection was cut", async ({ t, sockets, watcher, label }) => {
    const proxy = await Proxy.start(t, server.port);
    const options = { url: proxy.url, auth: { label }, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
    const socket = await sockets.join("/", options);
    const former = socket.id;
    for (let round = 1; round <= 2; round++) {
      const gone = next(socket, "disconnect");
      await proxy.cutNoticed(socket);
      await gone;
      const back = collect(socket, "message-back");
      for (let i = 0; i < 10; i++) socket.emit("message", i); // kept by the client until it is back
      proxy.mend();
      await until(() => back.length === 10, "what was emitted meanwhile");
      assert.deepEqual(back, Array.from({ length: 10 }, (_, i) => i));
      socket.off("message-back");
      if (client.way === "upgrade") await settled(socket);
    }
    assert.notEqual(socket.id, former);
    const entries = await history(watcher, label, (seen) => seen.filter(({ kind }) => kind === "closed").length === 2);
    assert.deepEqual(kinds(entries).sort(), ["closed", "closed", "opened", "opened", "opened"]); // Z10
  });

  scenario("Z06 N15 events on their way to an ended namespace do no harm", async ({ t, sockets, watcher, label }) => {
    if (reference) return t.skip("the official server closes the connection");
    const [main, custom] = await both(sockets, label);
    const end = cmd(watcher, { op: "disconnect", to: { sids: [main.id] } });
    for (let i = 0; i < 50; i++) main.emit("message", i), await Promise.resolve();
    await end;
    for (let i = 0; i < 50; i++) main.packet({ type: 2, data: ["message", i] });
    assert.deepEqual(await ask(custom, "message-with-ack", 1), [1]);
  });

  scenario("F02 F04 a volatile event arrives when nothing stands in its way", async ({ sockets }) => {
    const socket = await sockets.join();
    const seen = collect(socket, "tick");
    // By polling it may find no request waiting, so it gets more than one chance.
    await until(async () => {
      await cmd(socket, { op: "emit", to: { sids: [socket.id] }, event: "tick", volatile: true });
      return seen.length > 0;
    }, "a volatile event");
  });

  scenario("F01 F03 F04 many volatile events: some, in order, and what is regular", async ({ sockets }) => {
    const socket = await sockets.join();
    const seen = collect(socket, "tick");
    await cmd(socket, { op: "volatile-burst", event: "tick", count: 200 });
    await until(() => seen.at(-1) === "last", "the regular event");
    const volatile = seen.slice(0, -1);
    assert.deepEqual(volatile, [...volatile].sort((a, b) => a - b));
    assert.equal(new Set(volatile).size, volatile.length);
  });

  scenario("F05 volatile binary is whole or not there", async ({ sockets }) => {
    const socket = await sockets.join();
    const seen = collect(socket, "tick");
    const data = Buffer.alloc(1000, 1);
    for (let i = 0; i < 20; i++)
      await cmd(socket, { op: "emit", to: { sids: [socket.id] }, event: "tick", args: [i], volatile: true }, data);
    for (const [, got] of seen) assert.deepEqual(got, data);
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });
}

test("B05 B06 Z07 both sides notice a dead connection", async (t) => {
  const short = await Server.start({ pingInterval: 300, pingTimeout: 300 });
  t.after(() => short.stop());
  for (const client of matrix({ since: "4.8" })) {
    const sockets = new Sockets(t, short, client);
    const proxy = await Proxy.start(t, short.port);
    const label = `dead ${client.label}`;
    const socket = await sockets.join("/", { url: proxy.url, auth: { label } });
    const gone = next(socket, "disconnect");
    proxy.freeze();
    assert.equal((await gone)[0], "ping timeout");
    const watch = async () => {
      const watcher = await sockets.join();
      const { entries } = await cmd(watcher, { op: "history", label });
      watcher.disconnect();
      return entries.find(({ kind }) => kind === "closed");
    };
    const { reason } = await until(watch, "the server to notice");
    assert.equal(reason, "ping timeout");
  }
});

test("Z08 L11 Z09 clients come back when the server was stopped and started again", async (t) => {
  const own = await Server.start();
  t.after(() => own.stop());
  const sockets = new Sockets(t, own, newest);
  const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
  const socket = await sockets.join("/", options);
  const gone = next(socket, "disconnect");
  await own.edge.stop("SIGTERM");
  assert.match((await gone)[0], /^transport (close|error)$/); // never "io server disconnect"
  const greeted = next(socket, "auth");
  await own.startEdge();
  await greeted;
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
});
