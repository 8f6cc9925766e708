import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { io as connect, type Socket as ClientSocket } from "socket.io-client";
import { edgeTest, next } from "./edge";

const source = readFileSync(join(__dirname, "../../test/fixtures/chat.mjs"), "utf8");
const IMPORT = 'import { Server } from "socket.io";';
const CONSTRUCTOR = "const io = new Server(0);";

/** A chat program that runs, with either server. */
class Program {
  url = "";
  private readonly dir = mkdtempSync(join(__dirname, "program-")); // here, so that both packages are found
  private child: ChildProcess | undefined;
  private said = "";

  /** Starts the program as it is written, or with the lines given instead of its import and constructor. */
  async start(lines: readonly [string, string], tellURL: string): Promise<this> {
    const changed = source.replace(IMPORT, lines[0]).replace(CONSTRUCTOR, lines[1]);
    const kept = (text: string) => text.split("\n").filter((line) => !lines.includes(line) && line !== IMPORT && line !== CONSTRUCTOR);
    assert.deepEqual(kept(changed), kept(source), "only two lines change");
    const file = join(this.dir, "chat.mjs");
    writeFileSync(file, `${changed}\n${tellURL}\n`);
    const child = (this.child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] }));
    child.stderr!.on("data", (b) => (this.said += b));
    this.url = await new Promise((resolve, reject) => {
      child.stdout!.on("data", (b) => resolve(String(b).trim()));
      child.once("exit", (code) => reject(new Error(`the program ended with ${code}: ${this.said}`)));
    });
    return this;
  }

  async end(): Promise<void> {
    const { child } = this;
    if (child !== undefined && child.exitCode === null) {
      const exited = next(child, "exit");
      child.kill("SIGKILL");
      await exited;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Plays one evening in the chat, and returns what every client has seen and was answered. */
async function evening(url: string, transports: string[]): Promise<Record<string, unknown[]>> {
  const seen: Record<string, unknown[]> = {};
  const sockets: ClientSocket[] = [];
  const client = (name: string, nsp = "/", auth: object = { name }) => {
    const log: unknown[] = (seen[name] = []);
    const c = connect(url + nsp, { auth, transports, forceNew: true, reconnection: false });
    sockets.push(c);
    c.onAny((event, ...args) => event !== "synced" && log.push([event, ...args.filter((a) => typeof a !== "function")]));
    c.on("connect_error", (err: any) => log.push(["connect_error", err.message, err.data]));
    c.on("disconnect", (reason) => log.push(["disconnect", reason]));
    return c;
  };
  // What is asked is noted with its answer. Then everything said so far has reached everyone.
  const ask = async (c: ClientSocket, name: string, event: string, ...args: unknown[]) => {
    const answer = await new Promise<unknown[]>((resolve) => c.emit(event, ...args, (...a: unknown[]) => resolve(a)));
    seen[name].push(["answer", event, ...answer]);
    await synced(c);
  };
  const synced = (c: ClientSocket) => {
    const rest = sockets.filter((s) => s.connected && (s as any).nsp === "/").map(
      // One that is thrown out just now may hear of it after the others: it is not waited for any longer.
      (s) => new Promise<void>((resolve) => (s.once("synced", () => resolve()), s.once("disconnect", () => resolve()))),
    );
    (c as any).nsp === "/" ? c.emit("sync") : sockets[0].emit("sync");
    return Promise.all(rest);
  };
  try {
    const kim = client("kim");
    await next(kim, "welcome");
    await next(client("nobody", "/", {}), "connect_error");
    await next(client("a second kim", "/", { name: "kim" }), "connect_error");
    await next(client("lost", "/elsewhere"), "connect_error");
    const lee = client("lee");
    await next(lee, "welcome");
    const max = client("max");
    await next(max, "welcome");
    await synced(max);
    for (const [c, answer] of [[kim, "yes"], [lee, { no: [Buffer.from([0, 1])] }], [max, null]] as const) c.on("question", (_q, cb) => cb(answer));

    await ask(kim, "kim", "join", "tea");
    await ask(lee, "lee", "join", "tea");
    await ask(max, "max", "join", "deaf");
    max.emit("join", "secret", () => seen["max"].push("was let in"));
    await synced(max);
    await ask(kim, "kim", "say", "tea", "hello", 1.5, null, { deep: [true, "größe 🐴"] });
    await ask(max, "max", "say", "tea", "from outside");
    await ask(lee, "lee", "file", "tea", { name: "x.bin", bytes: Buffer.from([1, 2, 3]) });
    await ask(kim, "kim", "poll", "tea", Buffer.from("milk?"));
    await ask(max, "max", "poll", "tea", "sugar?");
    await ask(kim, "kim", "poll", "nowhere", "anybody?");
    lee.emit("whisper", "max", "psst");
    await synced(lee);
    lee.emit("leave", "tea");
    await synced(lee);
    await ask(kim, "kim", "say", "tea", "is anybody there?");
    await ask(lee, "lee", "join", "tea");

    const admin = client("admin", "/admin", {});
    await next(admin, "connect");
    await ask(admin, "admin", "announce", "closing time");
    const gone = [kim, max].map((c) => next(c, "gone"));
    await ask(admin, "admin", "kick", "lee");
    await Promise.all(gone);
    const left = next(max, "gone");
    kim.disconnect();
    await left;
    sockets[0] = max;
    await ask(max, "max", "say", "tea", "alone");
    return seen;
  } finally {
    for (const c of sockets) c.disconnect();
  }
}

for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  edgeTest(`one program, two servers: clients see the same (${transports})`, async (world) => {
    const original = new Program();
    const ours = new Program();
    try {
      await original.start([IMPORT, CONSTRUCTOR], "console.log(`http://127.0.0.1:${io.httpServer.address().port}`);");
      await ours.start(
        ['import { Server } from "@sio-edge/server";', `const io = new Server("${world.backends}", { group: "chat" });`],
        `await io.status.attached(); console.log("${world.url}");`,
      );
      const [theirs, here] = [await evening(original.url, transports), await evening(ours.url, transports)];
      assert.deepEqual(here, theirs);
      assert.ok(Object.values(theirs).flat().length > 40, "something has happened");
    } finally {
      await Promise.all([original.end(), ours.end()]);
    }
  });
}
