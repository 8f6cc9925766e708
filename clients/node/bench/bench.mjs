// Echo with acknowledgement through this SDK and the edge, beside socket.io answering in its own
// process, in one run: npm run bench [-- --rounds=3 --for=5s --scenarios=echo-100x10,echo-1000x1]
//
// The plain server has CPU 1 for itself and the generator of load CPU 0. The backend has CPU 1, the
// edge CPU 0, which it shares with the generator: what it reaches by the clock is less than it can.
// So what a second of CPU time of each process was good for is told, too: of two processes on a
// CPU each, the slower one says how many messages they pass.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    for: { type: "string", default: "5s" },
    scenarios: { type: "string", default: "echo-100x10,echo-1000x1" },
  },
});
const here = (name) => join(import.meta.dirname, name);
const dir = mkdtempSync(join(tmpdir(), "sio-edge-bench-"));
const binary = process.env.SIO_EDGE_BIN ?? join(dir, "sio-edge");
if (process.env.SIO_EDGE_BIN === undefined) {
  execFileSync("go", ["build", "-o", binary, "./cmd/sio-edge"], { cwd: here("../../.."), stdio: "inherit" });
}
const pinned = spawnSync("taskset", ["-V"]).error === undefined ? (cpu, argv) => ["taskset", "-c", cpu, ...argv] : (_cpu, argv) => argv;

/** Starts a process and resolves with it and what it said that tells that it is ready. */
function start(cpu, argv, ready) {
  const [command, ...args] = pinned(cpu, argv);
  const child = spawn(command, args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (b) => {
      const told = ready.exec((said += b));
      if (told !== null) resolve([child, ...told.slice(1)]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", () => reject(new Error(`${argv.join(" ")}: ${said}`)));
  });
}

async function stop(...children) {
  for (const child of children) {
    const exited = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await exited;
  }
}

/** Puts load on a port and returns what came of it, with the CPU time of a process. */
function load(port, scenario, { pid }) {
  const file = join(dir, "result.json");
  const args = ["bench", "--url", `http://127.0.0.1:${port}/socket.io/`, "--scenarios", scenario, "--rounds", "1", "--for", flags.for, "--pid", String(pid), "--json", file];
  const [command, ...rest] = pinned("0", [binary, ...args]);
  execFileSync(command, rest, { cwd: dir, stdio: ["ignore", "ignore", "pipe"] });
  const result = [JSON.parse(readFileSync(file, "utf8"))].flat(2).find((r) => r.scenario === scenario);
  for (const fault of ["lost", "wrong", "reordered", "dropped"]) if (result[fault] > 0) throw new Error(`${scenario}: ${result[fault]} ${fault}`);
  return result;
}

async function plain(scenario) {
  const [server, port] = await start("1", ["node", here("server.mjs"), "plain"], /listens at (\d+)/);
  try {
    const { per_second, per_cpu_second } = load(port, scenario, server);
    return { clock: per_second, cpu: per_cpu_second };
  } finally {
    await stop(server);
  }
}

async function throughEdge(scenario) {
  const listen = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--ops-listen", ""];
  const [edge, port, address] = await start("0", [binary, "serve", ...listen, "--data-dir", mkdtempSync(join(dir, "data-"))], /clients http:\S+:(\d+)\/\S*\s+backends (\S+)/);
  const [backend] = await start("1", ["node", here("server.mjs"), "edge", address], /attached/);
  try {
    const one = load(port, scenario, backend);
    const other = load(port, scenario, edge);
    return { clock: (one.per_second + other.per_second) / 2, backend: one.per_cpu_second, edge: other.per_cpu_second };
  } finally {
    await stop(backend, edge);
  }
}

const median = (runs, of) => runs.map(of).sort((a, b) => a - b)[runs.length >> 1];
const n = (x) => Math.round(x).toLocaleString("en").padStart(9);

try {
  console.log("messages a second       socket.io    backend        edge     ratio   by the clock: socket.io      both     ratio");
  for (const scenario of flags.scenarios.split(",")) {
    const [theirs, ours] = [[], []];
    for (let i = 0; i < Number(flags.rounds); i++) {
      theirs.push(await plain(scenario));
      ours.push(await throughEdge(scenario));
    }
    const node = median(theirs, (r) => r.cpu);
    const [backend, edge] = [median(ours, (r) => r.backend), median(ours, (r) => r.edge)];
    const [clock, both] = [median(theirs, (r) => r.clock), median(ours, (r) => r.clock)];
    console.log(`${scenario.padEnd(20)} ${n(node)}  ${n(backend)}  ${n(edge)}      ${(Math.min(backend, edge) / node).toFixed(2)}                 ${n(clock)} ${n(both)}      ${(both / clock).toFixed(2)}`);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
