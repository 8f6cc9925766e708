import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { traceparent } from "../src/index";
import { commands, emitted, opened, scripted } from "./fake-edge";

const { serve, attach, errors, edge } = scripted();

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

test("an event that comes again after a reconnect is not handled twice, and its reply is sent again", async () => {
  const io = serve();
  let calls = 0;
  io.on("connection", (socket) => socket.on("e", (cb) => cb(++calls)));
  const stream = await attach(io);
  stream.deliver(opened("a"), emitted("a", "e", [], true));
  await stream.expect((m) => m.reply);
  edge().stop();
  await edge().start();
  const [next, hello] = await edge().accept();
  assert.deepEqual(hello.resume, { edgeId: "edge", logId: "log", offset: 2 });
  next.welcome({ resume: "RESUME_OUTCOME_CONTINUED" });
  const [id] = next.deliver({ ...emitted("a", "e", [], true), offset: 2, attempt: 2 });
  const reply = await next.expect((m) => m.reply);
  assert.deepEqual([reply.deliveryId, reply.payload.json.toString()], [id, "[1]"]);
  assert.equal(calls, 1);
  assert.equal(io.sockets.sockets.size, 1);
});

test("of another log nothing is known: the same offset is another event", async () => {
  const io = serve();
  const seen: unknown[] = [];
  io.on("connection", (socket) => socket.on("e", (n) => seen.push(n)));
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "e", [1]));
  await stream.settled(ids[1]);
  edge().stop();
  await edge().start();
  const session = { sid: "a", namespace: "/", connectionId: "c-a", state: "SESSION_STATE_OPEN" };
  const next = await attach(io, { logId: "another", epoch: 2, resume: "RESUME_OUTCOME_SNAPSHOT" }, [session]);
  const [id] = next.deliver({ ...emitted("a", "e", [2]), offset: 2 });
  await next.settled(id);
  assert.deepEqual(seen, [1, 2]);
});

test("a handler that runs when the stream breaks is not started again; it settles on the new stream", async () => {
  const io = serve();
  let calls = 0;
  let go!: () => void;
  io.on("connection", (socket) => socket.on("e", () => (calls++, new Promise<void>((resolve) => (go = resolve)))));
  const stream = await attach(io);
  const [first] = stream.deliver(opened("a"), emitted("a", "e"));
  await stream.settled(first);
  edge().stop();
  await edge().start();
  const next = await attach(io, { resume: "RESUME_OUTCOME_CONTINUED" });
  const [id, last] = next.deliver({ ...emitted("a", "e"), offset: 2, attempt: 2 }, opened("b"));
  await next.settled(last);
  go();
  await next.settled(id);
  assert.equal(calls, 1);
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

test("a socket that this program disconnects hears nothing more, however much has arrived", async () => {
  const io = serve();
  let heard = 0;
  io.on("connection", (socket) => {
    socket.on("stop", async () => {
      socket.disconnect();
      await null;
    });
    socket.on("e", () => heard++);
  });
  const stream = await attach(io);
  const ids = stream.deliver(opened("a"), emitted("a", "stop"), emitted("a", "e"), emitted("a", "e"));
  await stream.settled(ids[3]);
  assert.equal(heard, 0);
  assert.equal(io.sockets.sockets.size, 0);
  const [c] = await stream.expect((m) => commands(m).length > 0 && commands(m));
  assert.deepEqual([c.disconnect.target.sids, c.disconnect.closeConnection], [["a"], false]);
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

test("a trace goes on in what listeners send, also later", async () => {
  const io = serve();
  const parents: string[] = [];
  io.on("connection", (socket) => {
    socket.on("say", async () => {
      parents.push(traceparent());
      await new Promise((resolve) => setImmediate(resolve));
      socket.emit("said");
    });
  });
  const stream = await attach(io);
  stream.deliver(opened("s1"));
  const followed = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  for (const traceParent of [followed, ""]) {
    stream.deliver({ ...emitted("s1", "say"), traceParent });
    const [command] = await stream.expect((m) => m.commands && commands(m));
    assert.equal(command.traceParent, traceParent);
  }
  assert.deepEqual(parents, [followed, ""]);
});
