// The console in a real browser, with clients and a backend whose doings are known.
//
// Needs npm ci here and in ../e2e, and Chromium at CHROMIUM or /usr/bin/chromium. With
// SCREENSHOT=file.png it writes a picture of the page under load.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { setInterval as every } from "node:timers/promises";
import { chromium } from "playwright-core";
import { Server, Sockets, ask, newest, next, until } from "../e2e/harness.mjs";

const profile = mkdtempSync(join(tmpdir(), "sio-edge-console-"));
const flags =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

let server, browser, page, home;
const complaints = [];
const strangers = []; // requests to anywhere but the ops listener

before(async () => {
  server = await Server.start({ recoveryWindow: 60_000 });
  home = `http://127.0.0.1:${server.ops}`;
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: flags.split(" "),
    viewport: { width: 1360, height: 1000 },
    colorScheme: "dark",
  });
  browser.setDefaultTimeout(20_000);
  page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => request.url().startsWith(home) || strangers.push(request.url()));
  await page.goto(home);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  rmSync(profile, { recursive: true, force: true });
});

afterEach(() => {
  assert.deepEqual(complaints.splice(0), []);
  assert.deepEqual(strangers.splice(0), []);
});

const sockets = (t) => new Sockets(t, server, newest);
const as = (User, ...Rooms) => ({ auth: { label: User, decide: { User, Rooms } } });
const tile = (name) => page.locator(".tile", { has: page.getByRole("heading", { name, exact: true }) }).locator("p");
const row = (text) => page.locator("#sessions tbody tr", { hasText: text });

test("it shows who is there", async (t) => {
  const all = sockets(t);
  await all.join("/", as("ann", "lobby", "staff"));
  await all.join("/", as("ben", "lobby"));
  await row("ann").getByText("lobby staff").waitFor();
  await row("ben").waitFor();
  await until(async () => (await tile("Sessions").textContent()).startsWith("2"), "the number of sessions");
  const group = page.locator("#groups tbody tr");
  await group.getByRole("cell", { name: "e2e" }).waitFor();
  await group.getByRole("cell", { name: "1/1" }).waitFor();
  await page.locator("#rooms tbody tr", { hasText: "lobby" }).getByText("2").waitFor();
  await page.getByRole("status").getByText("ready").waitFor();

  await page.locator("#filter [name=room]").fill("staff");
  await row("ben").waitFor({ state: "detached" });
  await row("ann").waitFor();
  await page.locator("#filter [name=room]").fill("");
  await row("ben").waitFor();
});

test("it follows one session and ends it", async (t) => {
  const all = sockets(t);
  const cat = await all.join("/", as("cat"));
  const dan = await all.join("/", as("dan"));
  await row("cat").click();
  const timeline = page.locator("#timeline li");
  await page.locator("#facts").getByText("cat", { exact: true }).first().waitFor();
  // The tail begins when the edge has seen the call: emit until it shows.
  await until(async () => {
    await ask(cat, "message-with-ack", "seen", 9007199254740991);
    await ask(dan, "message-with-ack", "unseen");
    return timeline.filter({ hasText: 'message-with-ack ["seen",9007199254740991] -> ["seen",9007199254740991]' }).count();
  }, "the event in the timeline");
  await timeline.filter({ hasText: /e2e\/e2e {2}[\d.]+(µs|ms)/ }).first().waitFor();
  assert.equal(await timeline.filter({ hasText: "unseen" }).count(), 0);

  const bye = next(cat, "disconnect");
  await page.getByRole("button", { name: "Disconnect", exact: true }).last().click();
  await page.getByRole("dialog").getByRole("button", { name: "No" }).click();
  await page.locator("#session [data-do=kick]").click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  assert.deepEqual((await bye)[0], "io server disconnect");
  await timeline.filter({ hasText: "closed: server namespace disconnect" }).waitFor();
  await row("cat").waitFor({ state: "detached" });
  assert.ok(dan.connected);
  await page.locator("#session [data-do=hide]").click();
  await page.locator("#session").waitFor({ state: "hidden" });

  const closed = new Promise((resolve) => dan.io.engine.once("close", resolve));
  await row("dan").click();
  await page.locator("#session [data-do=close]").click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  await closed;
  await page.locator("#session [data-do=hide]").click();
});

test("the tail shows what its filter asks for, as text", async (t) => {
  const all = sockets(t);
  const eve = await all.join("/", as("<b>eve</b>"));
  const line = page.locator("#tail li");
  await page.locator("#tail-filter [name=event]").fill("mess*e");
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator("#tail-state").getByText("follows").waitFor();
  const nasty = "<img src=x onerror=alert(1)></script>";
  eve.emit("message-with-ack", "other", () => {});
  eve.emit("message", nasty);
  await line.filter({ hasText: `message ["${nasty}"]` }).waitFor();
  assert.equal(await line.count(), 1);
  await row("<b>eve</b>").waitFor();
  assert.equal(await page.locator("main img, main b").count(), 0);
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Clear" }).click();
  assert.equal(await line.count(), 0);
  await page.locator("#tail-filter [name=event]").fill("");
});

test("it pauses a group and delivers its dead letters again", async (t) => {
  const all = sockets(t);
  const ida = await all.join("/", as("ida"));
  const group = page.locator("#groups tbody tr");
  await group.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Yes" }).click();
  await group.getByText("paused", { exact: true }).waitFor();
  let answered = false;
  const answer = ask(ida, "message-with-ack", "waits").then((a) => ((answered = true), a));
  await until(async () => (await group.locator("td").nth(6).textContent()) === "1", "the event in the backlog");
  assert.equal(answered, false);
  await group.getByRole("button", { name: "Resume" }).click();
  assert.deepEqual(await answer, ["waits"]);
  await group.getByText("paused", { exact: true }).waitFor({ state: "detached" });

  ida.emit("fail", 7);
  await group.locator("[data-do=letters]").click();
  const letters = page.locator("#letters");
  const letter = letters.locator("tbody tr", { hasText: "fail [7]" });
  await letter.waitFor();
  const attempts = async () => Number(await letter.locator("td").nth(3).textContent());
  const before = await attempts();
  await letters.getByRole("button", { name: "Deliver all again" }).click();
  await until(async () => (await letter.count()) && (await attempts()) > before, "the letter, after it failed again");
  await letters.getByRole("button", { name: "Discard all" }).click();
  await page.locator("#confirm").getByRole("button", { name: "Yes" }).click();
  await letter.waitFor({ state: "detached" });
  await letters.getByRole("button", { name: "Close" }).click();
  await group.locator("[data-do=letters]").waitFor({ state: "detached" });
});

test("it shows who is slow and what was turned away", async (t) => {
  const all = sockets(t);
  const jim = await all.join("/", as("jim", "crowd"));
  const kim = await all.join("/", as("kim", "crowd"));
  await fetch(`http://127.0.0.1:${server.port}/socket.io/?EIO=3&transport=polling`);
  await page.locator("#refused tbody tr", { hasText: "http: version" }).waitFor();

  jim.io.engine.transport.ws._socket.pause(); // nothing is read: the kernel's buffers fill, then the queue
  const big = "x".repeat(200_000);
  await until(async () => {
    await ask(kim, "cmd", { op: "emit", to: { rooms: ["crowd"] }, event: "big", args: [big] });
    const { clients } = await (
      await fetch(`${home}/sioedge.v1.AdminService/ListSlowClients`, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" })
    ).json();
    return clients?.some((c) => c.sessions?.some((k) => k.userId === "jim"));
  }, "something that waits for the client");
  await page.locator("#slow tbody tr", { hasText: "jim" }).click();
  await page.locator("#facts").getByText("jim", { exact: true }).first().waitFor();
  await page.locator("#session [data-do=hide]").click();
  jim.io.engine.transport.ws._socket.resume();
});

if (process.env.SCREENSHOT) test("under load", async (t) => {
  const all = sockets(t);
  await page.reload();
  const people = ["ann", "ben", "cat", "dan", "eve", "fay", "gus", "hal"];
  const clients = await Promise.all(people.map((name, i) => all.join("/", { ...as(name, "lobby", i % 2 ? "order-17" : "staff"), reconnection: true, reconnectionDelay: 500 })));
  await page.getByRole("button", { name: "Start" }).click();
  await row("ann").click();
  clients[3].emit("fail", { order: 17 });
  const strangers = { "?EIO=3&transport=polling": {}, "?EIO=4&transport=polling": { origin: "https://elsewhere.example" }, "?EIO=4&transport=polling&sid=nobody": {} };
  for (const [query, headers] of Object.entries(strangers)) await fetch(`http://127.0.0.1:${server.port}/socket.io/${query}`, { headers });
  let n = 0;
  for await (const _ of every(40)) {
    const busy = 2 + Math.round(3 + 3 * Math.sin(n / 60));
    for (let i = 0; i < busy; i++) {
      const client = clients[(n + i) % clients.length];
      if (i % 3) client.emit("message", "hello", n);
      else client.emit("message-with-ack", { order: n }, () => {});
    }
    if (n === 25 * 70) clients[0].io.engine.transport.ws._socket.destroy(); // and is back at once
    if (++n > 25 * 118) break;
  }
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  await page.locator("#session [data-do=hide]").click();
  await page.getByRole("button", { name: "Stop" }).click();
});

test("it drains the edge, says so when it has gone, and when it is back", async () => {
  await page.getByRole("button", { name: "Drain" }).click();
  await page.locator("#confirm").getByRole("button", { name: "Yes" }).click();
  server.edge.stopped = true; // and that is as it should be
  await server.edge.ended;
  assert.equal(server.edge.child.exitCode, 0);
  await page.getByRole("status").getByText("the edge does not answer").waitFor();
  complaints.length = 0; // the browser tells of failed requests
  await server.startEdge();
  await page.getByRole("status").getByText("ready").waitFor();
  complaints.length = 0;
});
