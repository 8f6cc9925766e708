import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { commands, emitted, opened, scripted } from "./fake-edge";

const { serve, attach, edge } = scripted();

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
  edge().stop();
  await edge().start();
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
  edge().list = ({ filter }) => {
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
