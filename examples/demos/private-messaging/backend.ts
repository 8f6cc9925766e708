// People write to each other, from any number of tabs, and find what was written when they come back.
// A user is a room: whatever tabs somebody has open are in it.
import { randomBytes } from "node:crypto";
import { Server } from "@sio-edge/server";
import { Store, type Session } from "./store.js";

const io = new Server(process.env["SIO_EDGE"] ?? "127.0.0.1:7070", { group: "demo-messages", memberId: "demo-messages" });
const store = new Store(process.env["DATA"] ?? "messages.jsonl");
const random = () => randomBytes(12).toString("base64url");

io.use((socket, next) => {
  const { sessionID, username } = socket.handshake.auth;
  let session = store.sessions.get(sessionID);
  if (session === undefined) {
    if (typeof username !== "string" || username === "") return next(new Error("invalid username"));
    session = { sessionID: random(), userID: random(), username: username.slice(0, 32) };
    store.add(session);
  }
  socket.data = session;
  socket.join(session.userID);
  next();
});

io.on("connection", async (socket) => {
  const { sessionID, userID, username } = socket.data as Session;

  socket.on("private message", ({ content, to }: { content: unknown; to: string }) => {
    const message = { content, from: userID, to };
    store.add(message);
    socket.to([to, userID]).emit("private message", message);
  });

  socket.on("disconnect", async (reason) => {
    if (reason === "server shutting down") return;
    const tabs = await io.in(userID).fetchSockets();
    if (tabs.every(({ id }) => id === socket.id)) socket.broadcast.emit("user disconnected", userID);
  });

  if (!socket.recovered) {
    socket.emit("session", { sessionID, userID });
    socket.emit("users", await users(userID));
  }
  socket.broadcast.emit("user connected", { userID, username, connected: true, messages: [] });
});

/** Everyone who has ever been here, with what they and this user wrote to each other. */
async function users(reader: string) {
  const here = new Set((await io.fetchSockets()).map(({ data }) => data.userID));
  return [...store.sessions.values()].map(({ userID, username }) => ({
    userID,
    username,
    connected: here.has(userID),
    messages: store.messages.filter(({ from, to }) => (from === reader && to === userID) || (from === userID && to === reader)),
  }));
}

io.status.on("change", ({ state }) => console.log("edge", state));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void io.close());
