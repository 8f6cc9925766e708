// Every demo in both languages, started as people start it, with stock clients in the place of pages.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { io } from "socket.io-client";

const patience = { timeout: 30_000 };

/** A port that nobody listens on, of those that connections do not take by themselves. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port);
    const [outcome] = await Promise.race([once(server, "listening").then(() => ["free"]), once(server, "error")]);
    if (outcome !== "free") continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Starts a demo and opens clients that remember what they see. */
async function start(t, demo, language) {
  const [port, control] = [await freePort(), await freePort()];
  const [url, backends] = [`http://127.0.0.1:${port}`, `127.0.0.1:${control}`];
  const data = mkdtempSync(join(tmpdir(), "sio-edge-demo-"));
  const env = { ...process.env, PORT: port, DATA_DIR: data, SIO_EDGE: backends, SIO_EDGE_CONTROL_LISTEN: backends };
  const child = spawn(join(import.meta.dirname, "run.sh"), [demo, language], { env, stdio: ["ignore", "pipe", "inherit"] });
  const said = createInterface({ input: child.stdout });
  const ended = once(child, "exit");
  const sockets = [];
  t.after(async () => {
    sockets.forEach((socket) => socket.disconnect());
    child.kill();
    await ended;
    rmSync(data, { recursive: true });
  });
  for await (const line of said) if (line.startsWith("open")) break;
  child.stdout.resume();
  return {
    url,
    async open(auth) {
      const socket = io(url, { auth, transports: ["websocket"], forceNew: true });
      const seen = [];
      let wake = () => {};
      socket.onAny((event, ...args) => (seen.push([event, args[0]]), wake()));
      socket.outcome = await new Promise((resolve) => {
        socket.on("connect", () => resolve("in"));
        socket.on("connect_error", (error) => socket.active || resolve(error.message));
      });
      sockets.push(socket);
      socket.sees = async (event) => {
        for (;;) {
          const i = seen.findIndex(([name]) => name === event);
          if (i >= 0) return seen.splice(i, 1)[0][1];
          await new Promise((resolve) => (wake = resolve));
        }
      };
      return socket;
    },
  };
}

for (const language of ["typescript", "python"]) {
  test(`chat, ${language}`, patience, async (t) => {
    const demo = await start(t, "chat", language);
    const ann = await demo.open();
    assert.match(await (await fetch(demo.url)).text(), /<h1>Chat/);
    assert.equal((await fetch(`${demo.url}/socket.io.min.js`)).status, 200);
    ann.emit("add user", "Ann");
    assert.deepEqual(await ann.sees("login"), { numUsers: 1 });
    const bob = await demo.open();
    bob.emit("add user", "Bob");
    assert.deepEqual(await bob.sees("login"), { numUsers: 2 });
    assert.deepEqual(await ann.sees("user joined"), { username: "Bob", numUsers: 2 });
    bob.emit("typing");
    assert.deepEqual(await ann.sees("typing"), { username: "Bob" });
    bob.emit("new message", "hi");
    bob.emit("stop typing");
    assert.deepEqual(await ann.sees("new message"), { username: "Bob", message: "hi" });
    assert.deepEqual(await ann.sees("stop typing"), { username: "Bob" });
    bob.disconnect();
    assert.deepEqual(await ann.sees("user left"), { username: "Bob", numUsers: 1 });
  });

  test(`whiteboard, ${language}`, patience, async (t) => {
    const demo = await start(t, "whiteboard", language);
    const [ann, bob] = [await demo.open(), await demo.open()];
    const stroke = { x0: 0.1, y0: 0.2, x1: 0.3, y1: 0.4, color: "red" };
    ann.emit("drawing", stroke);
    assert.deepEqual(await bob.sees("drawing"), stroke);
  });

  test(`private-messaging, ${language}`, patience, async (t) => {
    const demo = await start(t, "private-messaging", language);
    assert.equal((await demo.open({})).outcome, "invalid username");
    const ann = await demo.open({ username: "Ann" });
    const annIs = await ann.sees("session");
    assert.deepEqual(await ann.sees("users"), [{ userID: annIs.userID, username: "Ann", connected: true, messages: [] }]);
    const bob = await demo.open({ username: "Bob" });
    const bobIs = await bob.sees("session");
    assert.equal((await bob.sees("users")).length, 2);
    assert.deepEqual(await ann.sees("user connected"), { userID: bobIs.userID, username: "Bob", connected: true, messages: [] });

    const tab = await demo.open({ sessionID: bobIs.sessionID });
    assert.deepEqual(await tab.sees("session"), bobIs);
    ann.emit("private message", { content: "hi", to: bobIs.userID });
    const message = { content: "hi", from: annIs.userID, to: bobIs.userID };
    assert.deepEqual(await bob.sees("private message"), message);
    assert.deepEqual(await tab.sees("private message"), message);

    tab.disconnect();
    bob.disconnect();
    assert.equal(await ann.sees("user disconnected"), bobIs.userID);
    const again = await demo.open({ sessionID: bobIs.sessionID });
    const list = await again.sees("users");
    assert.deepEqual(list.map(({ username, connected, messages }) => [username, connected, messages]), [
      ["Ann", true, [message]],
      ["Bob", true, []],
    ]);
  });
}
