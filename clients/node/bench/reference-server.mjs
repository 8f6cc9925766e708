import { Server } from "socket.io";

const io = new Server(0, { transports: ["websocket"] });
io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));
process.on("message", (m) => {
  if (m !== "cpu") return;
  const { user, system } = process.cpuUsage();
  process.send({ cpu: user + system });
});
process.send({ port: io.httpServer.address().port });
