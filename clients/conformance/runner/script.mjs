// Plays a case: the clients' half here, the backend's half in the programs of an SDK.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { Client } from "./clients.mjs";
import { Backend, Edge, patience } from "./programs.mjs";

/** Runs a case and throws if anything is not as it says. */
export async function play(binary, sdk, { edge: flags = {}, backend, backends = { backend }, clients: script }) {
  const stage = { sdk, edge: new Edge(binary, flags), backends: {}, clients: {}, asked: {} };
  try {
    await stage.edge.start();
    for (const [name, { later, ...part }] of Object.entries(backends)) {
      stage.backends[name] = new Backend(sdk, stage.edge, name, part);
      if (!later) await stage.backends[name].start();
    }
    for (const [i, step] of script.entries()) {
      const [verb, name] = Object.entries(step)[0];
      if (!steps[verb]) throw new Error(`unknown step ${verb}`);
      try {
        await steps[verb](stage, name, step);
      } catch (err) {
        err.message = `step ${i + 1}, ${JSON.stringify(step)}: ${err.message}`;
        throw err;
      }
    }
    await nothingElse(stage);
  } catch (err) {
    for (const [name, { program }] of Object.entries(stage.backends)) {
      if (program?.said) err.message += `\n${name} said: ${program.said}`;
    }
    throw err;
  } finally {
    for (const client of Object.values(stage.clients)) client.end();
    for (const { program } of Object.values(stage.backends)) {
      if (program && program.child.exitCode === null && program.child.signalCode === null) await program.stop("SIGKILL");
    }
    await stage.edge.end();
  }
}

async function nothingElse({ clients, backends }) {
  for (const client of Object.values(clients)) {
    if (client.socket.connected) await client.ask("sync", []);
    assert.deepEqual(client.seen.rest(), [], `${client.name} saw more`);
  }
  for (const [name, { notes }] of Object.entries(backends)) assert.deepEqual(notes.rest(), [], `${name} noted more`);
}

/** Asks until the answer is what it will be, with the last one at the end. */
async function becomes(ask, what) {
  const deadline = Date.now() + patience;
  for (;;) {
    const got = await ask();
    if (isDeepStrictEqual(got, what)) return;
    if (Date.now() > deadline) assert.deepEqual(got, what);
    await pause(10);
  }
}

async function sees(client, what) {
  assert.deepEqual(await client.next(what), what);
}

const steps = {
  async connect({ clients, edge }, name, { refused, ...options }) {
    clients[name] = new Client(name, edge.url, options);
    await sees(clients[name], refused ? { refused } : { connected: false });
  },
  emit({ clients }, name, { event, args = [] }) {
    clients[name].emit(event, args);
  },
  async ask({ clients, asked }, name, { event, args = [], timeout, answer, later, until }) {
    if (until) return becomes(() => clients[name].ask(event, args, timeout), until);
    const got = clients[name].ask(event, args, timeout);
    if (later) {
      asked[later] = got;
      got.catch(() => {}); // who waits for it is told
      return;
    }
    if (answer) assert.deepEqual(await got, answer);
    else await got;
  },
  async answered({ asked }, name, { answer }) {
    assert.deepEqual(await asked[name], answer);
  },
  sees({ clients }, name, { event, args = [] }) {
    return sees(clients[name], { event, args });
  },
  async frame({ clients }, name, { send, back }) {
    assert.equal(await clients[name].frame(send), back);
  },
  async lose({ clients }, name) {
    clients[name].lose();
    await sees(clients[name], { gone: "forced close" });
  },
  async back({ clients }, name, { recovered, first = [] }) {
    clients[name].back();
    for (const what of first) await sees(clients[name], what);
    await sees(clients[name], { connected: recovered });
  },
  async leave({ clients }, name) {
    clients[name].socket.disconnect();
    await sees(clients[name], { gone: "io client disconnect" });
  },
  async gone({ clients }, name, { reason }) {
    await sees(clients[name], { gone: reason });
  },
  async returned({ clients }, name) {
    // Whether it was recovered depends on what the edge had on disk.
    const what = await clients[name].next("a connection");
    assert.ok("connected" in what, `saw ${JSON.stringify(what)}`);
  },
  async pause(_, milliseconds) {
    await pause(milliseconds); // for cases about time only
  },
  async notes({ backends, sdk }, name, { is }) {
    is = is.map((word) => sdk.reasons[word] ?? word);
    assert.deepEqual(await backends[name].notes.take(`${name} to note ${JSON.stringify(is)}`), is);
  },
  async exits({ backends }, name) {
    await backends[name].program.ended;
  },
  start({ backends, edge }, name) {
    return name === "edge" ? edge.start() : backends[name].start();
  },
  kill({ backends, edge }, name) {
    return name === "edge" ? edge.kill() : backends[name].stop("SIGKILL");
  },
  stop({ backends }, name) {
    return backends[name].stop("SIGTERM");
  },
  attaches({ backends }, name) {
    return backends[name].again();
  },
};
