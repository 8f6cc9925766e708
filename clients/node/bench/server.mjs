// The same program with either server. Usage: server.mjs plain PORT | server.mjs edge ADDRESS
const [kind, where] = process.argv.slice(2);
const { Server } = await import(kind === "edge" ? "../dist/index.mjs" : "socket.io");
const io = kind === "edge" ? new Server(where, { group: "bench" }) : new Server(Number(where), { serveClient: false });

io.on("connection", (socket) => socket.on("echo", (value, ack) => ack(value)));

if (kind === "edge") await io.status.attached();
console.log("ready");
