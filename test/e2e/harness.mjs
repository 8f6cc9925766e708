// Starts what the tests talk to and opens stock clients on it. Nothing here sleeps to let
// something happen: every wait is for something, with a deadline that only a failure reaches.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { connect as dial, createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export const reference = process.env.SIO_EDGE_TARGET === "reference";
const patience = 20_000; // milliseconds
const here = import.meta.dirname;
// SIO_EDGE_BIN is a directory with the programs if they are built already.
const bin = process.env.SIO_EDGE_BIN ?? join(here, "../../.cache/test-bin");

const versions = ["4.0", "4.4", "4.7", "4.8"];
const clients = new Map(await Promise.all(versions.map(async (v) => [v, (await import(`client-${v}`)).io])));
const ways = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

/** Every client version with every way of transport that the filter takes. */
export function* matrix({ since = "4.0", way } = {}) {
  for (const version of versions.filter((v) => v >= since))
    for (const name of Object.keys(ways).filter((w) => !way || w === way))
      yield { label: `${version} ${name}`, version, io: clients.get(version), way: name, options: ways[name] };
}
export const newest = [...matrix({ since: "4.8", way: "websocket" })][0];

/** Waits for a promise; what says what for. */
export async function within(promise, what) {
  const aborter = new AbortController();
  const late = pause(patience, undefined, { signal: aborter.signal }).then(() => {
    throw new Error(`waited in vain for ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    aborter.abort();
    late.catch(() => {}); // the abort
  }
}

/** Asks until the answer is truthy and returns it. */
export async function until(ask, what) {
  for (const deadline = Date.now() + patience; ; await pause(10)) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
  }
}

/** The arguments of the next event of that name. */
export async function next(socket, event) {
  return within(new Promise((resolve) => socket.once(event, (...args) => resolve(args))), `the event ${event}`);
}

/** Collects every event of that name from now on. */
export function collect(socket, event) {
  const seen = [];
  socket.on(event, (...args) => seen.push(args.length > 1 ? args : args[0]));
  return seen;
}

/** Emits and waits for the arguments of the acknowledgement. */
export async function ask(socket, event, ...args) {
  return within(new Promise((resolve) => socket.emit(event, ...args, (...answer) => resolve(answer))), `the answer to ${event}`);
}

/** Has the backend do something, see backend/main.go. */
export async function cmd(socket, command, binary = null) {
  const [outcome] = await ask(socket, "cmd", command, binary);
  return outcome;
}

/** What the backend has seen of the sockets with that label, once the check takes it. */
export async function history(socket, label, check) {
  return until(async () => {
    const { entries } = await cmd(socket, { op: "history", label });
    return check(entries) && entries;
  }, `the history of ${label}`);
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const children = new Set();
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")));

/** A process that says what it had to say when it ends before it was stopped. */
class Process {
  constructor(command, args) {
    this.output = "";
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    children.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => (this.output += data));
    this.ended = once(this.child, "close").then(([code, signal]) => {
      children.delete(this.child);
      if (!this.stopped) console.error(`${command} ended with ${signal ?? code}:\n${this.output}`);
    });
  }
  async stop(signal = "SIGKILL") {
    this.stopped = true;
    this.child.kill(signal);
    await within(this.ended, "the end of a process");
  }
}

function build(...packages) {
  if (process.env.SIO_EDGE_BIN) return;
  mkdirSync(bin, { recursive: true });
  const { status, stderr } = spawnSync("go", ["build", "-o", bin + "/", ...packages], { cwd: here, encoding: "utf8" });
  if (status !== 0) throw new Error(`go build: ${stderr}`);
}

/**
 * The edge with the backend of these tests behind it, or the official server. Options: in
 * milliseconds recoveryWindow (0 for none), pingInterval, pingTimeout; flags for more flags of the
 * edge; backend, auth and question for another backend: its package, what lets a client in, and an
 * event that it answers.
 */
export class Server {
  static async start(options = {}) {
    const server = new Server();
    server.options = { recoveryWindow: 0, pingInterval: 25_000, pingTimeout: 20_000, flags: {}, backend: "./backend", ...options };
    server.port = await freePort();
    if (!reference) {
      build("../../cmd/sio-edge", server.options.backend);
      server.control = await freePort();
      server.ops = await freePort();
      server.data = mkdtempSync(join(tmpdir(), "sio-edge-e2e-"));
    }
    await server.startEdge();
    if (!reference) server.startBackend();
    await server.ready();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async startEdge() {
    const { recoveryWindow, pingInterval, pingTimeout } = this.options;
    if (reference) {
      const flags = { port: this.port, "recovery-window": recoveryWindow, "ping-interval": pingInterval, "ping-timeout": pingTimeout };
      this.edge = new Process("node", [join(here, "reference.mjs"), ...Object.entries(flags).flatMap(([k, v]) => [`--${k}`, String(v)])]);
      return;
    }
    const address = (port) => `127.0.0.1:${port}`;
    const flags = {
      listen: address(this.port),
      "control-listen": address(this.control),
      "ops-listen": address(this.ops),
      "data-dir": this.data,
      "recovery-window": `${recoveryWindow}ms`,
      "ping-interval": `${pingInterval}ms`,
      "ping-timeout": `${pingTimeout}ms`,
      ...this.options.flags,
    };
    this.edge = new Process(join(bin, "sio-edge"), Object.entries(flags).flatMap(([k, v]) => [`--${k}`, v]));
  }

  startBackend(...flags) {
    this.backend = new Process(join(bin, basename(this.options.backend)), ["--edge", `127.0.0.1:${this.control}`, ...flags]);
  }

  /** Waits until a client is greeted or answered: without a backend it would only get in. */
  async ready() {
    const { auth, question } = this.options;
    await until(
      () =>
        new Promise((resolve) => {
          const socket = newest.io(this.url, { transports: ["websocket"], forceNew: true, reconnection: false, auth });
          const settle = (outcome) => (clearTimeout(timer), socket.disconnect(), resolve(outcome));
          const timer = setTimeout(settle, 500, false);
          socket.on("auth", () => settle(true));
          if (question) socket.emit(question, () => settle(true));
          socket.on("connect_error", () => settle(false));
        }),
      `the server; it said: ${this.edge.output} ${this.backend?.output}`,
    );
  }

  async stop() {
    await this.backend?.stop();
    await this.edge.stop();
    if (this.data) rmSync(this.data, { recursive: true });
  }
}

/** Opens sockets for one test and closes them with it. */
export class Sockets {
  #open = new Set();

  constructor(t, server, client) {
    this.server = server;
    this.client = client;
    t.after(() => this.#open.forEach((socket) => socket.disconnect()));
  }

  /** A socket that may or may not come in. */
  dial(namespace = "/", options = {}) {
    const url = options.url ?? this.server.url;
    const socket = this.client.io(url + namespace, { forceNew: true, reconnection: false, ...this.client.options, ...options });
    this.#open.add(socket);
    return socket;
  }

  /** A socket that is in, and has been greeted. */
  async join(namespace = "/", options = {}) {
    const socket = this.dial(namespace, options);
    const refused = new Promise((_, reject) => socket.once("connect_error", reject));
    refused.catch(() => {}); // after the greeting nobody waits for it
    const greeted = next(socket, "auth");
    greeted.catch(() => {});
    await Promise.race([greeted, refused]);
    if (this.client.way === "upgrade" && options.settled !== false) await settled(socket);
    return socket;
  }
}

/** Waits for the end of an upgrade, which the server has seen once something came back by it. */
export async function settled(socket) {
  await until(() => socket.io.engine.transport.name === "websocket", "the upgrade");
  await ask(socket, "message-with-ack");
}

/** A TCP proxy that can cut its connections, and refuse new ones until it is mended. */
export class Proxy {
  #connections = new Set();
  #cut = false;
  #frozen = false;

  static async start(t, port) {
    const proxy = new Proxy();
    proxy.listener = createServer((client) => {
      if (proxy.#cut) return client.destroy();
      if (proxy.#frozen) return proxy.#hold(client);
      const upstream = dial(port, "127.0.0.1");
      client.on("data", () => (client.asking = true));
      upstream.on("data", () => (client.asking = false));
      for (const [from, to] of [[client, upstream], [upstream, client]]) {
        proxy.#connections.add(from);
        from.pipe(to);
        from.on("error", () => {}); // close follows
        from.on("close", () => (proxy.#connections.delete(from), to.destroy()));
      }
    }).listen(0, "127.0.0.1");
    await once(proxy.listener, "listening");
    t.after(() => (proxy.cut(), proxy.listener.close()));
    proxy.url = `http://127.0.0.1:${proxy.listener.address().port}`;
    return proxy;
  }

  cut() {
    this.#cut = true;
    for (const connection of this.#connections) connection.destroy();
  }

  /**
   * Cuts when the server is sure to notice: while a request of the client waits for its answer,
   * or on a WebSocket. Between two polls it would have to wait for its ping timeout.
   */
  async cutNoticed(socket) {
    await until(
      () => socket.io.engine.transport.name === "websocket" || [...this.#connections].some(({ asking }) => asking),
      "a poll",
    );
    this.cut();
  }

  mend() {
    this.#cut = false;
  }

  /** Keeps the connections open but lets nothing through, as a lost network does. */
  freeze() {
    this.#frozen = true;
    for (const connection of this.#connections) connection.unpipe().pause();
  }

  #hold(connection) {
    this.#connections.add(connection);
    connection.on("error", () => {}).on("close", () => this.#connections.delete(connection));
  }
}
