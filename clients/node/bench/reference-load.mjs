// 64 clients with raw WebSockets, each with several events under way.
import { createRequire } from "node:module";

const { WebSocket } = createRequire(createRequire(import.meta.url).resolve("engine.io"))("ws");
const [events, port] = process.argv.slice(2).map(Number);
const CLIENTS = 64;
const DEPTH = 16;
const body = JSON.stringify(["echo", { text: "x".repeat(100), n: 1 }]);

let total = 0;
let sent = 0;
let answered = 0;
let started = 0;
const sockets = [];

function one(ws) {
  if (sent >= total) return;
  sent++;
  ws.send(`42${sent}${body}`);
}

function run(n) {
  sent = answered = 0;
  total = n;
  started = performance.now();
  for (const ws of sockets) for (let i = 0; i < DEPTH; i++) one(ws);
}

for (let i = 0; i < CLIENTS; i++) {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=4&transport=websocket`);
  ws.on("message", (data) => {
    const text = data.toString();
    if (text[0] === "0") return ws.send("40");
    if (text === "2") return ws.send("3");
    if (text.startsWith("40")) {
      sockets.push(ws);
      if (sockets.length === CLIENTS) run(50_000);
      return;
    }
    if (++answered === total) process.send({ ms: performance.now() - started });
    else one(ws);
  });
}
process.on("message", (m) => m === "go" && run(events));
