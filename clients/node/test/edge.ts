import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as nodeTest, type TestContext } from "node:test";
import { io as connect, type ManagerOptions, type Socket as ClientSocket, type SocketOptions } from "socket.io-client";
import { Server, type ServerOptions } from "../src/index";

const binary = process.env["SIO_EDGE_BIN"];

/** A real edge, with what is attached to it. All of it ends with the test. */
export class World {
  url = "";
  backends = "";
  readonly errors: unknown[] = [];
  private child: ChildProcess | undefined;
  private readonly servers: Server[] = [];
  private readonly clients: ClientSocket[] = [];
  private readonly dir = mkdtempSync(join(tmpdir(), "sio-edge-node-"));

  constructor(private readonly flags: string[]) {}

  /** Starts the edge; again, after a kill, on the same ports and with the same store. */
  async start(): Promise<this> {
    const again = this.url !== "";
    const listen = ["--listen", again ? new URL(this.url).host : "127.0.0.1:0", "--control-listen", again ? this.backends : "127.0.0.1:0"];
    const child = spawn(binary!, ["serve", ...listen, "--ops-listen", "", ...this.flags], { cwd: this.dir, stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    let log = "";
    await new Promise<void>((resolve, reject) => {
      const read = (b: Buffer) => {
        log += b;
        const m = /clients (http:\/\/\S+?)\/socket\.io\/\s+backends (\S+)/.exec(log);
        if (m === null) return;
        [, this.url, this.backends] = m;
        resolve();
      };
      child.stdout!.on("data", read);
      child.stderr!.on("data", read);
      child.once("exit", (code) => reject(new Error(`the edge ended with ${code}: ${log}`)));
    });
    return this;
  }

  /** Ends the edge without giving it a chance to say anything. */
  async kill(): Promise<void> {
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }

  /** A server for the backend under test. It attaches when the test has set it up. */
  server(options: Partial<ServerOptions> = {}): Server {
    const io = new Server(this.backends, { group: "test", onError: (err) => this.errors.push(err), ...options });
    io.status.setMaxListeners(50);
    this.servers.push(io);
    return io;
  }

  /** A stock client that connects as soon as every server is attached. */
  client(nsp = "/", options: Partial<ManagerOptions & SocketOptions> = {}): ClientSocket {
    const c = connect(this.url + nsp, { autoConnect: false, forceNew: true, ...options });
    this.clients.push(c);
    void Promise.all(this.servers.map((s) => s.status.attached())).then(() => c.connect(), () => {});
    return c;
  }

  /** Connects clients, and waits until the servers have their sockets: the two happen side by side. */
  async connected(n: number, nsp = "/"): Promise<ClientSocket[]> {
    const clients = Array.from({ length: n }, () => this.client(nsp));
    await Promise.all(clients.map((c) => next(c, "connect")));
    await until(() => clients.every((c) => this.servers.some((s) => s.of(nsp).sockets.has(c.id!))));
    return clients;
  }

  async end(): Promise<void> {
    for (const c of this.clients) {
      c.io.reconnection(false); // a test may have made other sockets on the same connection
      c.disconnect();
      c.io.engine?.close();
    }
    await this.kill();
    await Promise.all(this.servers.map((s) => s.close()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

type Body = (world: World, t: TestContext) => Promise<unknown>;

/** A test with an edge of its own: without recovery, as the reference server is by default. */
export function edgeTest(name: string, body: Body, flags = ["--recovery-window", "0", "--data-dir", ""]): void {
  nodeTest(name, { skip: binary === undefined ? "SIO_EDGE_BIN is not set" : false, timeout: 20_000 }, async (t) => {
    const world = await new World(flags).start();
    try {
      await body(world, t);
      if (world.errors.length > 0) throw world.errors[0];
    } finally {
      await world.end();
    }
  });
}

interface Emitter {
  once(event: string, listener: (...args: any[]) => void): unknown;
}

/** Resolves with the arguments of the next such event. */
export function next(emitter: Emitter, event: string): Promise<any[]> {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

/** Resolves after some time, for what must not happen meanwhile. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when the condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`still not: ${condition}`);
    await pause(5);
  }
}

/** Counts down; resolves when it was called so often. */
export function countdown(n: number): { hit: () => void; done: Promise<void> } {
  let resolve!: () => void;
  const done = new Promise<void>((r) => (resolve = r));
  return { hit: () => void (--n === 0 && resolve()), done };
}
