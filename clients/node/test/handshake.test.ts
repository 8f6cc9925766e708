import assert from "node:assert/strict";
import { edgeTest } from "./edge";

const flags = ["--recovery-window", "0", "--data-dir", "", "--cors-origin", "http://localhost:54023", "--cors-credentials", "--cors-allowed-headers", "content-type"];

edgeTest(
  "CORS is a setting of the edge",
  async (world) => {
    const url = `${world.url}/socket.io/?EIO=4&transport=polling`;
    const origin = "http://localhost:54023";
    const preflight = await fetch(url, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers.get("access-control-allow-origin"), origin);
    assert.match(preflight.headers.get("access-control-allow-methods")!, /GET.*POST/);
    assert.equal(preflight.headers.get("access-control-allow-headers"), "content-type");
    assert.equal(preflight.headers.get("access-control-allow-credentials"), "true");
    const opened = await fetch(url, { headers: { origin } });
    assert.equal(opened.status, 200);
    assert.equal(opened.headers.get("access-control-allow-origin"), origin);
    assert.equal(opened.headers.get("access-control-allow-credentials"), "true");
    const stranger = await fetch(url, { headers: { origin: "http://foo.example" } });
    assert.equal(stranger.status, 403);
  },
  flags,
);
