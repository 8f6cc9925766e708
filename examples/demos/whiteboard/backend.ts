// What one draws the others see. Nothing is kept: who comes later begins with an empty board.
import { Server } from "@sio-edge/server";

const io = new Server(process.env["SIO_EDGE"] ?? "127.0.0.1:7070", { group: "demo-whiteboard", memberId: "demo-whiteboard" });

io.on("connection", (socket) => {
  socket.on("drawing", (stroke: unknown) => void socket.broadcast.emit("drawing", stroke));
});

io.status.on("change", ({ state }) => console.log("edge", state));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void io.close());
