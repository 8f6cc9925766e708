import assert from "node:assert/strict";
import { test } from "node:test";
import { join } from "node:path";
import protobuf from "protobufjs";
import { Reader, Writer } from "../src/wire/index";
import { readSubscribeRequest, readSubscribeResponse, writeSubscribeRequest, writeSubscribeResponse } from "../src/gen/sioedge/v1/event_service";

const proto = join(__dirname, "../../../../proto");
const root = new protobuf.Root();
root.resolvePath = (_from, file) => (file.startsWith("google/protobuf") ? file : join(file.startsWith("google/rpc") ? join(proto, "../third_party") : proto, file));
root.loadSync("sioedge/v1/event_service.proto");
const request = root.lookupType("sioedge.v1.SubscribeRequest");
const response = root.lookupType("sioedge.v1.SubscribeResponse");

function encode(write: (w: Writer, m: any) => void, m: unknown): Buffer {
  const w = new Writer(16);
  write(w, m);
  return w.take();
}

const text = "x".repeat(200) + "žluťoučký 🐴";
const values = [
  { deliveries: { deliveries: [{ deliveryId: 2 ** 40, attempt: 3, event: { offset: Number.MAX_SAFE_INTEGER, sid: "s", namespace: "/", seq: 1, prevSeq: 0, receivedAt: { seconds: -5, nanos: 7 }, clientEvent: { event: text, payload: { json: Buffer.from("[1]"), attachments: [Buffer.from([1, 2, 3]), Buffer.alloc(0)] }, wantsReply: true, numericName: false } } }] } },
  { snapshot: { last: true, sessions: [{ sid: "a", namespace: "/", connectionId: "c", userId: "", attributes: { __proto__x: "1", data: text }, rooms: ["a", "b", ""], state: 2, openedAt: undefined, revision: 4294967296, handshake: undefined, transport: "", recovered: true }] } },
  { results: { results: [{ commandId: "x", status: { code: 3, message: text, details: [{ typeUrl: "t", type_url: "t", value: Buffer.from([0]) }] }, receipt: undefined }] } },
];

for (const [i, value] of values.entries()) {
  test(`response ${i} is what protobufjs reads and writes`, () => {
    const ours = encode(writeSubscribeResponse, value);
    const theirs = Buffer.from(response.encode(response.fromObject(value as object)).finish());
    const plain = { defaults: true, longs: Number };
    assert.deepEqual(response.toObject(response.decode(ours), plain), response.toObject(response.decode(theirs), plain));
    const read = readSubscribeResponse(new Reader(theirs), theirs.length);
    assert.deepEqual(encode(writeSubscribeResponse, read), ours);
  });
}

test("requests are what protobufjs reads", () => {
  const value = {
    ack: { done: [{ first: 1, last: 300 }], nacks: [{ deliveryId: 301, retryAfter: { seconds: 1, nanos: 5e8 }, deadLetter: true, reason: "no" }], extend: [] },
  };
  const ours = encode(writeSubscribeRequest, value);
  assert.deepEqual(request.toObject(request.decode(ours)), request.toObject(request.fromObject(value)));
  const emit = { commands: { commands: [{ commandId: "1", quiet: true, emit: { target: { namespace: "/", rooms: ["r"], everyone: false }, event: "e", payload: { json: '["é"]' }, compress: false } }] } };
  const back: any = request.toObject(request.decode(encode(writeSubscribeRequest, emit)));
  assert.equal(Buffer.from(back.commands.commands[0].emit.payload.json).toString(), '["é"]');
  assert.equal(back.commands.commands[0].emit.compress, false);
});

test("fields of a later contract are skipped", () => {
  const w = new Writer();
  w.tag((900 << 3) | 0);
  w.uint64(2 ** 50);
  w.tag((901 << 3) | 2);
  w.string(text);
  w.tag((902 << 3) | 1);
  w.double(1.5);
  w.frame(() => {}, undefined);
  const b = w.take().subarray(0, -5);
  const known = encode(writeSubscribeRequest, { heartbeat: { nonce: 9 } });
  const all = Buffer.concat([b, known]);
  assert.equal(readSubscribeRequest(new Reader(all), all.length).heartbeat?.nonce, 9);
});

test("a field that reaches past the message throws", () => {
  const b = encode(writeSubscribeResponse, values[0]);
  for (let n = 1; n < b.length - 1; n++) {
    const part = Buffer.from(b.subarray(0, n));
    assert.throws(() => readSubscribeResponse(new Reader(part), part.length), `cut at ${n}`);
  }
});

test("lengths around the sizes of their prefix", () => {
  for (const n of [0, 1, 126, 127, 128, 129, 16382, 16383, 16384, 16385, 70000, 2097151, 2097152]) {
    for (const c of ["a", "é", "€"]) {
      const w = new Writer(8);
      w.string("head");
      w.string(c.repeat(n));
      w.string("tail");
      const b = w.take();
      const r = new Reader(b);
      assert.equal(r.string(), "head");
      assert.equal(r.string(), c.repeat(n));
      assert.equal(r.string(), "tail");
      assert.equal(r.pos, b.length);
    }
  }
});

test("a key of a map may be called __proto__", () => {
  const attributes = Object.defineProperty({}, "__proto__", { value: "1", enumerable: true });
  const b = encode(writeSubscribeResponse, { snapshot: { sessions: [{ attributes }] } });
  const read = readSubscribeResponse(new Reader(b), b.length).snapshot!.sessions[0].attributes;
  assert.deepEqual(Object.entries(read), [["__proto__", "1"]]);
});
