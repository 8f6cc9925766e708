import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Proxy, Server, Sockets, ask, cmd, collect, history, matrix, newest, next, reference, settled, until } from "./harness.mjs";

let server;
before(async () => (server = await Server.start({ recoveryWindow: 60_000 })));
after(() => server.stop());

const returning = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };
const here = (entries) => entries.length > 0 && entries.at(-1).kind !== "opened" && entries.at(-1).kind !== "resumed";

for (const client of matrix({ since: "4.6" })) {
  /** Every scenario has a socket behind a proxy that it can lose, and a watcher that stays. */
  const scenario = (name, fn, auth = {}) =>
    test(`${client.label}: ${name}`, async (t) => {
      const label = `${name} ${client.label}`;
      const sockets = new Sockets(t, server, client);
      const proxy = await Proxy.start(t, server.port);
      const watcher = await sockets.join();
      const socket = await sockets.join("/", { ...returning, url: proxy.url, auth: { label, ...auth } });
      const { id } = socket; // it has none while it is away
      await fn({ t, sockets, socket, id, watcher, proxy, label, lose, emit, see });

      /** Loses the connection; returns once the server knows. */
      async function lose() {
        if (client.way === "upgrade") await settled(socket);
        const gone = next(socket, "disconnect");
        await proxy.cutNoticed(socket);
        await gone;
        await history(watcher, label, here);
      }
      /** Has the socket see something, so that it has an offset. */
      async function see() {
        const seen = next(socket, "seen");
        await emit({ everyone: true }, "seen");
        await seen;
      }
      async function emit(to, event, ...args) {
        assert.deepEqual(await cmd(watcher, { op: "emit", to, event, args }), {});
      }
    });

  /** What the socket sees while it comes back, in order. */
  function chronicle(socket, ...events) {
    const seen = [];
    for (const event of events) socket.on(event, (...args) => seen.push([event, args[0]]));
    socket.on("connect", () => seen.push(["connect", socket.recovered]));
    return seen;
  }
  const back = (seen) => until(() => seen.some(([event]) => event === "connect"), "the client to be back");

  scenario("Y02 Y10 Y11 Y14 P1 is back with what it missed, in order, before connect", async ({ socket, proxy, lose, emit, id, see }) => {
    assert.equal(typeof socket._pid, "string");
    await see();
    await lose();
    const seen = chronicle(socket, "news", "mine");
    await emit({ everyone: true }, "news", 1);
    await emit({ sids: [id] }, "mine", 2);
    await emit({ everyone: true }, "news", 3);
    proxy.mend();
    await back(seen);
    assert.deepEqual(seen, [["news", 1], ["mine", 2], ["news", 3], ["connect", true]]);
    assert.equal(socket.id, id);
    await emit({ everyone: true }, "news", 4);
    await until(() => seen.length === 5, "what is emitted now");
    assert.deepEqual(seen[4], ["news", 4]);
  });

  scenario(
    "Y03 R19 keeps rooms, user and attributes",
    async ({ socket, watcher, proxy, lose }) => {
      const before = await cmd(socket, { op: "session" });
      await lose();
      const seen = chronicle(socket);
      proxy.mend();
      await back(seen);
      assert.deepEqual(seen, [["connect", true]]);
      assert.deepEqual(await cmd(watcher, { op: "session", sid: socket.id }), before);
    },
    { decide: { rooms: ["kept"], user: "kim", attributes: { a: "1" } } },
  );

  scenario("Y06 replays what was meant for it and may be kept", async ({ socket, id, watcher, proxy, lose, emit, see }) => {
    await cmd(socket, { op: "join", rooms: ["inside", "both"] });
    await see();
    await lose();
    const seen = chronicle(socket, "news");
    await emit({ rooms: ["inside"] }, "news", 1);
    await emit({ rooms: ["outside"] }, "news", "not for it");
    await emit({ everyone: true, exceptRooms: ["both"] }, "news", "not for it");
    await emit({ everyone: true, exceptSids: [id] }, "news", "not for it");
    await cmd(watcher, { op: "emit", to: { everyone: true }, event: "news", args: ["volatile"], volatile: true });
    await emit({ rooms: ["inside", "both"] }, "news", 2);
    proxy.mend();
    await back(seen);
    assert.deepEqual(seen, [["news", 1], ["news", 2], ["connect", true]]);
  });

  scenario("Y06 replays binary", async ({ socket, id, watcher, proxy, lose, emit, see }) => {
    await see();
    await lose();
    const seen = chronicle(socket, "data");
    await cmd(watcher, { op: "emit", to: { sids: [id] }, event: "data" }, Buffer.from([1, 2, 3]));
    proxy.mend();
    await back(seen);
    assert.deepEqual(seen, [["data", Buffer.from([1, 2, 3])], ["connect", true]]);
  });

  scenario("Y02 comes back again and again", async ({ socket, proxy, lose, emit, id, see }) => {
    await see();
    for (let round = 0; round < 3; round++) {
      await lose();
      const seen = chronicle(socket, "news");
      for (let i = 0; i < 20; i++) await emit({ sids: [id] }, "news", i);
      proxy.mend();
      await back(seen);
      assert.deepEqual(seen, [...Array.from({ length: 20 }, (_, i) => ["news", i]), ["connect", true]]);
      socket.off("news"), socket.off("connect");
    }
  });

  scenario("Y04 Y05 Y23 with an unknown pid it begins anew", async ({ socket, proxy, lose, id }) => {
    await lose();
    socket._pid = "unknown", socket._lastOffset = "unknown";
    const greeted = next(socket, "auth");
    proxy.mend();
    const [auth] = await greeted;
    assert.notEqual(socket.id, id);
    assert.equal(socket.recovered, false);
    if (!reference) assert.deepEqual(Object.keys(auth).sort(), ["label"]); // neither pid nor offset
  });

  scenario("Y05 with an unknown offset it does not believe to have seen everything", async ({ socket, proxy, lose, emit, see }) => {
    await see();
    await lose();
    await emit({ everyone: true }, "news", "missed");
    socket._lastOffset = "of nobody"; // no offset of ours looks so
    const seen = chronicle(socket);
    proxy.mend();
    await back(seen);
    assert.deepEqual(seen[0], ["connect", false]);
  });

  scenario("Y12 a client that left comes back as another", async ({ socket, id }) => {
    socket.disconnect();
    socket.connect();
    await next(socket, "auth");
    assert.notEqual(socket.id, id);
    assert.equal(socket.recovered, false);
  });

  scenario("Y18 a client that received nothing is back as well", async ({ t, socket, proxy, lose, id }) => {
    if (reference) return t.skip("the official server wants an offset");
    await lose();
    delete socket._lastOffset;
    const seen = chronicle(socket, "auth");
    proxy.mend();
    await back(seen);
    assert.equal(seen.at(-1)[1], true);
    assert.equal(socket.id, id);
  });

  scenario("Y19 strings at the end of volatile and answered events do no harm", async ({ t, socket, watcher, proxy, lose, emit, id }) => {
    if (reference) return t.skip("the official server loses the offset");
    const ticks = collect(socket, "tick");
    socket.on("question", (text, reply) => reply(text));
    await until(async () => {
      await cmd(watcher, { op: "emit", to: { sids: [id] }, event: "tick", args: ["a string"], volatile: true });
      return ticks.length > 0;
    }, "a volatile event");
    const { acked } = await cmd(watcher, { op: "emit", to: { sids: [id] }, event: "question", args: ["a string"], timeout: 15_000 });
    assert.equal(acked, 1);
    await lose();
    const seen = chronicle(socket, "news", "question");
    await emit({ sids: [id] }, "news", 1);
    proxy.mend();
    await back(seen);
    assert.deepEqual(seen, [["news", 1], ["connect", true]]);
  });

  scenario("Y15 a client that is not let in again receives nothing", async ({ t, socket, watcher, proxy, lose, emit }) => {
    if (reference) return t.skip("the official server sends what was missed first");
    await lose();
    const seen = chronicle(socket, "news");
    await emit({ everyone: true }, "news", "secret");
    socket.auth = { decide: { reject: { message: "expired" } } };
    const errors = collect(socket, "connect_error"); // those of the cut connection come first
    proxy.mend();
    await until(() => errors.some((error) => error.message === "expired"), "the refusal");
    assert.deepEqual(await ask(watcher, "message-with-ack", 1), [1]);
    assert.deepEqual(seen, []);
  });

  scenario("Y16 Y17 a client that is back before the loss was noticed takes its session over", async ({ t, sockets, socket, watcher, proxy, emit, id }) => {
    if (reference) return t.skip("the official server knows nothing of it yet");
    proxy.freeze();
    const heir = sockets.dial();
    heir.disconnect();
    heir._pid = socket._pid, heir._lastOffset = socket._lastOffset, heir.auth = socket.auth;
    const seen = chronicle(heir, "news");
    await cmd(watcher, { op: "join", sid: id, rooms: ["inherited"] });
    await emit({ sids: [id] }, "news", 1);
    heir.connect();
    await back(seen);
    assert.equal(heir.id, id);
    assert.deepEqual(await cmd(watcher, { op: "count", rooms: ["inherited"] }), { count: 1 });
    await emit({ rooms: ["inherited"] }, "news", 2);
    await until(() => seen.at(-1)[1] === 2, "the news");
    assert.deepEqual(seen.filter(([event]) => event === "news"), [["news", 1], ["news", 2]]);
  });
}

test("Y13 L04 a session ends with its window, once", { skip: reference && "it forgets in silence" }, async (t) => {
  const own = await Server.start({ recoveryWindow: 1_000 });
  t.after(() => own.stop());
  const sockets = new Sockets(t, own, newest);
  const proxy = await Proxy.start(t, own.port);
  const watcher = await sockets.join();
  const socket = await sockets.join("/", { ...returning, url: proxy.url, auth: { label: "late" } });
  const { id } = socket;
  proxy.cut();
  await history(watcher, "late", (entries) => entries.at(-1)?.kind === "closed");
  const greeted = next(socket, "auth");
  proxy.mend();
  await greeted;
  assert.notEqual(socket.id, id);
  assert.equal(socket.recovered, false);
  const entries = await history(watcher, "late", (seen) => seen.length >= 4);
  assert.deepEqual(entries.map(({ kind }) => kind), ["opened", "suspended", "closed", "opened"]);
});

test("Y20 P7 sessions survive kill -9 of the edge", { skip: reference && "it keeps them in memory" }, async (t) => {
  const own = await Server.start({ recoveryWindow: 60_000 });
  t.after(() => own.stop());
  for (const client of matrix({ since: "4.6" })) {
    const sockets = new Sockets(t, own, client);
    const label = `killed ${client.label}`;
    const socket = await sockets.join("/", { ...returning, auth: { label, decide: { rooms: [label] } } });
    const { id } = socket;
    const news = collect(socket, "news");
    await cmd(socket, { op: "emit", to: { rooms: [label] }, event: "news", args: [1] });
    const gone = next(socket, "disconnect");
    await own.edge.stop("SIGKILL");
    await gone;
    const connected = next(socket, "connect");
    await own.startEdge();
    await connected;
    assert.equal(socket.recovered, true, client.label);
    assert.equal(socket.id, id);
    await cmd(socket, { op: "emit", to: { rooms: [label] }, event: "news", args: [2] });
    await until(() => news.length >= 2, "the news");
    assert.deepEqual(news.map(([n]) => n), [1, 2]);
    socket.disconnect();
  }
});

test("Y22 P1 a client that missed more than is kept is told so", { skip: reference && "its log has no bound" }, async (t) => {
  const own = await Server.start({ recoveryWindow: 60_000, flags: { "log-packets": "10" } });
  t.after(() => own.stop());
  const sockets = new Sockets(t, own, newest);
  const proxy = await Proxy.start(t, own.port);
  const watcher = await sockets.join();
  const auth = { label: "far behind", decide: { rooms: ["kept"] } };
  const socket = await sockets.join("/", { ...returning, url: proxy.url, auth });
  const gone = next(socket, "disconnect");
  proxy.cut();
  await gone;
  await history(watcher, "far behind", here);
  for (let i = 0; i < 50; i++) await cmd(watcher, { op: "emit", to: { everyone: true }, event: "news", args: [i] });
  const connected = next(socket, "connect");
  proxy.mend();
  await connected;
  assert.equal(socket.recovered, false);
  assert.deepEqual((await cmd(socket, { op: "session" })).rooms, ["kept"]);
});
