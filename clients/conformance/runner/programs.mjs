// The processes of a case: the edge, and the backend programs of an SDK. What waits here waits for
// something, with a deadline that only a failure reaches.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";

export const patience = 20_000; // milliseconds
const home = join(import.meta.dirname, "..");

/** Waits for a promise; what says what for. */
export async function within(promise, what) {
  const aborter = new AbortController();
  const late = pause(patience, undefined, { signal: aborter.signal }).then(() => {
    throw new Error(`waited in vain for ${typeof what === "function" ? what() : what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    aborter.abort();
    late.catch(() => {}); // the abort
  }
}

/** What came and was not taken, in order. */
export class Queue {
  #items = [];
  #waiting = [];
  put(item) {
    const next = this.#waiting.shift();
    if (next) next(item);
    else this.#items.push(item);
  }
  take(what) {
    if (this.#items.length > 0) return this.#items.shift();
    return within(new Promise((resolve) => this.#waiting.push(resolve)), what);
  }
  rest() {
    return this.#items.splice(0);
  }
}

/** SIO_EDGE_BIN, or the edge built from this repository. */
export function buildEdge() {
  if (process.env.SIO_EDGE_BIN) return process.env.SIO_EDGE_BIN;
  const binary = join(home, ".build/sio-edge");
  mkdirSync(join(home, ".build"), { recursive: true });
  execFileSync("go", ["build", "-o", binary, "./cmd/sio-edge"], { cwd: join(home, "../.."), stdio: "inherit" });
  return binary;
}

/** Every SDK that has a folder here, or those that SDKS names, built. */
export function buildSDKs() {
  const wanted = process.env.SDKS?.split(",");
  return readdirSync(home)
    .filter((folder) => existsSync(join(home, folder, "sdk.json")) && (!wanted || wanted.includes(folder)))
    .map((folder) => {
      const sdk = { cannot: {}, reasons: {}, folder: join(home, folder), ...JSON.parse(readFileSync(join(home, folder, "sdk.json"), "utf8")) };
      if (existsSync(join(sdk.folder, "build.sh"))) execFileSync(join(sdk.folder, "build.sh"), { stdio: "inherit" });
      return sdk;
    });
}

/** A process that is remembered by what it said. */
class Program {
  said = "";
  lines = new Queue();

  constructor(command, args) {
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr.on("data", (data) => (this.said += data));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.said += line + "\n";
      this.heard(line);
    });
    this.ended = once(this.child, "close");
  }
  heard(line) {
    this.lines.put(line);
  }
  async stop(signal) {
    this.child.kill(signal);
    await within(this.ended, `the end of a process that said ${this.said}`);
  }
}

/** The edge; it keeps its addresses and its store when it is started again. */
export class Edge {
  constructor(binary, flags) {
    this.data = mkdtempSync(join(tmpdir(), "sio-edge-conformance-"));
    this.start = async () => {
      const [url, backends] = [this.url?.slice("http://".length) ?? "127.0.0.1:0", this.backends ?? "127.0.0.1:0"];
      const fixed = { listen: url, "control-listen": backends, "ops-listen": "", "data-dir": this.data, "log-level": "warn" };
      const all = { ...fixed, "recovery-window": "0", ...flags };
      this.program = new Program(binary, ["serve", ...Object.entries(all).map(([k, v]) => `--${k}=${v}`)]);
      const first = await this.program.lines.take(() => `the edge; it said ${this.program.said}`);
      const told = /clients (http:\/\/\S+?)\/socket\.io\/\s+backends (\S+)/.exec(first);
      if (!told) throw new Error(`the edge said ${this.program.said}`);
      [, this.url, this.backends] = told;
    };
  }
  kill() {
    return this.program.stop("SIGKILL");
  }
  async end() {
    if (this.program) await this.kill();
    rmSync(this.data, { recursive: true });
  }
}

/** A backend program of an SDK; each start of it is another life. */
export class Backend {
  life = 0;
  notes = new Queue();
  said = "";

  constructor(sdk, edge, name, { group = "conformance", member = name, ...part }) {
    Object.assign(this, { sdk, edge, group, member });
    this.file = join(edge.data, `${name}.part.json`);
    // Every client can ask sync, to know that everything sent before has come.
    writeFileSync(this.file, JSON.stringify({ namespace: "/", ...part, on: { ...part.on, sync: [{ reply: [] }] } }));
  }
  async start() {
    const flags = { edge: this.edge.backends, group: this.group, member: this.member, part: this.file, life: ++this.life };
    const program = new Program(join(this.sdk.folder, "run.sh"), Object.entries(flags).map(([k, v]) => `--${k}=${v}`));
    const attached = new Queue();
    program.heard = (line) => {
      const told = JSON.parse(line);
      if (told.attached) attached.put(true);
      else this.notes.put(told.note);
    };
    this.program = program;
    const ended = program.ended.then(() => {
      throw new Error(`${this.member} ended before it was attached; it said ${program.said}`);
    });
    ended.catch(() => {}); // later on it may end
    this.again = () => Promise.race([ended, attached.take(() => `${this.member} to attach; it said ${program.said}`)]);
    await this.again();
  }
  async stop(signal) {
    await this.program.stop(signal);
  }
}
