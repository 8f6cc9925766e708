import { Server } from "../dist/index.mjs";

process.on("message", (m) => {
  if (m === "cpu") {
    const { user, system } = process.cpuUsage();
    process.send({ cpu: user + system });
  } else if (m.port) {
    const io = new Server(`127.0.0.1:${m.port}`, { group: "bench" });
    io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));
  }
});
process.send({});
