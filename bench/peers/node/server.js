// The official server with the events that the load generator sends. With --backend the echo is
// done by another process, which every event asks by a unary gRPC call.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { parseArgs } from "node:util";
import { Client, credentials } from "@grpc/grpc-js";
import { Server } from "socket.io";

const { values: flags } = parseArgs({
  options: {
    listen: { type: "string" },
    backend: { type: "string" },
    cert: { type: "string" },
    key: { type: "string" },
    "ping-interval": { type: "string", default: "25000" },
  },
});
const [host, port] = flags.listen.split(":");
const backend = flags.backend && new Client(flags.backend, credentials.createInsecure());

const http = flags.cert ? createSecureServer({ cert: readFileSync(flags.cert), key: readFileSync(flags.key) }) : createServer();
const io = new Server(http, { pingInterval: Number(flags["ping-interval"]), serveClient: false });

function forward(args, ack) {
  const unchanged = (bytes) => bytes;
  const payload = Buffer.from(JSON.stringify(args));
  backend.makeUnaryRequest("/bench.Backend/Event", unchanged, unchanged, payload, (error, reply) => {
    if (error) throw error;
    ack(...JSON.parse(reply));
  });
}

io.on("connection", (socket) => {
  socket.on("echo", (...args) => {
    const ack = args.pop();
    if (backend) forward(args, ack);
    else ack(...args);
  });
  socket.on("bcast", (...args) => io.emit("bcast", ...args));
  socket.on("join", (rooms, ack) => {
    socket.join(rooms);
    ack(rooms.length);
  });
  socket.on("room", (room, ...args) => io.to(room).emit("room", room, ...args));
});

http.listen({ host, port: Number(port), backlog: 4096 });
process.once("SIGTERM", () => process.exit(0));
