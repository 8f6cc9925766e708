import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, Sockets, ask, cmd, collect, history, matrix, newest, next, reference, until } from "./harness.mjs";

// The official server has no backend that could be lost.
const options = { skip: reference && "there is no backend" };
const clients = 200;
const each = 20; // events of each client
const upTo = (n) => Array.from({ length: n }, (_, i) => i);

let server;
before(async () => reference || (server = await Server.start({ recoveryWindow: 60_000 })));
after(() => server?.stop());

/** Two hundred clients of all versions and ways, each with a record of what it saw. */
async function crowd(t) {
  const kinds = [...matrix()];
  const sockets = await Promise.all(
    upTo(clients).map((i) => {
      const client = kinds[i % kinds.length];
      return new Sockets(t, server, client).join("/", { settled: false });
    }),
  );
  return sockets.map((socket) => ({
    socket,
    disconnects: collect(socket, "disconnect"),
    counted: collect(socket, "counted"),
    acked: [],
  }));
}

/** With recovery on an event carries its offset behind its arguments. */
const numbers = (events) => events.map((args) => [args].flat()[0]);

/** What a client saw when every event is handled at least once and none before its predecessors. */
function assertOrdered(seen, what) {
  const first = [];
  for (const n of seen) {
    assert.ok(n <= first.length, `${what}: ${n} came before ${first.length} in ${seen}`);
    if (n === first.length) first.push(n);
  }
  assert.deepEqual(first, upTo(each), what);
}

test("Y21 P3 nothing is lost when the backend is killed while it holds everything", options, async (t) => {
  await server.backend.stop();
  server.startBackend("--hold");
  await server.ready();
  const all = await crowd(t);
  for (const { socket, acked } of all) for (let i = 0; i < each; i++) socket.emit("count", i, (n) => acked.push(n));
  // Its window takes the events of some clients, the others wait at the edge.
  await until(() => server.backend.output.split("holding").length > 30, "the backend to hold events");
  await server.backend.stop("SIGKILL");
  server.startBackend();
  for (const { counted } of all) await until(() => counted.length >= each, "every event to be delivered again");
  for (const { socket, disconnects, counted, acked } of all) {
    await until(() => acked.length === each, "every acknowledgement");
    assert.deepEqual(numbers(counted), upTo(each), socket.id); // nothing was handled before
    assert.deepEqual(acked, upTo(each), socket.id);
    assert.deepEqual(disconnects, []);
  }
});

test("Y21 P3 nothing is lost or reordered when the backend is killed at work", options, async (t) => {
  const all = await crowd(t);
  for (const { socket, acked } of all) for (let i = 0; i < each; i++) socket.emit("count", i, (n) => acked.push(n));
  await until(() => all.some(({ counted }) => counted.length > 0), "the backend to begin");
  await server.backend.stop("SIGKILL");
  server.startBackend();
  for (const { socket, disconnects, counted, acked } of all) {
    await until(() => new Set(numbers(counted)).size === each && acked.length === each, "every event");
    assertOrdered(numbers(counted), socket.id);
    assert.deepEqual(acked, upTo(each), socket.id);
    assert.deepEqual(disconnects, []);
  }
});

test("D22 P5 events wait while there is no backend", options, async (t) => {
  const sockets = new Sockets(t, server, newest);
  const socket = await sockets.join();
  const disconnects = collect(socket, "disconnect");
  await server.backend.stop("SIGKILL");
  const answers = upTo(50).map((i) => ask(socket, "message-with-ack", i));
  server.startBackend();
  assert.deepEqual(await Promise.all(answers), upTo(50).map((i) => [i]));
  assert.deepEqual(disconnects, []);
});

test("Y21 P3 a backend that is back knows the sessions, and learns of their ends", options, async (t) => {
  const sockets = new Sockets(t, server, newest);
  const auth = { label: "known", decide: { rooms: ["known"], attributes: { a: "1" } } };
  const socket = await sockets.join("/", { auth });
  const other = await sockets.join("/", { auth: { label: "ended meanwhile" } });
  await server.backend.stop("SIGKILL");
  other.disconnect();
  server.startBackend();
  assert.deepEqual(await cmd(socket, { op: "session" }), { rooms: ["known"], user: "", attributes: { a: "1" } });
  const news = next(socket, "news");
  await cmd(socket, { op: "emit", to: { rooms: ["known"] }, event: "news", args: [1] });
  assert.equal((await news)[0], 1);
  const ended = ({ kind }) => kind === "closed";
  const entries = await history(socket, "ended meanwhile", (seen) => seen.some(ended));
  assert.equal(entries.filter(ended).length, 1);
  assert.ok(ended(entries.at(-1)));
});

test("M12 a client that arrives without a backend is asked about when there is one", options, async (t) => {
  await server.backend.stop("SIGKILL");
  const sockets = new Sockets(t, server, newest);
  const returning = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
  const welcome = sockets.dial("/", returning);
  const refused = sockets.dial("/", { ...returning, auth: { decide: { reject: { message: "no" } } } });
  const connected = collect(refused, "connect");
  const reasons = collect(refused, "connect_error");
  const greeted = next(welcome, "auth");
  await until(() => welcome.io.engine?.readyState === "open" && refused.io.engine?.readyState === "open", "the transports");
  server.startBackend();
  await greeted;
  await until(() => reasons.some((error) => error.message === "no"), "the refusal");
  assert.deepEqual(connected, []);
});
