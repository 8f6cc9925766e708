// Our decoders beside the reference's: the same inputs, made up from a seed, and no difference but
// those that docs/differences.md lists. INPUTS=200000 npm test runs the long form.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";

// The parsers that the server brings, not those of an old client.
const require = createRequire(createRequire(import.meta.url).resolve("socket.io"));
const { Decoder } = require("socket.io-parser");
const { decodePacket, decodePayload } = createRequire(require.resolve("engine.io"))("engine.io-parser");

const count = Number(process.env.INPUTS ?? 6000);
const seed = Number(process.env.SEED ?? Date.now() % 2 ** 31);

// mulberry32
let state = seed;
const random = () => {
  state = (state + 0x6d2b79f5) | 0;
  let x = Math.imul(state ^ (state >>> 15), 1 | state);
  x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
  return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
};
const below = (n) => Math.floor(random() * n);
const pick = (list) => list[below(list.length)];
const chance = (p) => random() < p;

const placeholder = () => `{"_placeholder":true,"num":${pick(["0", "0", "0", "1", "2", "-1", "0.5", '"splice"', "1e0", "null", "00"])}}`;
const string = () => pick(['"a"', '"message"', '""', '"é😀"', '"\\u0041"', '"\\ud800"', '"__proto__"', '"connect"', '"disconnect"', '"error"', '"\\n"', `"${"x".repeat(below(140))}"`]);
const number = () => pick(["0", "1", "-0", "1.5", "1e3", "9007199254740993", "01", "1.", "-", "1e999"]);
const value = (depth = 0) => {
  switch (depth > 3 ? below(4) : below(8)) {
    case 0: return string();
    case 1: return number();
    case 2: return pick(["true", "false", "null", "NaN", "nul"]);
    case 3: return chance(0.5) ? placeholder() : string();
    case 4: return `[${Array.from({ length: below(4) }, () => value(depth + 1)).join(",")}]`;
    case 5: return `{${Array.from({ length: below(3) }, () => `${pick(['"a"', '"b"', '"num"', '"_placeholder"', '"__proto__"', '"toString"'])}:${value(depth + 1)}`).join(",")}}`;
    case 6: return pick(["[]", "{}", "[ ]", "[1,]", "{a:1}", "'a'"]);
    default: return "[".repeat(below(70)) + "]".repeat(below(70));
  }
};
const args = () => `[${[chance(0.9) ? string() : value(), ...Array.from({ length: chance(0.02) ? 300 : below(4) }, () => value())].join(",")}]`;
const namespace = () => pick(["", "", "", "/,", "/a,", "/a", "/a?b=c,", "//,", `/${"n".repeat(below(200))},`]);
const id = () => pick(["", "", "", "0", "1", "7", "007", "9007199254740991", "9007199254740992", "99999999999999999", " ", "1e3", "+1", "１", "\t"]);
const auth = () => pick(["", "", "{}", '{"token":"123"}', '{"a":1,"a":2}', "[]", '"x"', "null", " {}", "{}{}", `{"a":"${"x".repeat(below(9000))}"}`]);

const spoiled = (text) => {
  for (let n = below(3) + 1; n > 0; n--) {
    const at = below(text.length + 1);
    const piece = pick(["0", "2", "9", "-", "/", ",", '"', "[", "]", "{", "}", "\\", " ", "\n", "\u00a0", "\ufeff", "x", ":", "1", "e", "\u0000"]);
    text = text.slice(0, at) + (chance(0.6) ? piece : "") + text.slice(at + below(3));
  }
  return Buffer.from(text).toString(); // half a surrogate pair cannot be sent
};

const packet = () => {
  switch (below(8)) {
    case 0: return "0" + namespace() + auth();
    case 1: return "1" + namespace() + pick(["", "", "", "{}", "[]", "1"]);
    case 2: case 3: return "2" + namespace() + id() + pick([args, args, args, value])();
    case 4: return "3" + namespace() + id() + pick([args, value, () => ""])();
    case 5: return "5" + pick(["0-", "1-", "1-", "1-", "2-", "11-", "", "1", "a-", "1.5-", "-", " 1-", "1e0-", "01-"]) + namespace() + id() + args();
    case 6: return "6" + pick(["0-", "1-", "1-", "2-", "1"]) + namespace() + id() + args();
    default: return pick(["4", "4{}", "7", "8", "a", "", "-1", '4"x"']);
  }
};

const connection = () =>
  Array.from({ length: 1 + below(3) }, () => {
    if (chance(0.3)) {
      return { binary: Buffer.from([below(256)]).toString("base64") };
    }
    const text = packet();
    return { text: chance(0.3) ? spoiled(text) : text };
  });

const enginePacket = () => {
  const text = pick(["0{}", "1", "2", "2probe", "3", "4", "4hello", "4é", "5", "6", "7", "a", "", "b", "bAQIDBA==", "bAQI", "b###", "b_-8=", "bAQ==AQID", "bAQID\n", "bAQIDBB=="]);
  return chance(0.2) ? spoiled(text) : text;
};

// The reference's view, in the form of test/decoder.
const engineView = (p) =>
  p.type === "error" ? undefined
  : Buffer.isBuffer(p.data) ? { type: "4", text: "", binary: p.data.length ? p.data.toString("base64") : undefined }
  : { type: String(["open", "close", "ping", "pong", "message", "upgrade", "noop"].indexOf(p.type)), text: p.data ?? "", binary: undefined };

const referenceEngine = (packets) => {
  const seen = [];
  for (const p of packets) {
    const view = engineView(p);
    if (!view) {
      return { packets: seen, fault: "parser error" };
    }
    seen.push(view);
  }
  return { packets: seen };
};

const referenceSocket = (messages) => {
  const decoder = new Decoder();
  const packets = [];
  let buffers = [];
  decoder.on("decoded", (p) => {
    packets.push({ type: p.type > 4 ? p.type - 3 : p.type, nsp: p.nsp, id: p.id, data: withPlaceholders(p.data, buffers), attachments: buffers.length });
    buffers = [];
  });
  for (const m of messages) {
    try {
      if (m.text === undefined) {
        const buffer = Buffer.from(m.binary, "base64");
        buffers.push(buffer);
        decoder.add(buffer);
      } else {
        decoder.add(m.text);
      }
    } catch (e) {
      return { packets, fault: e.message, at: m };
    }
  }
  return { packets };
};

const withPlaceholders = (data, buffers) => {
  if (Buffer.isBuffer(data)) {
    return { _placeholder: true, num: buffers.indexOf(data) };
  }
  if (Array.isArray(data)) {
    return data.map((v) => withPlaceholders(v, buffers));
  }
  if (data && typeof data === "object") {
    return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, withPlaceholders(v, buffers)]));
  }
  return data;
};

const ourSocket = (p) => ({ type: p.type, nsp: p.nsp, id: p.id, data: p.type === 2 ? [p.name, ...p.data] : p.data, attachments: p.attachments?.length ?? 0 });

// A name is text: half a surrogate pair, which is none, becomes U+FFFD.
const named = (p) => (p.type === 2 && typeof p.data?.[0] === "string" ? { ...p, data: [Buffer.from(p.data[0]).toString(), ...p.data.slice(1)] } : p);

// What our decoder refuses and the reference accepts, by the reason that ours gives: each has a line
// in docs/differences.md. p is what the reference made of the text.
const stricter = {
  "ack id out of range": () => true,
  "nested too deeply": () => true,
  "too many arguments": () => true,
  "event name too long": () => true,
  "namespace too long": () => true,
  "auth payload too large": () => true,
  "duplicate key": () => true,
  "connect error from a client": () => true,
  "empty packet": () => true, // a CONNECT to JavaScript, as is white space
  "unknown packet type NaN": (text) => /^\s/.test(text),
  "illegal attachments": (text, p) => p.attachments > 0, // unused, named as a key, or by no integer
  "Illegal attachments": (text) => !/^[56]\d+-/.test(text), // 5-, 51e0-, 5 1-: numbers to JavaScript
  "invalid payload": (text, p) =>
    p.data === undefined || // an event or an answer without anything
    p.id !== undefined && (p.type < 2 || !text.includes(p.id) || /^\d(?:\d+-)?(?:\/[^,]*,)?\d*\s/.test(text)), // an id where none can be, or of white space
};

const explained = (fault, text) => {
  try {
    return stricter[fault]?.(text, new Decoder().decodeString(text)) ?? false;
  } catch {
    return false;
  }
};

let directory;
test.before(() => {
  directory = mkdtempSync(join(tmpdir(), "sio-edge-decoder-"));
  execFileSync("go", ["build", "-o", join(directory, "decoder"), "../decoder"], { stdio: "inherit" });
});
test.after(() => rmSync(directory, { recursive: true, force: true }));

const decode = (inputs) => {
  const ran = spawnSync(join(directory, "decoder"), { input: inputs.map((i) => JSON.stringify(i)).join("\n") + "\n", maxBuffer: 1 << 30 });
  assert.equal(ran.status, 0, String(ran.stderr));
  const lines = String(ran.stdout).trimEnd().split("\n").map((l) => JSON.parse(l));
  assert.equal(lines.length, inputs.length);
  return lines;
};

test(`Engine.IO packets and payloads, seed ${seed}`, () => {
  const inputs = Array.from({ length: count / 2 }, () =>
    chance(0.5) ? { packet: enginePacket() } : { payload: Array.from({ length: 1 + below(4) }, enginePacket).join("\x1e") });
  const strict = (text) => text.split("\x1e").some((p) => p.startsWith("b") && Buffer.from(p.slice(1), "base64").toString("base64") !== p.slice(1));
  let same = 0;
  for (const [i, ours] of decode(inputs).entries()) {
    const text = inputs[i].packet ?? inputs[i].payload;
    const theirs = referenceEngine(inputs[i].packet === undefined ? decodePayload(text) : [decodePacket(text)]);
    const view = ours.packets.map((p) => ({ ...p, binary: p.binary }));
    if (!ours.fault && !theirs.fault) {
      assert.deepEqual(view, theirs.packets, JSON.stringify(inputs[i]));
      same++;
    } else if (!theirs.fault) {
      assert.ok(ours.fault === "invalid base64" && strict(text) || ours.fault === "separator in a packet" && inputs[i].packet?.includes("\x1e"),
        `${JSON.stringify(inputs[i])}: ours ${ours.fault}, theirs none`);
    } else {
      assert.ok(ours.fault, `${JSON.stringify(inputs[i])}: theirs ${theirs.fault}, ours none`);
    }
  }
  assert.ok(same > count / 20, `only ${same} were accepted by both`);
});

test(`Socket.IO packets, seed ${seed}`, () => {
  const inputs = Array.from({ length: count }, () => ({ messages: connection() }));
  let same = 0;
  const reasons = {};
  for (const [i, ours] of decode(inputs).entries()) {
    const theirs = referenceSocket(inputs[i].messages);
    const input = JSON.stringify(inputs[i].messages);
    const view = ours.packets.map(ourSocket);
    const shared = Math.min(view.length, theirs.packets.length);
    // An answer without an id is ignored, and so are its attachments.
    const relevant = (p) => (p.type === 3 && p.id === undefined ? { ...p, data: undefined, attachments: 0 } : p);
    const stuck = inputs[i].messages.some((m) => /^[56]0+-/.test(m.text ?? "")); // the reference awaits attachments that nobody announced
    for (let n = 0; n < shared; n++) {
      assert.deepEqual(relevant(view[n]), relevant(named(theirs.packets[n])), input);
      same++;
    }
    if (view.length < theirs.packets.length || ours.fault && !theirs.fault) {
      const text = inputs[i].messages[ours.at].text ?? "";
      assert.ok(explained(ours.fault, text), `${input}: ours ${ours.fault}, theirs ${theirs.fault}`);
      reasons[ours.fault] = (reasons[ours.fault] ?? 0) + 1;
    } else if (view.length > theirs.packets.length || theirs.fault && !ours.fault) {
      assert.ok(stuck, `${input}: theirs ${theirs.fault}, ours ${ours.fault}`);
    }
  }
  assert.ok(same > count / 10, `only ${same} packets were accepted by both`);
  console.log(`# ${same} packets the same; stricter: ${JSON.stringify(reasons)}`);
});
