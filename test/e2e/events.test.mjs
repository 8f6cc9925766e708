import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, Sockets, ask, cmd, collect, matrix, newest, next, reference, until } from "./harness.mjs";

let server;
before(async () => (server = await Server.start()));
after(() => server.stop());

/** Every kind of JSON value as arguments, and what they are on the other side if not themselves. */
const values = {
  "D01 scalars": [[1, -1.5, "2", true, false, null]],
  "D01 nested": [[{ a: [1, { b: [] }], c: {} }, [[], [[]]]]],
  "D03 null only": [[null]],
  "D01 nothing": [[]],
  "D01 empty string and object": [["", {}, []]],
  "D04 characters": [["héllo 你好 😀 \u2028 \u0000 \" \\ /", { "ключ": "значение" }]],
  "D16 dates and undefined": [
    [new Date(0), { at: new Date(0), none: undefined }, undefined],
    ["1970-01-01T00:00:00.000Z", { at: "1970-01-01T00:00:00.000Z" }, null],
  ],
  "K20 integers as text": [["9007199254740993", "-18446744073709551616"]],
  "D01 floats": [[1e21, 1e-7, 0.1, -0.5, 2 ** 53]],
  "D01 many arguments": [Array.from({ length: 200 }, (_, i) => i)],
  "D05 binary": [[Buffer.from([1, 2, 3])]],
  "D05 several kinds of data": [[1, Buffer.from([0, 255]), "a", { b: Buffer.from("x"), c: [Buffer.from("y"), null] }]],
  "D06 empty binary": [[Buffer.alloc(0), "after"]],
  "D05 typed array": [[new Uint8Array([5, 6])], [Buffer.from([5, 6])]],
  "D05 ten attachments": [Array.from({ length: 10 }, (_, i) => Buffer.from([i]))],
};

for (const client of matrix()) {
  const scenario = (name, fn) => test(`${client.label}: ${name}`, (t) => fn(new Sockets(t, server, client), t));

  for (const [name, [sent, expected = sent]] of Object.entries(values)) {
    scenario(`${name}, echoed`, async (sockets) => {
      const socket = await sockets.join();
      const back = next(socket, "message-back");
      socket.emit("message", ...sent);
      assert.deepEqual(await back, expected);
    });
    scenario(`A02 A03 ${name}, in an acknowledgement`, async (sockets) => {
      assert.deepEqual(await ask(await sockets.join(), "message-with-ack", ...sent), expected);
    });
  }

  scenario("D02 send is message", async (sockets) => {
    const socket = await sockets.join();
    const back = next(socket, "message-back");
    socket.send("text", 1);
    assert.deepEqual(await back, ["text", 1]);
  });

  scenario("D15 P17 W05 keeps the order of many events", async (sockets) => {
    const socket = await sockets.join("/", { settled: false });
    const [back, count] = [collect(socket, "message-back"), 500];
    for (let i = 0; i < count; i++) socket.emit("message", i);
    await until(() => back.length === count, "all events");
    assert.deepEqual(back, Array.from({ length: count }, (_, i) => i));
  });

  scenario("D17 keeps the order of what was emitted before the connection", async (sockets) => {
    const socket = sockets.dial();
    const back = collect(socket, "message-back");
    for (let i = 0; i < 50; i++) socket.emit("message", i);
    await until(() => back.length === 50, "all events");
    assert.deepEqual(back, Array.from({ length: 50 }, (_, i) => i));
  });

  scenario("K21 keeps text and attachments in order", async (sockets) => {
    const socket = await sockets.join("/", { settled: false });
    const back = collect(socket, "message-back");
    for (let i = 0; i < 50; i++) socket.emit("message", i, ...(i % 2 ? [Buffer.from([i])] : [])), socket.emit("message", `${i}`);
    await until(() => back.length === 100, "all events");
    assert.deepEqual(back, Array.from({ length: 50 }, (_, i) => [i % 2 ? [i, Buffer.from([i])] : i, `${i}`]).flat());
  });

  scenario("D07 D08 carries 900 KB both ways", async (sockets) => {
    const socket = await sockets.join();
    const text = "x".repeat(900_000);
    assert.deepEqual(await ask(socket, "message-with-ack", text), [text]);
    if (client.way === "polling") return; // as base64 it would be over maxPayload
    const data = Buffer.alloc(900_000, 7);
    assert.deepEqual(await ask(socket, "message-with-ack", data), [data]);
  });

  if (client.way === "upgrade") scenario("U01 U08 loses nothing while upgrading", async (sockets) => {
    const socket = await sockets.join("/", { settled: false });
    const down = collect(socket, "burst");
    const back = collect(socket, "message-back");
    let sent = 0;
    await cmd(socket, { op: "burst", event: "burst", count: 200 });
    await until(() => {
      for (let i = 0; i < 10; i++) socket.emit("message", sent++);
      return socket.io.engine.transport.name === "websocket";
    }, "the upgrade");
    await until(() => back.length === sent && down.length === 200, "all events");
    assert.deepEqual(back, Array.from({ length: sent }, (_, i) => i));
    assert.deepEqual(down, Array.from({ length: 200 }, (_, i) => i));
  });
}

test("D09 an event named error or connection is an event like others", async (t) => {
  const socket = await new Sockets(t, server, newest).join();
  socket.emit("error", "boom"), socket.emit("connection"), socket.emit("", 1);
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
});

test("D14 the backend cannot emit reserved names", { skip: reference && "its client throws in the backend" }, async (t) => {
  const socket = await new Sockets(t, server, newest).join();
  for (const event of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
    const { error } = await cmd(socket, { op: "emit", to: { everyone: true }, event });
    assert.ok(error, `${event} was emitted`);
  }
});

test("K11 the backend cannot emit more than ten attachments", { skip: reference && "it would not refuse" }, async (t) => {
  const socket = await new Sockets(t, server, newest).join();
  const disconnected = collect(socket, "disconnect");
  socket.emit("message", ...Array.from({ length: 10 }, () => Buffer.from("x")));
  await next(socket, "message-back");
  assert.deepEqual(disconnected, []);
});
