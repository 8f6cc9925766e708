// Stock clients that keep messages in flight: node load.mjs URL emit|ack PID [clients] [in flight] [seconds]
// PID is the server's process, whose CPU time is read from /proc.
import { readFileSync } from "node:fs";
import { io } from "socket.io-client";

const [url, mode, pid, clients = 40, inFlight = 16, seconds = 5] = process.argv.slice(2);
const message = { text: "x".repeat(80), n: 1 };
const cpu = () => {
  const field = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(field[11]) + Number(field[12])) / 100;
};
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let count = 0;
for (let i = 0; i < clients; i++) {
  const s = io(url, { transports: ["websocket"], forceNew: true });
  await new Promise((connected) => s.on("connect", connected));
  const again = () => {
    count++;
    send();
  };
  const send = () => (mode === "ack" ? s.emit("ask", message, again) : s.emit("say", message));
  s.on("said", again);
  for (let n = 0; n < inFlight; n++) send();
}
await sleep(1000);
const [before, used, since] = [count, cpu(), performance.now()];
await sleep(1000 * seconds);
const [done, took] = [count - before, (performance.now() - since) / 1000];
console.log(`${mode}: ${Math.round(done / took)} messages/s, ${((1e6 * (cpu() - used)) / done).toFixed(1)} µs of CPU each`);
process.exit();
