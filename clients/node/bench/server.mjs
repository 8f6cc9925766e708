// The same program with either server. Usage: server.mjs plain | server.mjs edge ADDRESS
import { once } from "node:events";

const [kind, address] = process.argv.slice(2);
const { Server } = await import(kind === "edge" ? "../dist/index.mjs" : "socket.io");
const io = kind === "edge" ? new Server(address, { group: "bench" }) : new Server(0, { serveClient: false });

io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));

if (kind === "edge") {
  await io.status.attached();
  console.log("attached");
} else {
  if (!io.httpServer.listening) await once(io.httpServer, "listening");
  console.log(`listens at ${io.httpServer.address().port}`);
}
