// The program as people run it, with its own client.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

const here = import.meta.dirname;

/** Starts a program and waits for what it says. */
function run(t, argv, env = {}) {
  const child = spawn(argv[0], argv.slice(1), { cwd: here, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  let said = "";
  let wake = () => {};
  for (const out of [child.stdout, child.stderr]) out.on("data", (b) => ((said += b), wake()));
  ended.then(() => wake());
  const stop = async (signal) => (child.kill(signal), ended);
  t.after(() => stop("SIGKILL"));
  return {
    stop,
    /** Resolves with the match, and goes on behind it. */
    async says(what) {
      for (;;) {
        const match = what.exec(said);
        if (match) {
          said = said.slice(match.index + match[0].length);
          return match;
        }
        if (child.exitCode !== null) throw new Error(`${argv.join(" ")} ended; it said ${said}`);
        await new Promise((resolve) => (wake = resolve));
      }
    },
  };
}

test("connects and disconnects are logged, from any origin, over restarts", { timeout: 60_000 }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "node-hello-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const binary = process.env.SIO_EDGE_BIN ?? join(dir, "sio-edge");
  if (process.env.SIO_EDGE_BIN === undefined) execFileSync("go", ["build", "-o", binary, "./cmd/sio-edge"], { cwd: join(here, "../..") });
  const edge = run(t, [binary, "--cors-origin", "*", "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--ops-listen", "", "--data-dir", join(dir, "data")]);
  const [, url, backends] = await edge.says(/clients (http:\/\/\S+?)\/socket\.io\/\s+backends (\S+)/);

  const env = { SIO_EDGE: backends, PORT: "0", SIO_EDGE_MEMBER: "hello" };
  const server = run(t, ["node", "server.js"], env);
  const [page] = await server.says(/http:\S+/);
  await server.says(/edge +attached/);
  const answer = await fetch(page, { headers: { origin: "http://a.example" } });
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.deepEqual(await answer.json(), { hello: "world", sockets: 0, edge: "attached" });
  const handshake = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: "http://a.example" } });
  assert.deepEqual([handshake.status, handshake.headers.get("access-control-allow-origin")], [200, "*"]);

  const client = run(t, ["node", "client.js"], { URL: url });
  const [, id] = await client.says(/connected (\S+)/);
  await server.says(new RegExp(`connected +${id}`));
  await server.stop("SIGTERM");
  const again = run(t, ["node", "server.js"], env);
  await again.says(new RegExp(`connected +${id} \\(recovered\\)`));
  await client.stop("SIGKILL");
  await again.says(new RegExp(`disconnected ${id} transport close`));
});

test("without an edge it says so once, and waits", { timeout: 60_000 }, async (t) => {
  const server = run(t, ["node", "server.js"], { SIO_EDGE: "127.0.0.1:1", PORT: "0" });
  const [said] = await server.says(/edge +away.*\n/);
  assert.match(said, /ECONNREFUSED.*is it running\?/);
  await server.stop("SIGTERM");
});
