import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { Connection } from "../src/client";
import { elsewhere } from "../src/elsewhere";
import { commands, emitted, opened, scripted } from "./fake-edge";
import { type EdgeError, Server } from "../src/index";

const { serve, attach, edge } = scripted();

test("Hello names the group, the routes and what they ask for", async () => {
  const io = serve({ group: "chat", memberId: "m1" });
  io.of("/admin").use((_s, next) => next());
  io.of(/^\/room-\d+$/);
  const [, { ...hello }] = await edge().accept();
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

test("commands that were not confirmed are sent again with the same ids; volatile ones are not", async () => {
  edge().answersHeartbeats = false;
  const io = serve();
  const stream = await attach(io);
  io.emit("one");
  io.volatile.emit("gone");
  const sent = await stream.expect((m) => commands(m).length > 0 && commands(m));
  edge().stop();
  await edge().start();
  io.emit("two");
  edge().answersHeartbeats = true;
  const next = await attach(io);
  const again = await next.expect((m) => commands(m).length > 0 && commands(m));
  assert.deepEqual(again.map((c: any) => c.emit.event), ["one", "two"]);
  assert.equal(again[0].commandId, sent[0].commandId);
  // Confirmed now: nothing is left for a third stream.
  await new Promise<void>((reached) => io._core.outbox.barrier(reached));
  assert.equal(io._core.outbox.idle, true);
});

test("what is kept for an edge that is away is bounded; who is dropped learns of it", async () => {
  const io = serve({ maxKeptCommands: 3 });
  await attach(io);
  edge().stop();
  const dropped: string[] = [];
  io.status.on("command_error", (err) => dropped.push((err as EdgeError).reason));
  while (io.status.current.state === "attached") await once(io.status, "change");
  const answer = io.timeout(60_000).emitWithAck("0").catch((err) => err.message);
  for (let i = 1; i < 5; i++) io.emit(String(i));
  io.volatile.emit("never kept");
  assert.deepEqual(dropped, ["DROPPED", "DROPPED"]);
  assert.equal(await answer, "operation has timed out");
  await edge().start();
  const next = await attach(io);
  const again = await next.expect((m) => commands(m).length > 0 && commands(m));
  assert.deepEqual(again.map((c: any) => c.emit.event), ["2", "3", "4"]);
});

test("the link is a stream of what it does", async () => {
  const io = serve();
  const log: unknown[][] = [];
  const watching = (async () => {
    for await (const { state, epoch, resume, error, retryInMs } of io.status) log.push([state, epoch, resume, error instanceof Error, retryInMs! > 0]);
  })();
  const stream = await attach(io);
  const draining = once(io.status, "draining");
  stream.send({ draining: { within: { seconds: 2 } } });
  assert.deepEqual(await draining, [2000]);
  edge().stop();
  await edge().start();
  await attach(io, { resume: "RESUME_OUTCOME_SNAPSHOT", epoch: 2 });
  await io.close();
  await watching;
  const no = [undefined, undefined, false, false];
  assert.deepEqual(log.filter(([state], i) => state !== "connecting" || i === 0), [
    ["connecting", ...no],
    ["attached", 1, "fresh", false, false],
    ["away", undefined, undefined, true, true],
    ["attached", 2, "snapshot", false, false],
    ["closed", ...no],
  ]);
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
  const [next, hello] = await edge().accept();
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

test("what cannot be is refused in words", async () => {
  assert.throws(() => new Server(3000 as never), /address is that of the edge's control port/);
  const io = serve();
  assert.throws(() => io.of(/^\/a$/g), /flag g/);
  assert.throws(() => io.emit("big", "x".repeat(9 << 20)), RangeError);

  const conn = new Connection("", "", undefined);
  const readme = readFileSync(join(__dirname, "../../README.md"), "utf8");
  for (const name of Object.keys(elsewhere.options)) {
    const given = name === "maxDisconnectionDuration" ? { connectionStateRecovery: { [name]: 1 } } : { [name]: 1 };
    assert.throws(() => serve(given as never), new RegExp(`"${name}" is not available: .`));
    assert.ok(readme.includes(`\`${name}\``), `README.md does not speak of the option ${name}`);
  }
  for (const [where, object] of [["io", io], ["engine", io.engine], ["conn", conn]] as [keyof typeof elsewhere, any][]) {
    for (const name of Object.keys(elsewhere[where])) {
      const why = new RegExp(`"${name}" is not available: .`);
      assert.throws(() => object[name], why);
      assert.throws(() => (object[name] = 1), why);
      if (where !== "io" && name !== "close") assert.throws(() => object.once(name, () => {}), why);
      assert.ok(readme.includes(`\`${name}\``), `README.md does not speak of ${where}.${name}`);
    }
  }
});

test("a namespace added between Hello and Welcome is announced, too", async () => {
  const io = serve();
  const [stream] = await edge().accept();
  io.of("/late").use((_s, next) => next());
  stream.welcome();
  const [, hello] = await edge().accept();
  assert.deepEqual(hello.spec.routes.map((r: any) => r.namespace), ["/", "/late"]);
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
