import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "../src/index";
import { edgeTest, next, until, type World } from "./edge";
import { commands, scripted } from "./fake-edge";

async function group(world: World, ...members: string[]): Promise<Server[]> {
  const servers = members.map((memberId) => world.server({ memberId }));
  await Promise.all(servers.map((io) => io.status.attached()));
  return servers;
}

edgeTest("serverSideEmit reaches every other process, and not this one", async (world) => {
  const [a, b, c] = await group(world, "a", "b", "c");
  a.on("reload", () => assert.fail("it came back"));
  a.of("/admin").on("reload", () => assert.fail("it came back"));
  const heard = [b, c].map((io) => next(io, "reload"));
  const admin = [b, c].map((io) => next(io.of("/admin"), "reload"));
  a.serverSideEmit("reload", "prices", { deep: [Buffer.from([0, 255])] }, null);
  for (const args of await Promise.all(heard)) assert.deepEqual(args, ["prices", { deep: [Buffer.from([0, 255])] }, null]);
  assert.ok(a.of("/admin").serverSideEmit("reload", 1));
  for (const args of await Promise.all(admin)) assert.deepEqual(args, [1]);
  for (const name of ["connect", "connection", "new_namespace"]) assert.throws(() => a.serverSideEmit(name), /reserved event name/);
});

edgeTest("serverSideEmit keeps its order, and that of what is emitted to clients", async (world) => {
  const [a, b] = await group(world, "a", "b");
  const order: unknown[] = [];
  b.on("n", (n) => order.push(n));
  for (let i = 0; i < 100; i++) a.serverSideEmit("n", i);
  await until(() => order.length === 100);
  assert.deepEqual(order, [...Array(100).keys()]);
});

edgeTest("serverSideEmit with acknowledgements: one answer of each process that has a listener", async (world) => {
  const [a, b, c, d] = await group(world, "a", "b", "c", "d");
  b.on("load", (of, ack) => ack(of, "more"));
  c.on("load", async (_of, ack) => setTimeout(() => ack({ b: Buffer.from([7]) }), 10));
  d.of("/admin").on("load", () => assert.fail("of another namespace"));
  const byCallback = new Promise((resolve) => a.serverSideEmit("load", 1, (err: unknown, answers: unknown) => resolve([err, answers])));
  assert.deepEqual(await byCallback, [null, [1, { b: Buffer.from([7]) }]]);
  assert.deepEqual(new Set((await a.serverSideEmitWithAck("load", 2)) as any[]), new Set([2, { b: Buffer.from([7]) }]));
  assert.deepEqual(await a.of("/nobody").serverSideEmitWithAck("load", 3), []);
});

edgeTest("a process that leaves is not waited for, one that comes later is not asked", async (world) => {
  const [a, b, c] = await group(world, "a", "b", "c");
  b.on("count", (ack) => ack(1));
  const asked = next(c, "count");
  const answers = a.serverSideEmitWithAck("count");
  await asked;
  await c.close();
  assert.deepEqual(await answers, [1]);
  const alone = world.server({ group: "alone" });
  await alone.status.attached();
  assert.deepEqual(await alone.serverSideEmitWithAck("count"), []);
});

edgeTest("what is said outlives a lost edge", async (world) => {
  const [a, b] = await group(world, "a", "b");
  await world.kill();
  await until(() => a.status.current.state !== "attached" && b.status.current.state !== "attached");
  await world.start();
  await b.status.attached();
  const heard = next(b, "late");
  a.serverSideEmit("late", 1);
  assert.deepEqual(await heard, [1]);
});

const { serve, attach } = scripted();

test("acknowledgements of processes: time-outs, a refusal, an edge that stays away", async () => {
  const io = serve();
  const stream = await attach(io);
  const part = io.serverSideEmitWithAck("q");
  const { commandId, tell } = await stream.expect((m) => commands(m)[0]);
  assert.deepEqual([tell.namespace, tell.event, tell.ack.timeout.seconds], ["/", "q", 5]);
  const ack = { commandId, memberId: "b", outcome: "ACK_OUTCOME_ACKED", payload: { json: Buffer.from("[1]") } };
  stream.send({ clientAcks: { acks: [ack], summaries: [{ commandId, expected: 4, acked: 1, timedOut: 2, disconnected: 1 }] } });
  const err: any = await part.catch((e) => e);
  assert.deepEqual([err.message, err.responses], ["operation has timed out: 1 of 3 processes have answered", [1]]);

  const refused = io.serverSideEmitWithAck("q");
  const again = await stream.expect((m) => commands(m)[0]);
  io.status.on("command_error", () => {});
  stream.send({ results: { results: [{ commandId: again.commandId, status: { code: 8, message: "too many questions" } }] } });
  assert.match((await refused.catch((e) => e)).message, /^operation has timed out/);
});

test("what others say: listeners, answers, failures", async () => {
  const errors: unknown[] = [];
  const io = serve({ onError: (err, event) => errors.push([(err as Error).message, event]) });
  io.on("sum", (a, b, ack) => (ack(a + b), ack("again")));
  io.on("throws", () => assert.fail("on purpose"));
  io.on("rejects", async () => assert.fail("on purpose"));
  io.on("told", (...args) => assert.deepEqual(args, [1, 2]));
  const stream = await attach(io);
  const told = (toldId: number, asks: boolean, event: string, namespace = "/") => ({ toldId, asks, memberId: "b", namespace, event, payload: { json: Buffer.from("[1,2]") } });
  const batch = { told: [told(7, true, "sum"), told(8, true, "throws"), told(9, false, "told"), told(10, true, "nobody listens"), told(11, true, "sum", "/unknown"), told(12, false, "nobody listens"), told(13, true, "rejects")] };
  stream.send({ told: batch });
  await stream.expect((m) => m.ack?.told === 13);
  const answers = stream.received.flatMap(commands).map((c) => c.answer);
  assert.deepEqual(answers.map((a) => [a.toldId, a.absent, a.payload?.json.toString()]), [[7, false, "[3]"], [10, true, undefined], [11, true, undefined]]);
  assert.deepEqual(errors, [["on purpose", "throws"], ["on purpose", "rejects"]]);

  // The same again, as after a stream that broke; then what is new.
  stream.send({ told: { told: [...batch.told, told(14, true, "sum")] } });
  const { answer } = await stream.expect((m) => commands(m).find((c: any) => c.answer.toldId > 11));
  assert.equal(answer.toldId, 14);
  assert.equal(errors.length, 2);
});

edgeTest("socket.rooms is true whoever changes them", async (world) => {
  const [a, b] = await group(world, "a", "b");
  const clients = await world.connected(8);
  const all = [...a.sockets.sockets.values(), ...b.sockets.sockets.values()];
  assert.equal(all.length, 8);
  assert.ok(a.sockets.sockets.size > 0 && b.sockets.sockets.size > 0, "both have some");
  const joined: string[] = [];
  for (const io of [a, b]) io.sockets.adapter.on("join-room", (room, id) => room === "r" && joined.push(id));
  a.socketsJoin("r");
  await until(() => all.every((s) => s.rooms.has("r")));
  assert.deepEqual(joined.sort(), clients.map((c) => c.id).sort());
  assert.equal(a.sockets.adapter.rooms.get("r")!.size + b.sockets.adapter.rooms.get("r")!.size, 8);
  b.in("r").except(all[0].id).socketsLeave("r");
  await until(() => all.every((s) => s.rooms.has("r") === (s === all[0])));

  // Two processes fight about a room; the one that has the socket knows what came of it.
  const [own, other] = a.sockets.sockets.has(all[0].id) ? [a, b] : [b, a];
  const socket = own.sockets.sockets.get(all[0].id)!;
  for (let i = 0; i < 20; i++) {
    socket.join("fought");
    other.in(socket.id).socketsLeave("fought");
    if (i % 3 === 0) socket.leave("fought");
    await new Promise((resolve) => setTimeout(resolve, i % 5));
  }
  await own.fetchSockets(); // everything of this process is done
  const [remote] = (await other.in(socket.id).fetchSockets()) as any[];
  await until(() => socket.rooms.has("fought") === remote.rooms.has("fought"));
});

edgeTest("another group makes sockets join, too", async (world) => {
  const io = world.server();
  const other = world.server({ group: "other" });
  const [c] = await world.connected(1);
  other.in(c.id!).socketsJoin(["x", "y"]);
  await until(() => io.sockets.sockets.get(c.id!)?.rooms.has("y") === true);
  assert.deepEqual([...io.sockets.sockets.get(c.id!)!.rooms].sort(), [c.id, "x", "y"].sort());
});
