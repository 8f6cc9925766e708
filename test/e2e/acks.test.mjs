import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, Sockets, ask, cmd, collect, matrix, newest, next, reference, until } from "./harness.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

const forever = 15_000; // an acknowledgement timeout that no passing test waits for
const sids = (...sockets) => ({ sids: sockets.map((socket) => socket.id) });

for (const client of matrix()) {
  const scenario = (name, fn) => test(`${client.label}: ${name}`, (t) => fn(new Sockets(t, server, client), t));

  scenario("A01 answers with no arguments", async (sockets) => {
    for (const namespace of ["/", "/custom"]) assert.deepEqual(await ask(await sockets.join(namespace), "message-with-ack"), []);
  });

  scenario("A02 answers many at once, each its own", async (sockets) => {
    const socket = await sockets.join();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(socket, "message-with-ack", i)));
    assert.deepEqual(answers, Array.from({ length: 100 }, (_, i) => [i]));
  });

  scenario("A04 A05 A08 A17 asks the client", async (sockets) => {
    const socket = await sockets.join();
    socket.on("question", (a, b, reply) => reply({ sum: a + b }));
    const outcome = await cmd(socket, { op: "emit", to: sids(socket), event: "question", args: [1, 2], timeout: forever });
    assert.deepEqual(outcome.answers, [{ sum: 3 }]);
    assert.deepEqual([outcome.acked, outcome.timedOut], [1, 0]);
  });

  scenario("A04 A16 asks and answers in binary", async (sockets) => {
    const socket = await sockets.join();
    socket.on("question", (data, reply) => reply(Buffer.concat([data, data])));
    const outcome = await cmd(socket, { op: "emit", to: sids(socket), event: "question", timeout: forever }, Buffer.from([1, 2]));
    assert.deepEqual(outcome.answers, [Buffer.from([1, 2, 1, 2])]);
  });

  scenario("A13 asks several clients", async (sockets) => {
    const room = { rooms: [`acks ${client.label}`] };
    const asked = await Promise.all([sockets.join(), sockets.join(), sockets.join()]);
    for (const [i, socket] of asked.entries()) {
      await cmd(socket, { op: "join", ...room });
      socket.on("question", (reply) => reply(i));
    }
    const outcome = await cmd(asked[0], { op: "emit", to: room, event: "question", timeout: forever });
    assert.deepEqual(outcome.answers.sort(), [0, 1, 2]);
  });

  scenario("A06 A14 gives up on a client that does not answer", async (sockets) => {
    const [one, two] = [await sockets.join(), await sockets.join()];
    one.on("question", (reply) => reply("here"));
    const outcome = await cmd(one, { op: "emit", to: sids(one, two), event: "question", timeout: 500 });
    assert.deepEqual([outcome.answers, outcome.acked, outcome.timedOut], [["here"], 1, 1]);
  });

  scenario("A07 A10 ignores a late answer", async (sockets) => {
    const socket = await sockets.join();
    let reply;
    socket.on("question", (late) => (reply = late));
    const { timedOut } = await cmd(socket, { op: "emit", to: sids(socket), event: "question", timeout: 100 });
    assert.equal(timedOut, 1);
    reply("too late");
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });

  scenario("A09 A10 takes the first of two answers", async (sockets) => {
    const socket = await sockets.join();
    let id;
    socket.io.on("packet", (packet) => (id = packet.id ?? id));
    socket.on("question", (reply) => {
      reply("first");
      socket.packet({ type: 3, id, data: ["second"] }); // the client itself answers only once
    });
    const outcome = await cmd(socket, { op: "emit", to: sids(socket), event: "question", timeout: forever });
    assert.deepEqual(outcome.answers, ["first"]);
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  });

  scenario("A15 asks nobody at once", async (sockets) => {
    const socket = await sockets.join();
    const outcome = await cmd(socket, { op: "emit", to: { rooms: ["nobody"] }, event: "question", timeout: forever });
    assert.deepEqual([outcome.answers, outcome.acked, outcome.timedOut], [[], 0, 0]);
  });

  scenario("Q05 the client sees an emit before the answer that follows it", async (sockets) => {
    const socket = await sockets.join();
    const order = [];
    socket.on("burst", () => order.push("event"));
    socket.emit("cmd", { op: "burst", event: "burst", count: 3 }, null, () => order.push("answer"));
    await until(() => order.length === 4, "the answer");
    assert.deepEqual(order, ["event", "event", "event", "answer"]);
  });
}

test("A12 A18 a client that leaves is an answer", { skip: reference && "it waits for the timeout" }, async (t) => {
  const sockets = new Sockets(t, server, newest);
  const [one, two] = [await sockets.join(), await sockets.join()];
  two.on("question", () => two.disconnect());
  const outcome = await cmd(one, { op: "emit", to: sids(two), event: "question", timeout: forever });
  assert.deepEqual([outcome.acked, outcome.timedOut, outcome.disconnected], [0, 0, 1]);
});

test("A19 the client's retries go through", async (t) => {
  const socket = await new Sockets(t, server, newest).join("/", { retries: 3, ackTimeout: forever });
  const counted = collect(socket, "counted");
  for (let i = 0; i < 20; i++) socket.emit("count", i);
  await until(() => counted.length === 20, "all events");
  assert.deepEqual(counted, Array.from({ length: 20 }, (_, i) => i));
});

test("A20 the client's waiting callbacks fail when it is disconnected", async (t) => {
  const socket = await new Sockets(t, server, newest).join();
  const failed = new Promise((resolve) => socket.timeout(forever).emit("nobody listens", resolve));
  socket.disconnect();
  assert.ok((await failed) instanceof Error);
});
