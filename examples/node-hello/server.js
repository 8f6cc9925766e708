import cors from "cors";
import express from "express";
import { Server } from "@sio-edge/server"; // was: from "socket.io"

const app = express();
app.use(cors());
app.get("/", (_req, res) => res.json({ hello: "world", sockets: io.engine.clientsCount, edge: io.status.current.state }));

const io = new Server(process.env.SIO_EDGE ?? "127.0.0.1:7070", { group: "hello" });

io.on("connection", (socket) => {
  console.log("connected   ", socket.id, socket.recovered ? "(recovered)" : "");
  socket.on("disconnect", (reason) => console.log("disconnected", socket.id, reason));
});

const server = app.listen(process.env.PORT ?? 3001, () => console.log(`http://127.0.0.1:${server.address().port}/`));

let edge;
io.status.on("change", ({ state, error }) => {
  if (state === "connecting" || state === edge) return; // it tries on, and says so each time
  edge = state;
  console.log("edge        ", state, error ? `(${error.message}): is it running? See README.md` : "");
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await io.close(); // the clients stay connected
    server.close();
  });
}
