// The clockwork: figures every second, lists every second at most, and more rarely where there is much.

import { call, scrape } from "./edge.js";
import { $, confirm } from "./draw.js";
import { look } from "./figures.js";
import { actOnGroups, drawGroups, drawLetters } from "./groups.js";
import { actOnSessions, drawNamespaces, drawRefused, drawSession, drawSessions, drawSlow, wanted } from "./sessions.js";
import { Tail } from "./tail.js";
import { plural, span } from "./words.js";

function trouble(error) {
  $("#state").className = "bad";
  $("#state").textContent = error instanceof TypeError ? "the edge does not answer" : error.message;
}

let edge;
function drawEdge(now) {
  edge = now;
  $("#version").textContent = edge.version;
  $("#edge").textContent = `${edge.edgeId}, start ${edge.epoch}, up ${span((Date.now() - new Date(edge.startedAt)) / 1000)}`;
  const draining = edge.state === "EDGE_STATE_DRAINING";
  $("#state").className = draining ? "bad" : "good";
  $("#state").textContent = draining ? "draining" : "ready";
  $("#drain").disabled = draining;
  drawNamespaces(edge.namespaces ?? []);
}

let busy = false;
let again = false;
let rounds = 0;
async function refresh(figures = false) {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const metrics = figures ? scrape() : undefined;
    drawEdge((await call("AdminService/GetEdge")).edge);
    if (metrics) look(await metrics);
    const many = Number(edge.openSessions ?? 0) + Number(edge.suspendedSessions ?? 0) > 20_000;
    const groups = async () => drawGroups((await call("AdminService/ListGroups")).groups ?? []);
    const lists = !many || again || rounds++ % 10 === 0 ? [groups(), drawSessions(), drawSlow()] : [];
    await Promise.all([...lists, drawRefused(), drawLetters(), drawSession()]);
  } catch (error) {
    trouble(error);
  } finally {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

actOnGroups(() => refresh(), trouble);
actOnSessions(() => refresh(), trouble);

async function drain() {
  const clients = plural(edge?.connections ?? 0, "client");
  if (!(await confirm(`End this edge? It takes nobody new and lets go of ${clients} one after the other. Their sessions are kept for its next start.`))) return;
  await call("AdminService/Drain");
  refresh();
}
$("#drain").addEventListener("click", () => drain().catch(trouble));

// The tail.

const states = { open: "follows", lost: "connection lost, trying again", refused: "refused: is the filter right?", stopped: "" };
const following = new Tail($("#tail"), (state) => {
  $("#tail-state").textContent = states[state];
});
$("#tail-filter").addEventListener("submit", (event) => {
  event.preventDefault();
  const button = $("button[type=submit]", event.target);
  if (following.running) {
    following.stop();
    button.textContent = "Start";
    return;
  }
  const f = Object.fromEntries(new FormData(event.target));
  if (f.room || f.user || f.sid || wanted().namespace !== "/") f.namespace = wanted().namespace;
  following.start(f);
  button.textContent = "Stop";
});
$("#tail-clear").addEventListener("click", () => following.clear());

refresh(true);
setInterval(() => document.hidden || refresh(true), 1000);
