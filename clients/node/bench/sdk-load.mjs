// An edge that does nothing but deliver: 64 sessions, the default window.
import { createServer } from "node:http2";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { Reader, Writer } = require("../dist/wire/index.js");
const { readSubscribeRequest, writeSubscribeResponse } = require("../dist/gen/sioedge/v1/event_service.js");

const events = Number(process.argv[2]);
const SESSIONS = 64;
const WINDOW = 4096;
const payload = Buffer.from(JSON.stringify([{ text: "x".repeat(100), n: 1 }]));

const server = createServer({ settings: { initialWindowSize: 8 << 20 } });
server.on("session", (s) => s.setLocalWindowSize(16 << 20));
server.on("stream", (stream) => {
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
  const w = new Writer(1 << 20);
  const send = () => w.length > 0 && stream.write(w.take());
  let offset = 0;
  let id = 0;
  let sent = 0;
  let answered = 0;
  let total = 0;
  let started = 0;
  const say = (m) => w.frame(writeSubscribeResponse, m);
  const event = (rest) => ({ deliveryId: ++id, attempt: 1, event: { offset: ++offset, namespace: "/", seq: offset, receivedAt: { seconds: 1, nanos: 5 }, ...rest } });
  const fill = () => {
    while (sent < total && sent - answered < WINDOW) {
      const deliveries = [];
      const n = Math.min(256, total - sent, WINDOW - (sent - answered));
      if (n < 128 && n < total - sent) break; // as batches form under load
      for (let i = 0; i < n; i++, sent++) {
        deliveries.push(event({ sid: `session-${String(sent % SESSIONS).padStart(12, "0")}`, clientEvent: { event: "echo", payload: { json: payload }, wantsReply: true } }));
      }
      say({ deliveries: { deliveries } });
    }
    send();
  };
  const run = (n) => {
    sent = answered = 0;
    total = n;
    started = performance.now();
    fill();
  };
  let rest = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (rest.length - at >= 5) {
      const end = at + 5 + rest.readUInt32BE(at + 1);
      if (end > rest.length) break;
      const m = readSubscribeRequest(new Reader(rest.subarray(at + 5, end)), end - at - 5);
      if (m.hello) {
        say({ welcome: { protocolVersion: 1, edgeId: "e", logId: "l", epoch: 1, resume: 1 } });
        say({ snapshot: { last: true } });
        const deliveries = [];
        for (let i = 0; i < SESSIONS; i++) {
          const sid = `session-${String(i).padStart(12, "0")}`;
          deliveries.push(event({ sid, opened: { session: { sid, namespace: "/", connectionId: sid, state: 1 } } }));
        }
        say({ deliveries: { deliveries } });
        send();
        run(50_000);
      } else if (m.reply) answered++;
      else if (m.heartbeat) say({ progress: { nonce: m.heartbeat.nonce } });
      at = end;
    }
    rest = rest.subarray(at);
    if (answered === total && total > 0) {
      total = 0;
      process.send({ ms: performance.now() - started });
    } else fill();
  });
  process.on("message", (m) => m === "go" && run(events));
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
