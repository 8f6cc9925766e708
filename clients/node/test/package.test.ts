import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import * as original from "socket.io";
import * as ours from "../src/index";
import { elsewhere } from "../src/elsewhere";

const run = promisify(execFile);
const root = join(__dirname, "../..");
const modules = join(root, "node_modules");

/** The package as it is published, installed where nothing else is. */
describe("the package", () => {
  const dir = mkdtempSync(join(tmpdir(), "sio-edge-package-"));
  const npm = (...args: string[]) => run("npm", [...args, "--loglevel=error", "--no-audit", "--no-fund", "--offline", "--ignore-scripts"], { cwd: dir });
  const program = (file: string, text: string) => writeFileSync(join(dir, file), text);

  before(async () => {
    const { stdout } = await npm("pack", root); // dist was built by scripts/test.mjs
    program("package.json", "{}");
    await npm("install", join(dir, stdout.trim().split("\n").at(-1)!));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test("holds what it needs and nothing else", async () => {
    const { stdout } = await run("find", [join(dir, "node_modules"), "-type", "f", "-not", "-path", "*/dist/*"]);
    const files = stdout.trim().split("\n").map((f) => f.split("/server/")[1] ?? f.split("node_modules/")[1]);
    assert.deepEqual(files.sort(), [".package-lock.json", "API.md", "README.md", "package.json"]);
  });

  test("is one set of classes for import and require", async () => {
    program("both.mjs", `
      import { createRequire } from "node:module";
      import * as esm from "@sio-edge/server";
      const cjs = createRequire(import.meta.url)("@sio-edge/server");
      if (esm.Server !== cjs.Server || Object.keys(cjs).some((name) => esm[name] !== cjs[name])) throw new Error("two of everything");
      const io = new esm.Server("127.0.0.1:1");
      await io.close();
      console.log(Object.keys(cjs).sort().join());`);
    const { stdout } = await run(process.execPath, [join(dir, "both.mjs")]);
    assert.equal(stdout.trim(), Object.keys(ours).sort().join());
  });

  for (const [file, settings] of [["program.mts", ["nodenext", "nodenext"]], ["program.cts", ["nodenext", "nodenext"]], ["program.ts", ["esnext", "bundler"]]] as const) {
    test(`has types for ${file} with the module resolution ${settings[1]}`, async () => {
      program(file, `
        import { Server, type Socket } from "@sio-edge/server";
        const io = new Server<{ say: (text: string) => void }, { said: (text: string) => void }, {}, { user: string }>("127.0.0.1:1", { group: "g" });
        io.on("connection", (socket) => socket.on("say", (text) => { socket.data.user = text.trim(); socket.broadcast.emit("said", text); }));
        // @ts-expect-error no such event
        io.emit("say", "x");
        export type S = Socket;`);
      program("tsconfig.json", JSON.stringify({
        compilerOptions: { target: "es2022", lib: ["es2023"], module: settings[0], moduleResolution: settings[1], strict: true, noEmit: true, types: ["node"], typeRoots: [join(modules, "@types")] },
        files: [file],
      }));
      const tsc = join(dirname(require.resolve("typescript/package.json")), "bin/tsc");
      const { stdout } = await run(process.execPath, [tsc, "-p", dir]).catch((err) => err);
      assert.equal(stdout, "");
    });
  }
});

test("OFFICIAL-TESTS.md names tests that there are", () => {
  const titles = new Map<string, string>();
  for (const file of readdirSync(join(root, "test"))) {
    if (file.endsWith(".test.ts")) titles.set(file.slice(0, -8), readFileSync(join(root, "test", file), "utf8"));
  }
  const counts = { here: 0, "needs the HTTP server": 0, different: 0 };
  for (const line of readFileSync(join(root, "OFFICIAL-TESTS.md"), "utf8").split("\n")) {
    const [, theirs, mapped] = /^\| (.*) \| (.*) \|$/.exec(line) ?? [];
    if (mapped === undefined || theirs === "theirs" || theirs === "---") continue;
    const reason = /^\*(needs the HTTP server|different): /.exec(mapped)?.[1] as keyof typeof counts | undefined;
    counts[reason ?? "here"]++;
    if (reason !== undefined) continue;
    // "file: title, or its beginning; another", with remarks in brackets.
    let file = "";
    for (const part of mapped.replace(/ \(.*?\)/g, "").split("; ")) {
      const named = /^([a-z]+): (.*)$/.exec(part);
      if (named !== null) file = named[1];
      const words = (named?.[2] ?? part).trim();
      assert.ok(titles.get(file)?.includes(words), `${theirs}: no test of ${file}.test.ts has "${words}" in its name`);
    }
  }
  assert.deepEqual(counts, { here: 157, "needs the HTTP server": 7, different: 5 });
});

/** What a class has of its own and from those above it, below EventEmitter. */
function members(of: { prototype: object }): Set<string> {
  const names = new Set<string>();
  for (let p = of.prototype; p.constructor.name !== "EventEmitter" && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    for (const name of Object.getOwnPropertyNames(p)) names.add(name);
  }
  return names;
}

test("every public member of the original's classes is here, or says why not", () => {
  // Those that its types call private or protected, or that are not in them.
  const privates = new Set(["emitReserved", "emitUntyped", "initEngine", "attachServe", "serve", "extractFilename", "run", "buildHandshake", "registerAckCallback", "packet", "onevent", "ack", "onack", "ondisconnect", "dispatch", "notifyOutgoingListeners", "newBroadcastOperator"]);
  for (const name of ["Server", "Namespace", "Socket"] as const) {
    const here = members(ours[name]);
    for (const member of members(original[name])) {
      if (!member.startsWith("_") && !privates.has(member)) assert.ok(here.has(member), `${name}.${member}`);
    }
  }
  const io = new original.Server();
  for (const option of Object.keys(elsewhere.io)) assert.ok(option in io || option === "httpServer", `${option} is no member of the original`);
});
