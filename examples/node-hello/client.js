import { io } from "socket.io-client";

const socket = io(process.env.URL ?? "http://127.0.0.1:3000");
socket.on("connect", () => console.log("connected", socket.id));
socket.on("disconnect", (reason) => console.log("disconnected", reason));
socket.on("connect_error", (err) => console.log("refused", err.message));
