import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { next, World } from "./edge";
import { Server, type ServerOptions } from "../src/index";

const binary = process.env["SIO_EDGE_BIN"];

// Certificates and a token are made by the edge's own commands, as its documentation says.
function secured(): { dir: string; at: (name: string) => string; flags: string[]; tls: (caller?: string) => ServerOptions["tls"] } {
  const dir = mkdtempSync(join(tmpdir(), "sio-edge-node-"));
  const at = (name: string): string => join(dir, name);
  execFileSync(binary!, ["certs", "--dir", dir, "chat", "stranger"]);
  const hash = execFileSync(binary!, ["token", at("cron.token")], { encoding: "utf8" }).trim();
  writeFileSync(at("access.yaml"), `callers: {chat: {certificates: [chat], roles: ["backend:/"]}, cron: {tokens: ["${hash}"], roles: ["backend:/"], groups: [g]}}`, { mode: 0o600 });
  const flags = ["--control-tls-cert-file", at("edge.crt"), "--control-tls-key-file", at("edge.key"), "--control-client-ca-file", at("ca.crt")];
  const tls = (caller?: string) => () => ({
    ca: readFileSync(at("ca.crt")),
    ...(caller && { cert: readFileSync(at(`${caller}.crt`)), key: readFileSync(at(`${caller}.key`)) }),
  });
  return { dir, at, flags: [...flags, "--access-file", at("access.yaml"), "--data-dir", ""], tls };
}

const skip = binary === undefined ? "SIO_EDGE_BIN is not set" : false;

test("a secured edge knows this process by its certificate or its token", { skip, timeout: 30_000 }, async () => {
  const edge = secured();
  const world = await new World(edge.flags).start();
  const away = async (options: Partial<ServerOptions>): Promise<string> => {
    const io = new Server(world.backends, { group: "g", ...options });
    for await (const { state, error } of io.status) {
      if (state === "attached") return io.close().then(() => "attached");
      if (state === "away") return io.close().then(() => error!.message);
    }
    throw new Error("closed");
  };
  try {
    const io = world.server({ tls: edge.tls("chat") });
    io.on("connection", (socket) => socket.on("hello", (ack) => ack("hi")));
    const client = world.client();
    await next(client, "connect");
    assert.equal(await client.timeout(5000).emitWithAck("hello"), "hi");
    assert.equal((await io.fetchSockets()).length, 1);

    const token = () => readFileSync(edge.at("cron.token"), "utf8").trim();
    assert.equal(await away({ tls: edge.tls(), token }), "attached");
    assert.match(await away({ tls: edge.tls(), token, group: "other" }), /caller cron may not attach to group "other"/);
    assert.match(await away({ tls: edge.tls() }), /no certificate and no token/);
    assert.match(await away({ tls: edge.tls(), token: "guess" }), /no certificate and no token/);
    assert.match(await away({ tls: edge.tls("stranger") }), /no certificate and no token/);
    assert.match(await away({ tls: {} }), /certificate/);
    assert.match(await away({ tls: edge.tls("gone") }), /gone\.crt/);
  } finally {
    await world.end();
    rmSync(edge.dir, { recursive: true, force: true });
  }
});

test("a token is not sent where everybody can read it", () => {
  assert.throws(() => new Server("192.0.2.1:7070", { token: "t" }), /over TLS only/);
  assert.throws(() => new Server("http://edge.example", { token: "t" }), /over TLS only/);
});
