import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Sockets, Server, ask, cmd, collect, history, matrix, newest, next, within } from "./harness.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const refusal = async (socket) => (await next(socket, "connect_error"))[0];

for (const client of matrix()) {
  const scenario = (name, fn) => test(`${client.label}: ${name}`, (t) => fn(new Sockets(t, server, client), t));

  scenario("N01 H03 connects the main namespace", async (sockets) => {
    const socket = sockets.dial();
    const [auth] = await next(socket, "auth");
    assert.deepEqual(auth, {});
    assert.equal(socket.connected, true);
    assert.match(socket.id, /^[A-Za-z0-9_-]{20}$/);
  });

  scenario("N02 N18 sends an auth object", async (sockets) => {
    const auth = { token: "123", nested: { list: [1, null, true] } };
    assert.deepEqual((await next(sockets.dial("/", { auth }), "auth"))[0], auth);
  });

  scenario("N18 sends what an auth function gives", async (sockets) => {
    const socket = sockets.dial("/", { auth: (give) => give({ token: "fresh" }) });
    assert.deepEqual((await next(socket, "auth"))[0], { token: "fresh" });
  });

  scenario("N03 M09 connects a custom namespace with its own auth", async (sockets) => {
    const socket = sockets.dial("/custom", { auth: { token: "abc" } });
    assert.deepEqual((await next(socket, "auth"))[0], { token: "abc" });
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });

  scenario("N04 refuses an unknown namespace", async (sockets) => {
    const error = await refusal(sockets.dial("/random"));
    assert.equal(error.message, "Invalid namespace");
  });

  scenario("N07 N09 N30 serves several namespaces by one connection", async (sockets) => {
    const main = sockets.dial("/", { forceNew: true });
    const custom = main.io.socket("/custom", {});
    const unknown = main.io.socket("/random", {});
    custom.connect(), unknown.connect();
    const [, , [error]] = await Promise.all([next(main, "auth"), next(custom, "auth"), next(unknown, "connect_error")]);
    assert.equal(error.message, "Invalid namespace");
    assert.notEqual(main.id, custom.id);
    assert.deepEqual(await ask(custom, "message-with-ack", "c"), ["c"]);
    assert.deepEqual(await ask(main, "message-with-ack", "m"), ["m"]);
  });

  scenario("N08 takes an empty namespace for the main one", async (sockets) => {
    const socket = await sockets.join("");
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });

  scenario("N09 has the same id on both sides", async (sockets) => {
    for (const namespace of ["/", "/custom"]) {
      const socket = await sockets.join(namespace);
      await cmd(socket, { op: "join", rooms: ["ids"] });
      assert.deepEqual((await cmd(socket, { op: "session", sid: socket.id })).rooms, ["ids"]);
    }
  });

  // Client 4.0 does not connect again right after disconnect().
  if (client.version !== "4.0") scenario("N10 N20 N01 gives every connection an id of its own", async (sockets) => {
    const [one, two] = [await sockets.join(), await sockets.join()];
    const former = one.id;
    assert.notEqual(former, two.id);
    one.disconnect();
    one.connect();
    await next(one, "auth");
    assert.notEqual(one.id, former);
  });

  scenario("M02 M03 H28 tells why the backend refuses", async (sockets) => {
    const auth = { decide: { reject: { message: "not authorized", data: { code: 7, reasons: ["a"] } } } };
    for (const namespace of ["/", "/custom"]) {
      // M05
      const error = await refusal(sockets.dial(namespace, { auth }));
      assert.equal(error.message, "not authorized");
      assert.deepEqual(error.data, { code: 7, reasons: ["a"] });
    }
  });

  scenario("M02 refuses without data", async (sockets) => {
    const error = await refusal(sockets.dial("/", { auth: { decide: { reject: { message: "no" } } } }));
    assert.equal(error.message, "no");
    assert.equal(error.data, undefined);
  });

  scenario("N19 D17 greets before everything else, in order", async (sockets) => {
    const greeting = [["hello", 1], ["hello", { a: [2] }], ["hello", "three"]];
    const socket = sockets.dial("/", { auth: { decide: { greeting } } });
    const hellos = collect(socket, "hello");
    await next(socket, "auth");
    assert.deepEqual(hellos, [1, { a: [2] }, "three"]);
  });

  scenario("M08 joins the rooms of the decision", async (sockets) => {
    const socket = await sockets.join("/", { auth: { decide: { rooms: ["b", "a"], user: "u1", attributes: { role: "admin" } } } });
    const session = await cmd(socket, { op: "session" });
    assert.deepEqual(session, { rooms: ["a", "b"], user: "u1", attributes: { role: "admin" } });
  });

  scenario("N17 H34 H35 H43 C12 shows the backend the request", async (sockets) => {
    const options = { query: { room: "7", text: "ä &=" }, extraHeaders: { "x-token": "secret" } };
    const { query, headers, address, secure } = await cmd(await sockets.join("/", options), { op: "handshake" });
    assert.equal(query.room, "7");
    assert.equal(query.text, "ä &=");
    assert.equal(query.EIO, "4");
    assert.equal(query.transport, client.way === "websocket" ? "websocket" : "polling");
    assert.equal(headers["x-token"], "secret");
    assert.match(address, /^(::ffff:)?127\.0\.0\.1/);
    assert.equal(secure, false);
  });

  scenario("M01 M07 L04 reports one beginning and one end", async (sockets) => {
    const [watcher, label] = [await sockets.join(), `life ${client.label}`];
    sockets.dial("/", { auth: { label, decide: { reject: { message: "no" }, rooms: ["left"] } } });
    const socket = await sockets.join("/", { auth: { label } });
    const sid = socket.id;
    socket.io.engine.close();
    const entries = await history(watcher, label, (seen) => seen.length >= 2);
    assert.deepEqual(entries.map(({ sid, kind }) => [sid, kind]), [[sid, "opened"], [sid, "closed"]]);
    assert.match(entries[1].reason, /^transport (close|error)$/);
    assert.deepEqual(await cmd(watcher, { op: "count", rooms: ["left"] }), { count: 0 });
  });
}

test("M04 a client that leaves before the decision does no harm", async (t) => {
  const sockets = new Sockets(t, server, newest);
  for (let i = 0; i < 20; i++) {
    const socket = sockets.dial();
    await within(new Promise((resolve) => socket.io.on("open", resolve)), "the transport");
    socket.disconnect();
  }
  await sockets.join();
});

test("H14 counts the clients", async (t) => {
  const sockets = new Sockets(t, server, newest);
  const watcher = await sockets.join();
  const { count } = await cmd(watcher, { op: "count" });
  await Promise.all([sockets.join(), sockets.join()]);
  assert.ok((await cmd(watcher, { op: "count" })).count >= 3, `was ${count}`);
});

test("Y01 no pid without recovery", async (t) => {
  const socket = await new Sockets(t, server, newest).join();
  assert.equal(socket._pid, undefined);
  assert.ok(!socket.recovered);
});
