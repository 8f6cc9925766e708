import assert from "node:assert/strict";
import { once } from "node:events";
import { afterEach, beforeEach, test } from "node:test";
import { Server, type ServerOptions } from "../src/index";
import { commands, emitted, FakeEdge, type FakeStream, opened } from "./fake-edge";

let edge: FakeEdge;
let servers: Server[] = [];
const errors: unknown[] = [];

beforeEach(async () => {
  edge = await new FakeEdge().start();
  errors.length = 0;
});
afterEach(async () => {
  edge.stop();
  await Promise.all(servers.map((s) => s.close()));
  servers = [];
});

function serve(options: Partial<ServerOptions> = {}): Server {
  const io = new Server(edge.address, { group: "g", onError: (err) => errors.push(err), ...options });
  servers.push(io);
  return io;
}

async function attach(io: Server, welcome?: any, sessions?: any[]): Promise<FakeStream> {
  const [stream] = await edge.accept();
  stream.welcome(welcome, sessions);
  await io.status.attached();
  return stream;
}

test("Hello names the group, the routes and what they ask for", async () => {
  const io = serve({ group: "chat", memberId: "m1" });
  io.of("/admin").use((_s, next) => next());
  io.of(/^\/room-\d+$/);
  const [, { ...hello }] = await edge.accept();
  assert.equal(hello.group, "chat");
  assert.equal(hello.memberId, "m1");
  assert.equal(hello.resume, null);
  const routes = Object.fromEntries(hello.spec.routes.map((r: any) => [r.namespace, r.kinds.includes("EVENT_KIND_CONNECT_REQUESTED")]));
  assert.deepEqual(routes, { "/": false, "/admin": true, "/room-*": true });
});

test("what one turn says leaves in one batch; the delivery is settled after it", async () => {
  const io = serve();
  io.on("connection", (socket) => {
    socket.on("go", () => {
      socket.volatile.emit("a");
      socket.volatile.emit("b");
      io.to("r").except("x").emit("c", { n: 1 });
    });
  });
  const stream = await attach(io);
  const [first] = stream.deliver(opened("s1"));
  await stream.settled(first);
  const [second] = stream.deliver(emitted("s1", "go"));
  const batch = await stream.expect((m) => commands(m).length > 0 && commands(m));
  assert.equal(batch.length, 3);
  assert.deepEqual(batch.map((c: any) => c.emit.event), ["a", "b", "c"]);
  assert.deepEqual(batch[0].emit.target.sids, ["s1"]);
  assert.equal(batch[0].emit.volatile, true);
  assert.deepEqual(batch[2].emit.target.rooms, ["r"]);
  assert.deepEqual(batch[2].emit.target.exceptRooms, ["x"]);
  assert.equal(batch[2].emit.payload.json.toString(), '[{"n":1}]');
  assert.equal(new Set(batch.map((c: any) => c.commandId)).size, 3);
  await stream.settled(second);
});

test("emit, then the callback: in this order on the stream", async () => {
  const io = serve();
  io.on("connection", (socket) => {
    socket.on("q", (x, cb) => {
      socket.emit("before");
      cb(x + 1);
      socket.emit("after");
    });
  });
  const stream = await attach(io);
  stream.deliver(opened("s1"));
  const [id] = stream.deliver(emitted("s1", "q", [1], true));
  await stream.settled(id);
  const said = stream.received.filter((m) => m.commands || m.reply).map((m) => (m.reply ? m.reply.payload.json.toString() : commands(m)[0].emit.event));
  assert.deepEqual(said, ["before", "[2]", "after"]);
});

test("acks are ranges", async () => {
  const io = serve();
  let seen = 0;
  io.on("connection", (socket) => socket.on("e", () => void seen++));
  const stream = await attach(io);
  const ids = stream.deliver(opened("s1"), ...Array.from({ length: 100 }, () => emitted("s1", "e")));
  const done = await stream.expect((m) => m.ack?.done);
  assert.deepEqual(done, [{ first: ids[0], last: ids[100] }]);
  assert.equal(seen, 100);
});

test("handlers of one socket run one after the other, those of two side by side", async () => {
  const io = serve();
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  io.on("connection", (socket) => {
    socket.on("work", async (name) => {
      log.push(`+${name}`);
      await new Promise<void>((resolve) => gates.set(name, resolve));
      log.push(`-${name}`);
    });
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), opened("b"), emitted("a", "work", ["a1"]), emitted("a", "work", ["a2"]), emitted("b", "work", ["b1"]));
  await stream.settled(ids[1]);
  assert.deepEqual(log, ["+a1", "+b1"]);
  gates.get("b1")!();
  await stream.settled(ids[4]);
  gates.get("a1")!();
  await stream.settled(ids[2]);
  assert.deepEqual(log, ["+a1", "+b1", "-b1", "-a1", "+a2"]);
  gates.get("a2")!();
  await stream.settled(ids[3]);
});

test("an event that a running handler waits for with once() is not held back", async () => {
  const io = serve();
  io.on("connection", (socket) => {
    socket.on("start", async () => {
      const [word] = await once(socket, "word");
      socket.emit("got", word);
    });
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "start"), emitted("a", "word", ["yes"]));
  const [c] = await stream.expect((m) => commands(m).length > 0 && commands(m));
  assert.equal(c.emit.payload.json.toString(), '["yes"]');
  await stream.settled(ids[1]);
});

test("events wait for an async connection handler that has still to add the listener", async () => {
  const io = serve();
  let open!: () => void;
  const loaded = new Promise<void>((resolve) => (open = resolve));
  io.on("connection", async (socket) => {
    socket.on("early", () => socket.emit("early"));
    await loaded;
    socket.on("late", () => socket.emit("late"));
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "early"), emitted("a", "late"));
  await stream.settled(ids[1]);
  open();
  await stream.settled(ids[2]);
  const events = stream.received.flatMap(commands).map((c: any) => c.emit.event);
  assert.deepEqual(events, ["early", "late"]);
});

test("a handler that throws hands its delivery back, with what waits behind it", async () => {
  const io = serve();
  const seen: unknown[] = [];
  let fails = true;
  io.on("connection", (socket) => {
    socket.on("e", async (n) => {
      await null;
      if (n === 1 && fails) throw new Error("database down");
      seen.push(n);
    });
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "e", [1]), emitted("a", "e", [2]));
  const nack = await stream.expect((m) => m.ack?.nacks[0]);
  assert.equal(nack.deliveryId, ids[1]);
  assert.match(nack.reason, /database down/);
  assert.equal((errors[0] as Error).message, "database down");
  fails = false;
  const again = stream.deliver({ ...emitted("a", "e", [1]), offset: 2, attempt: 2 }, { ...emitted("a", "e", [2]), offset: 3, attempt: 2 });
  await stream.settled(again[1]);
  assert.deepEqual(seen, [1, 2]);
});

test("a connection handler that throws is called again with a new socket", async () => {
  const io = serve();
  const sockets = new Set<unknown>();
  io.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("e", () => socket.emit("once"));
    if (sockets.size === 1) throw new Error("not yet");
  });
  const stream = await attach(io);
  const [id] = stream.deliver(opened("a"));
  assert.equal((await stream.expect((m) => m.ack?.nacks[0])).deliveryId, id);
  const [, last] = stream.deliver({ ...opened("a"), offset: 1, attempt: 2 }, emitted("a", "e"));
  await stream.settled(last);
  assert.equal(sockets.size, 2);
  assert.equal(stream.received.flatMap(commands).length, 1);
});

test("a failed disconnect handler hears of the disconnection again", async () => {
  const io = serve();
  let calls = 0;
  io.on("connection", (socket) => {
    socket.on("disconnect", async (reason) => {
      assert.equal(reason, "transport close");
      if (++calls === 1) throw new Error("not yet");
    });
  });
  const stream = await attach(io);
  const closed = { sid: "a", closed: { reason: "CLOSE_REASON_TRANSPORT_CLOSE", detail: "transport close", session: { sid: "a" } } };
  stream.deliver(opened("a"), closed);
  await stream.expect((m) => m.ack?.nacks[0]);
  const [id] = stream.deliver({ ...closed, offset: 2, attempt: 2 });
  await stream.settled(id);
  assert.equal(calls, 2);
  assert.equal(io.sockets.sockets.size, 0);
});

test("an event that comes again after a reconnect is not handled twice, and its reply is sent again", async () => {
  const io = serve();
  let calls = 0;
  io.on("connection", (socket) => socket.on("e", (cb) => cb(++calls)));
  const stream = await attach(io);
  stream.deliver(opened("a"), emitted("a", "e", [], true));
  await stream.expect((m) => m.reply);
  edge.stop();
  await edge.start();
  const [next, hello] = await edge.accept();
  assert.deepEqual(hello.resume, { edgeId: "edge", logId: "log", offset: 2 });
  next.welcome({ resume: "RESUME_OUTCOME_CONTINUED" });
  const [id] = next.deliver({ ...emitted("a", "e", [], true), offset: 2, attempt: 2 });
  const reply = await next.expect((m) => m.reply);
  assert.deepEqual([reply.deliveryId, reply.payload.json.toString()], [id, "[1]"]);
  assert.equal(calls, 1);
  assert.equal(io.sockets.sockets.size, 1);
});

test("a handler that runs when the stream breaks is not started again; it settles on the new stream", async () => {
  const io = serve();
  let calls = 0;
  let go!: () => void;
  io.on("connection", (socket) => socket.on("e", () => (calls++, new Promise<void>((resolve) => (go = resolve)))));
  const stream = await attach(io);
  const [first] = stream.deliver(opened("a"), emitted("a", "e"));
  await stream.settled(first);
  edge.stop();
  await edge.start();
  const next = await attach(io, { resume: "RESUME_OUTCOME_CONTINUED" });
  const [id, last] = next.deliver({ ...emitted("a", "e"), offset: 2, attempt: 2 }, opened("b"));
  await next.settled(last);
  go();
  await next.settled(id);
  assert.equal(calls, 1);
});

test("commands that were not confirmed are sent again with the same ids; volatile ones are not", async () => {
  edge.answersHeartbeats = false;
  const io = serve();
  const stream = await attach(io);
  io.emit("one");
  io.volatile.emit("gone");
  const sent = await stream.expect((m) => commands(m).length > 0 && commands(m));
  edge.stop();
  await edge.start();
  io.emit("two");
  edge.answersHeartbeats = true;
  const next = await attach(io);
  const again = await next.expect((m) => commands(m).length > 0 && commands(m));
  assert.deepEqual(again.map((c: any) => c.emit.event), ["one", "two"]);
  assert.equal(again[0].commandId, sent[0].commandId);
  // Confirmed now: nothing is left for a third stream.
  await new Promise<void>((reached) => io._core.outbox.barrier(reached));
  assert.equal(io._core.outbox.idle, true);
});

test("a snapshot makes io.sockets true: gone, moved, back and new sessions", async () => {
  const io = serve();
  const log: string[] = [];
  io.on("connection", (socket) => {
    log.push(`+${socket.id} ${socket.recovered} ${[...socket.rooms].sort()} ${JSON.stringify(socket.data)}`);
    socket.on("disconnect", (reason) => log.push(`-${socket.id} ${reason}`));
  });
  const session = (sid: string, more: any = {}) => ({ sid, namespace: "/", connectionId: `c-${sid}`, state: "SESSION_STATE_OPEN", ...more });
  const stream = await attach(io, {}, [session("a", { rooms: ["lobby"], attributes: { data: '{"n":1}' } }), session("b"), session("c")]);
  const [id] = stream.deliver(opened("d"));
  await stream.settled(id);
  edge.stop();
  await edge.start();
  const change = once(io.status, "change");
  log.push("restart");
  const next = await attach(io, { resume: "RESUME_OUTCOME_SNAPSHOT", epoch: 2 }, [session("a"), session("b", { connectionId: "c-other", recovered: true }), session("e"), { sid: "f", namespace: "/", state: "SESSION_STATE_SUSPENDED" }]);
  await change;
  await new Promise<void>((reached) => io._core.outbox.barrier(reached));
  assert.deepEqual(log, [
    '+a true a,lobby {"n":1}',
    "+b true b {}",
    "+c true c {}",
    "+d false d {}",
    "restart",
    "-b transport close",
    "+b true b {}",
    "+e true e {}",
    "-c session moved",
    "-d session moved",
  ]);
  assert.deepEqual([...io.sockets.sockets.keys()].sort(), ["a", "b", "e"]);
  next.send({ assignment: { gained: [session("g")], lostSids: ["a"] } });
  const [last] = next.deliver(emitted("g", "x"));
  await next.settled(last);
  assert.deepEqual([...io.sockets.sockets.keys()].sort(), ["b", "e", "g"]);
  assert.equal(io.engine.clientsCount, 3);
});

test("a session that ended while no program was there is connected and disconnected", async () => {
  const io = serve();
  const log: string[] = [];
  io.on("connection", (socket) => {
    log.push(`+${socket.id} ${socket.recovered} ${socket.data.user}`);
    socket.on("disconnect", (reason) => log.push(`-${socket.id} ${reason}`));
  });
  const stream = await attach(io, {}, [{ sid: "away", namespace: "/", state: "SESSION_STATE_SUSPENDED" }]);
  const closed = (sid: string) => ({ sid, closed: { reason: "CLOSE_REASON_CLIENT", detail: "client namespace disconnect", session: { sid, namespace: "/", attributes: { data: '{"user":"u"}' } } } });
  const ids = stream.deliver(closed("a"), closed("away"));
  await stream.settled(ids[1]);
  assert.deepEqual(log, ["+a true u", "-a client namespace disconnect"]);
});

test("suspended and resumed are a disconnection and a connection, as in one process", async () => {
  const io = serve();
  const log: string[] = [];
  io.on("connection", (socket) => {
    socket.data.n ??= 0;
    socket.data.n++;
    log.push(`+${socket.recovered} ${socket.data.n}`);
    socket.on("disconnecting", (reason) => log.push(`${reason} ${[...socket.rooms]}`));
    socket.on("disconnect", (reason) => log.push(`-${reason} ${socket.rooms.size} ${io.sockets.sockets.size}`));
  });
  const stream = await attach(io);
  const ids = stream.deliver(
    opened("a"),
    { sid: "a", suspended: { reason: "CLOSE_REASON_PING_TIMEOUT" } },
    { sid: "a", resumed: { complete: true, session: { sid: "a", namespace: "/", connectionId: "c2", rooms: ["r"], state: "SESSION_STATE_OPEN" } } },
  );
  await stream.settled(ids[2]);
  assert.deepEqual(log, ["+false 1", "ping timeout a", "-ping timeout 0 0", "+true 2"]);
  const update = await stream.expect((m) => commands(m).find((c: any) => c.update));
  assert.deepEqual(update.update.set, { data: '{"n":2}' });
});

test("middlewares decide; what they did is in the decision", async () => {
  const io = serve();
  io.use(async (socket, next) => {
    await null;
    if (socket.handshake.auth.token !== "secret") {
      return next(Object.assign(new Error("Authentication error"), { data: { retry: false } }));
    }
    socket.data.user = "u1";
    (socket as any).mark = 7;
    socket.join(["lobby", "u1"]);
    socket.emit("hi", 1);
    next();
  });
  let mark: unknown;
  io.on("connection", (socket) => (mark = (socket as any).mark));
  const stream = await attach(io);
  const ask = (sid: string, token: string, more: any = {}) => ({ sid, connectRequested: { authJson: Buffer.from(JSON.stringify({ token })), ...more } });
  const [a, b, c] = stream.deliver(ask("a", "wrong"), ask("b", "secret"), ask("c", "wrong", { resuming: true }));
  const reject = (await stream.expect((m) => m.decision?.deliveryId === a && m.decision)).reject;
  assert.deepEqual([reject.message, reject.dataJson.toString()], ["Authentication error", '{"retry":false}']);
  const accept = (await stream.expect((m) => m.decision?.deliveryId === b && m.decision)).accept;
  assert.deepEqual(accept.rooms, ["lobby", "u1"]);
  assert.deepEqual(accept.attributes, { data: '{"user":"u1"}' });
  assert.deepEqual(accept.greeting.map((e: any) => [e.event, e.payload.json.toString()]), [["hi", "[1]"]]);
  assert.ok((await stream.expect((m) => m.decision?.deliveryId === c && m.decision)).accept, "a client that comes back is not asked again");
  const [id] = stream.deliver(opened("b", { rooms: ["lobby", "u1"], attributes: accept.attributes }));
  await stream.settled(id);
  assert.equal(mark, 7);
  assert.deepEqual([...io.sockets.sockets.get("b")!.rooms], ["b", "lobby", "u1"]);
});

test("a middleware that throws decides nothing", async () => {
  const io = serve();
  io.use(() => {
    throw new Error("database down");
  });
  const stream = await attach(io);
  const [id] = stream.deliver({ sid: "a", connectRequested: {} });
  assert.equal((await stream.expect((m) => m.ack?.nacks[0])).deliveryId, id);
  assert.equal(stream.received.some((m) => m.decision), false);
});

test("a callback may be called after the listener has returned; the delivery waits for it", async () => {
  const io = serve();
  let late!: (x: string) => void;
  io.on("connection", (socket) => {
    socket.on("late", (cb) => void (late = cb));
    socket.on("next", () => {});
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "late", [], true), emitted("a", "next"));
  await stream.settled(ids[2]); // it holds nothing up
  assert.equal(stream.received.some((m) => m.ack?.done.some((r: any) => r.first <= ids[1] && ids[1] <= r.last)), false);
  late("x");
  late("y");
  await stream.settled(ids[1]);
  assert.equal(stream.received.filter((m) => m.reply).length, 1);
});

test("acknowledgements of broadcasts: answers, time-outs, nobody", async () => {
  const io = serve();
  const stream = await attach(io);
  const next = () => stream.expect((m) => commands(m)[0]);
  const all = io.timeout(5000).emitWithAck("q");
  let { commandId } = await next();
  const ack = (sid: string, x: unknown) => ({ commandId, sid, outcome: "ACK_OUTCOME_ACKED", payload: { json: Buffer.from(JSON.stringify([x])) } });
  stream.send({ clientAcks: { acks: [ack("a", 1), ack("b", 2)], summaries: [{ commandId, expected: 2, acked: 2 }] } });
  assert.deepEqual(await all, [1, 2]);

  const part = io.timeout(5000).emitWithAck("q");
  ({ commandId } = await next());
  stream.send({ clientAcks: { acks: [ack("a", 1), { commandId, sid: "b", outcome: "ACK_OUTCOME_TIMED_OUT" }], summaries: [{ commandId, expected: 2, acked: 1, timedOut: 1 }] } });
  const err: any = await part.catch((e) => e);
  assert.deepEqual([err.message, err.responses], ["operation has timed out", [1]]);

  const nobody = io.to("nowhere").timeout(5000).emitWithAck("q");
  ({ commandId } = await next());
  stream.send({ clientAcks: { summaries: [{ commandId, expected: 0 }] } });
  assert.deepEqual(await nobody, []);
});

test("acknowledgements of one socket end when its client has gone", async () => {
  const io = serve();
  const stream = await attach(io);
  const [id] = stream.deliver(opened("a"));
  await stream.settled(id);
  const answer = io.sockets.sockets.get("a")!.emitWithAck("q");
  const { commandId, emit } = await stream.expect((m) => commands(m)[0]);
  assert.equal(emit.ack.timeout.seconds, 600);
  stream.send({ clientAcks: { acks: [{ commandId, sid: "a", outcome: "ACK_OUTCOME_DISCONNECTED" }], summaries: [{ commandId, expected: 1, disconnected: 1 }] } });
  await assert.rejects(answer);
});

test("fetchSockets asks after everything said has been done", async () => {
  const io = serve();
  const stream = await attach(io);
  const [id] = stream.deliver(opened("a"));
  await stream.settled(id);
  edge.list = ({ filter }) => {
    assert.ok(stream.received.some((m) => commands(m).some((c: any) => c.join)), "the join came first");
    assert.deepEqual(filter.rooms, ["r"]);
    return [
      { sid: "a", namespace: "/", state: "SESSION_STATE_OPEN" },
      { sid: "elsewhere", namespace: "/", state: "SESSION_STATE_OPEN", rooms: ["r"], attributes: { data: '{"u":1}' }, handshake: { remoteAddr: "192.0.2.7:51000" } },
      { sid: "away", namespace: "/", state: "SESSION_STATE_SUSPENDED" },
    ];
  };
  const a = io.sockets.sockets.get("a")!;
  a.join("r");
  const found = await io.in("r").fetchSockets();
  assert.equal(found.length, 2);
  assert.equal(found[0], a);
  assert.equal(found[1].data.u, 1);
  assert.equal(found[1].handshake.address, "192.0.2.7");
  assert.deepEqual([...found[1].rooms], ["elsewhere", "r"]);
  (found[1] as any).timeout(1000).emit("x", () => {});
  const { emit } = await stream.expect((m) => commands(m).find((c: any) => c.emit));
  assert.ok(emit.target.rooms.includes("elsewhere"));
});

test("a fenced member does not come back; the status says so", async () => {
  const io = serve();
  const stream = await attach(io);
  const states: string[] = [];
  const watching = (async () => {
    for await (const s of io.status) states.push(s.state);
  })();
  const info = Buffer.concat([Buffer.from([10, 6]), Buffer.from("FENCED")]);
  const any = Buffer.concat([Buffer.from([10, 40]), Buffer.from("type.googleapis.com/google.rpc.ErrorInfo"), Buffer.from([18, info.length]), info]);
  const status = Buffer.concat([Buffer.from([8, 9, 26, any.length]), any]);
  stream.failWith(9, "newer", status);
  await watching;
  assert.deepEqual(states, ["attached", "fenced"]);
  await assert.rejects(io.status.attached());
});

test("a namespace added later is announced without missing anything", async () => {
  const io = serve();
  const stream = await attach(io);
  const [id] = stream.deliver(opened("a"));
  await stream.settled(id);
  io.of("/late");
  const [next, hello] = await edge.accept();
  assert.deepEqual(hello.spec.routes.map((r: any) => r.namespace), ["/", "/late"]);
  assert.equal(hello.resume.offset, 1);
  next.welcome({ resume: "RESUME_OUTCOME_CONTINUED" });
  await io.status.attached();
  assert.equal(io.sockets.sockets.size, 1);
});

test("close waits for handlers and says what they say; the clients are not disconnected", async () => {
  const io = serve();
  let go!: () => void;
  const reasons: string[] = [];
  io.on("connection", (socket) => {
    socket.on("e", async () => {
      await new Promise<void>((resolve) => (go = resolve));
      socket.emit("last");
    });
    socket.on("disconnect", (reason) => {
      reasons.push(reason);
      io.emit("nobody hears this");
    });
  });
  const stream = await attach(io);
  const [first, id] = stream.deliver(opened("a"), emitted("a", "e"));
  await stream.settled(first);
  const closed = io.close();
  await stream.expect((m) => m.leave);
  go();
  const [c] = await stream.expect((m) => commands(m).length > 0 && commands(m));
  assert.equal(c.emit.event, "last");
  await stream.settled(id);
  await closed;
  assert.equal(stream.ended, true);
  assert.deepEqual(reasons, ["server shutting down"]);
  assert.equal(io.sockets.sockets.size, 0);
  assert.equal(stream.received.flatMap(commands).length, 0);
  assert.equal(io.status.current.state, "closed");
});

test("what cannot be is refused in words", () => {
  assert.throws(() => new Server(3000 as never), /address is that of the edge's control port/);
  const io = serve();
  assert.throws(() => (io as any).attach(3000), /the edge serves the clients/);
  assert.throws(() => (io as any).adapter({}), /no adapter is needed/);
  assert.throws(() => io.engine.use(), /put a proxy before the edge/);
  assert.throws(() => io.serverSideEmit("x"), /between backends/);
  assert.throws(() => io.of(/^\/a$/g), /flag g/);
  assert.throws(() => io.emit("big", "x".repeat(5 << 20)), RangeError);
});

test("a namespace added between Hello and Welcome is announced, too", async () => {
  const io = serve();
  const [stream] = await edge.accept();
  io.of("/late").use((_s, next) => next());
  stream.welcome();
  const [, hello] = await edge.accept();
  assert.deepEqual(hello.spec.routes.map((r: any) => r.namespace), ["/", "/late"]);
});

test("a long handler's delivery is extended", async () => {
  const io = serve({ ackDeadline: 300 });
  let go!: () => void;
  io.on("connection", (socket) => socket.on("e", () => new Promise<void>((resolve) => (go = resolve))));
  const stream = await attach(io);
  const [, id] = stream.deliver(opened("a"), emitted("a", "e"));
  for (let i = 0; i < 2; i++) await stream.expect((m) => m.ack?.extend.some((r: any) => r.first === id));
  go();
  await stream.settled(id);
});

test("what a client's disconnection interrupts: what waits starts, in order, before disconnect", async () => {
  const io = serve();
  const log: unknown[] = [];
  io.on("connection", (socket) => {
    socket.on("e", (n) => {
      log.push(n);
      return new Promise(() => {});
    });
    socket.on("disconnect", () => log.push("disconnect"));
  });
  const stream = await attach(io);
  const closed = { sid: "a", closed: { reason: "CLOSE_REASON_CLIENT", detail: "client namespace disconnect", session: { sid: "a" } } };
  const ids = stream.deliver(opened("a"), emitted("a", "e", [1]), emitted("a", "e", [2]), closed);
  await stream.settled(ids[3]);
  assert.deepEqual(log, [1, 2, "disconnect"]);
});

test("handlers: concurrent starts events in order without waiting", async () => {
  const io = serve({ handlers: "concurrent" });
  const log: unknown[] = [];
  io.on("connection", (socket) => {
    socket.on("e", async (n) => {
      log.push(n);
      await new Promise((resolve) => setTimeout(resolve, 20 - n));
      log.push(-n);
    });
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "e", [1]), emitted("a", "e", [10]));
  await stream.settled(ids[1]);
  await stream.settled(ids[2]).catch(() => {});
  assert.deepEqual(log, [1, 10, -10, -1]);
});

test("a command that the edge refuses is told, and its callback ends", async () => {
  const io = serve();
  const stream = await attach(io);
  const refused = once(io.status, "command_error");
  const answers = io.timeout(60_000).emitWithAck("q").catch((e) => e.message);
  const { commandId } = await stream.expect((m) => commands(m)[0]);
  stream.send({ results: { results: [{ commandId, status: { code: 3, message: "payload: too many attachments" } }] } });
  assert.equal((await refused)[0].message, "payload: too many attachments");
  assert.equal(await answers, "operation has timed out");
});
