// CPU time per echo with acknowledgement: this SDK behind a gRPC stream, and the reference server with
// its own WebSockets. Both sides of each run in processes of their own; only the server's CPU counts,
// so that a busy machine changes little. Usage: node bench/bench.mjs [events]
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const events = Number(process.argv[2] ?? 200_000);

for (const kind of ["sdk", "reference"]) {
  const server = fork(here(`${kind}-server.mjs`));
  const started = await new Promise((resolve) => server.once("message", resolve));
  const load = fork(here(`${kind}-load.mjs`), [String(events), String(started.port ?? 0)]);
  server.on("message", (m) => load.send(m));
  if (kind === "sdk") {
    const { port } = await new Promise((resolve) => load.once("message", resolve));
    server.send({ port });
  }
  const measure = () =>
    new Promise((resolve) => {
      server.once("message", resolve);
      server.send("cpu");
    });
  await new Promise((resolve) => load.once("message", resolve)); // warm
  const before = await measure();
  load.send("go");
  const { ms } = await new Promise((resolve) => load.once("message", resolve));
  const after = await measure();
  const us = (after.cpu - before.cpu) / events;
  console.log(`${kind.padEnd(10)} ${us.toFixed(2)} µs of CPU per echo = ${Math.round(1e6 / us).toLocaleString()}/s on one core; ${Math.round((events / ms) * 1000).toLocaleString()}/s by the clock`);
  server.kill();
  load.kill();
}
