// A chat room in which everyone sees who comes, goes and types. Who is in it is known to the edge, so
// this process can be killed and started again.
import { Server, type Socket } from "@sio-edge/server";

const io = new Server(process.env["SIO_EDGE"] ?? "127.0.0.1:7070", { group: "demo-chat", memberId: "demo-chat" });
const inside = "inside";

/** How many people are in the room beside this one. */
async function others(socket: Socket): Promise<number> {
  const sockets = await io.in(inside).fetchSockets();
  return sockets.filter(({ id }) => id !== socket.id).length;
}

async function enter(socket: Socket): Promise<void> {
  const numUsers = (await others(socket)) + 1;
  socket.broadcast.emit("user joined", { username: socket.data.username, numUsers });
  if (!socket.recovered) socket.emit("login", { numUsers });
}

io.on("connection", async (socket) => {
  socket.on("add user", async (username: unknown) => {
    if (typeof username !== "string" || username === "" || socket.data.username !== undefined) return;
    socket.data.username = username.slice(0, 32);
    await socket.join(inside);
    await enter(socket);
  });

  socket.on("new message", (message: unknown) => {
    const { username } = socket.data;
    if (username !== undefined) socket.broadcast.emit("new message", { username, message });
  });

  for (const event of ["typing", "stop typing"]) {
    socket.on(event, () => void socket.broadcast.emit(event, { username: socket.data.username }));
  }

  socket.on("disconnect", async (reason) => {
    const { username } = socket.data;
    if (username === undefined || reason === "server shutting down") return;
    socket.broadcast.emit("user left", { username, numUsers: await others(socket) });
  });
});

io.status.on("change", ({ state }) => console.log("edge", state));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void io.close());
