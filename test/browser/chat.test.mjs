// Two tabs of the chat page in a real browser, with the edge and the backend killed under them.
//
// Needs npm ci here and in ../e2e, and Chromium at CHROMIUM or /usr/bin/chromium.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { chromium } from "playwright-core";
import { Server } from "../e2e/harness.mjs";

const chat = join(import.meta.dirname, "../../examples/chat");
const profile = mkdtempSync(join(tmpdir(), "sio-edge-browser-"));
const flags =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

let server, browser, ada, ken;
const complaints = []; // of the pages themselves

before(async () => {
  if (!existsSync(join(chat, "public/socket.io.min.js"))) {
    const { status, stderr } = spawnSync("sh", [join(chat, "setup.sh")], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  }
  server = await Server.start({
    recoveryWindow: 60_000,
    backend: "../../examples/chat",
    flags: { "static-dir": join(chat, "public") },
    auth: { name: "first" },
    question: "people",
  });
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: flags.split(" "),
  });
  browser.setDefaultTimeout(30_000);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(profile, { recursive: true, force: true });
});

afterEach(() => assert.deepEqual(complaints.splice(0), []));

/** A tab with the page in it, and its person in the chat. */
async function enter(name) {
  const tab = await browser.newPage();
  tab.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
  await tab.goto(server.url);
  await tab.fill("#name", name);
  await tab.click("#welcome button");
  await tab.locator("#status", { hasText: `here as ${name}` }).waitFor();
  return tab;
}

const person = (tab, name) => tab.locator("#people button", { hasText: name });
const messages = (tab, text) => tab.locator("#log li.message", { hasText: text });

async function say(tab, text) {
  await tab.fill("#text", text);
  await tab.press("#text", "Enter");
}

/** Waits for a message and fails if it is shown twice. */
async function reads(tab, text) {
  await messages(tab, text).first().waitFor();
  assert.equal(await messages(tab, text).count(), 1, `${text} is shown once`);
}

test("D01 N01 two tabs see each other and talk", async () => {
  ada = await enter("Ada");
  ken = await enter("Ken");
  await person(ada, "Ken").waitFor();
  await person(ken, "Ada").waitFor();
  await say(ada, "hello from Ada");
  await reads(ken, "hello from Ada");
  await say(ken, "hello from Ken, äöü 😀");
  await reads(ada, "hello from Ken, äöü 😀");
  await reads(ada, "hello from Ada"); // her own
});

test("U01 the tabs use a WebSocket", async () => {
  for (const tab of [ada, ken]) await tab.waitForFunction(() => socket.io.engine.transport.name === "websocket");
});

test("F02 typing is seen", async () => {
  // It is volatile: one key may go unseen, somebody who goes on typing does not.
  const seen = ken.locator("#typing", { hasText: "Ada is typing" }).waitFor();
  let typing = true;
  seen.then(() => (typing = false), () => (typing = false));
  while (typing) await ada.locator("#text").pressSequentially("x", { delay: 200 });
  await seen;
  await ada.fill("#text", "");
});

test("R04 a private message reaches one person", async () => {
  const grace = await enter("Grace");
  await person(ada, "Ken").click();
  await say(ada, "only for Ken");
  await reads(ken, "only for Ken");
  assert.match(await messages(ken, "only for Ken").innerText(), /only you two/);
  await ada.click("#target button");
  await say(ada, "for everyone");
  await reads(grace, "for everyone"); // and so the private one would have come before
  assert.equal(await messages(grace, "only for Ken").count(), 0);
  await grace.close();
  await person(ken, "Grace").waitFor({ state: "detached" });
});

test("D05 a picture travels as binary", async () => {
  await ada.setInputFiles("#file", { name: "picture.png", mimeType: "image/png", buffer: png(40, 30) });
  await ada.locator("#picture img").waitFor();
  await say(ada, "a picture");
  await reads(ken, "a picture");
  const image = messages(ken, "a picture").locator("img");
  await image.waitFor();
  await ken.waitForFunction((img) => img.complete && img.naturalWidth > 0, await image.elementHandle());
  assert.deepEqual(await image.evaluate((img) => [img.naturalWidth, img.naturalHeight]), [40, 30]);
});

test("N20 L04 a tab that is reloaded is another guest with the same name", async () => {
  await ken.reload();
  await ken.locator("#status", { hasText: "here as Ken" }).waitFor();
  await person(ken, "Ada").waitFor();
  await ada.waitForFunction(() => [...document.querySelectorAll("#people button")].filter((b) => b.textContent === "Ken").length === 1);
  await say(ken, "after the reload");
  await reads(ada, "after the reload");
});

test("Y20 the edge is killed and comes back: nothing missed", async () => {
  await server.edge.stop("SIGKILL");
  for (const tab of [ada, ken]) await tab.locator("#status", { hasText: "away" }).waitFor();
  await say(ada, "said while the edge was away");
  await server.startEdge();
  for (const tab of [ada, ken]) await tab.locator("#log li.note", { hasText: "back, nothing missed" }).waitFor();
  await reads(ken, "said while the edge was away");
  await say(ken, "and afterwards");
  await reads(ada, "and afterwards");
});

test("Y21 the backend is killed and comes back: the tabs do not notice", async () => {
  await server.backend.stop("SIGKILL");
  await say(ada, "said while the backend was away");
  server.startBackend();
  await reads(ken, "said while the backend was away");
  for (const tab of [ada, ken]) assert.match(await tab.locator("#status").innerText(), /^here as/);
});

/** A picture with nothing in it. */
function png(width, height) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // eight bits of each of three colours
  const rows = Buffer.alloc(height * (1 + 3 * width), 0x66);
  for (let y = 0; y < height; y++) rows[y * (1 + 3 * width)] = 0; // no filter
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
