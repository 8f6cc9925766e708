// Compiles and runs the tests. Those that need the edge take the binary that SIO_EDGE_BIN names, or
// build it from this repository, which must succeed; outside of it, and without a name, they are skipped.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
rmSync(join(root, "build"), { recursive: true, force: true });
execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: "inherit" }); // some tests use the package
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.test.json")], { stdio: "inherit" });

const env = { ...process.env };
let made;
const repository = join(root, "../..");
if (env.SIO_EDGE_BIN === undefined && existsSync(join(repository, "cmd/sio-edge"))) {
  made = mkdtempSync(join(tmpdir(), "sio-edge-"));
  const built = spawnSync("go", ["build", "-o", join(made, "sio-edge"), "./cmd/sio-edge"], { cwd: repository, stdio: "inherit" });
  if (built.status !== 0) {
    console.error("the edge could not be built, so most tests cannot run: see above");
    rmSync(made, { recursive: true, force: true });
    process.exit(1);
  }
  env.SIO_EDGE_BIN = join(made, "sio-edge");
}
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "build/test"))
  .filter((f) => f.endsWith(".test.js") && (wanted.length === 0 || wanted.some((w) => f.startsWith(w))))
  .map((f) => join(root, "build/test", f));
// Forced: the stock client may leave a timer of its heartbeat behind when its server is killed.
const run = spawnSync(process.execPath, ["--test", "--test-force-exit", "--test-concurrency=2", "--test-timeout=60000", ...files], { env, stdio: "inherit" });
if (made !== undefined) rmSync(made, { recursive: true, force: true });
process.exit(run.status ?? 1);
