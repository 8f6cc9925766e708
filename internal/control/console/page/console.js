import { call, execute, scrape } from "./edge.js";
import { $, confirm, el, rows, spark } from "./draw.js";
import { Tail } from "./tail.js";
import { day, number, plural, rate, shortID, span, weight } from "./words.js";

const places = 120; // seconds that sparklines reach back

/** Numbers over time, by name. */
class History {
  #values = new Map();
  #totals = new Map();

  add(name, value) {
    const list = this.#values.get(name) ?? [];
    list.push(value);
    if (list.length > places) list.shift();
    this.#values.set(name, list);
  }

  /** Adds the rate of a total that only grows, but for restarts of the edge. */
  total(name, value, now) {
    const before = this.#totals.get(name);
    this.#totals.set(name, { value, now });
    if (before && value >= before.value && now > before.now) this.add(name, ((value - before.value) * 1000) / (now - before.now));
  }

  of(name) {
    return this.#values.get(name) ?? [];
  }

  last(name) {
    return this.of(name).at(-1) ?? 0;
  }
}

const history = new History();
const p99 = new Map(); // seconds, by group
let buckets = new Map(); // of the last scrape, by group

/** The metrics of one scrape. */
class Scrape {
  constructor(all) {
    this.all = all;
  }

  sum(name, labels = {}) {
    return this.all
      .filter((m) => m.name === name && Object.entries(labels).every(([k, v]) => m.labels[k] === v))
      .reduce((n, m) => n + m.value, 0);
  }

  max(name) {
    return Math.max(0, ...this.all.filter((m) => m.name === name).map((m) => m.value));
  }
}

/** The 99th percentile of what came between two looks at cumulative buckets. */
function quantile(before, after) {
  const gained = after.map(([bound, n], i) => [bound, n - (before?.[i]?.[1] ?? 0)]);
  const total = gained.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const found = gained.find(([, n]) => n >= total * 0.99);
  return found[0] === Infinity ? gained.at(-2)[0] : found[0];
}

function look(all) {
  const s = new Scrape(all);
  const now = performance.now();
  history.add("connections", s.sum("connections"));
  history.add("sessions", s.sum("sessions", { state: "open" }));
  history.add("suspended", s.sum("sessions", { state: "suspended" }));
  history.total("commits", s.sum("store_commits_total"), now);
  history.add("oldest", s.max("group_backlog_oldest_seconds"));
  history.add("paused", s.sum("connections_paused"));
  history.total("events", s.sum("events_total", { kind: "client_event" }), now);
  history.total("emits", s.sum("emits_total"), now);
  history.total("recipients", s.sum("emit_recipients_total"), now);
  history.total("handshakes", s.sum("handshakes_total"), now);
  history.total("refused", s.sum("refused_total"), now);
  history.add("slow", s.sum("connections_closed_total", { reason: "slow consumer" }));
  const seen = new Map();
  for (const m of all) {
    if (m.name === "group_deliveries_total") history.total(`deliveries of ${m.labels.group}`, m.value, now);
    if (m.name === "group_backlog_oldest_seconds") history.add(`lag of ${m.labels.group}`, m.value);
    if (m.name !== "group_event_seconds_bucket") continue;
    const list = seen.get(m.labels.group) ?? [];
    list.push([m.labels.le === "+Inf" ? Infinity : Number(m.labels.le), m.value]);
    seen.set(m.labels.group, list);
  }
  for (const [group, list] of seen) {
    list.sort(([a], [b]) => a - b);
    const q = quantile(buckets.get(group), list);
    if (q !== undefined) p99.set(group, q);
  }
  buckets = seen;
  tiles(s);
}

function tiles(s) {
  const tile = (title, name, value, note = "", level = "") =>
    el("div", { class: `tile ${level}` }, el("h3", {}, title), el("p", {}, value, el("small", {}, note && ` ${note}`)), spark(history.of(name), places));
  const oldest = history.last("oldest");
  const paused = history.last("paused");
  const full = s.sum("store_state", { state: "healthy" }) === 0 && s.max("epoch") > 0 && s.all.some((m) => m.name === "store_state");
  $("#tiles").replaceChildren(
    tile("Connections", "connections", number(history.last("connections")), `of ${number(s.sum("connections_limit"))}`),
    tile("Sessions", "sessions", number(history.last("sessions")), `+ ${number(history.last("suspended"))} away`),
    tile("Events/s", "events", rate(history.last("events"))),
    tile("Emits/s", "emits", rate(history.last("emits")), `to ${rate(history.last("recipients"))}`),
    tile("Oldest waiting event", "oldest", oldest > 0 ? span(oldest) : "–", "", oldest > 30 ? "bad" : oldest > 5 ? "warn" : ""),
    tile("Paused clients", "paused", number(paused), `${number(history.last("slow"))} closed as slow`, paused > 0 ? "warn" : ""),
    tile("Handshakes/s", "handshakes", rate(history.last("handshakes")), `${rate(history.last("refused"))} refused`),
    tile("Store", "commits", full ? "not written" : weight(s.sum("store_file_bytes")), `${rate(history.last("commits"))} commits/s`, full ? "bad" : ""),
  );
}

function drawGroups(groups) {
  rows(
    $("#groups"),
    groups.map((g) => {
      const members = g.members ?? [];
      const attached = members.filter((m) => m.attached).length;
      const backlog = Number(g.backlogEvents ?? 0);
      const inFlight = Number(g.inFlight ?? 0);
      const waiting = Math.max(backlog - inFlight, 0);
      const limit = g.spec?.maxBacklogEvents ?? 1;
      const dead = Number(g.deadLetters ?? 0);
      const paused = Number(g.pausedClients ?? 0);
      const lag = history.last(`lag of ${g.name}`);
      const names = members.map((m) => `${m.memberId} ${m.attached ? "" : "(expected back) "}${m.sdk ?? ""}: ${plural(m.sessions ?? 0, "session")}`).join("\n");
      return el(
        "tr",
        { title: names },
        el("td", {}, g.name),
        el("td", { class: attached === 0 ? "bad" : attached < members.length ? "warn" : "" }, `${attached}/${members.length}`),
        el("td", { class: "n" }, number(members.reduce((n, m) => n + Number(m.sessions ?? 0), 0))),
        el("td", { class: "n" }, rate(history.last(`deliveries of ${g.name}`))),
        el("td", {}, spark(history.of(`deliveries of ${g.name}`), places)),
        el("td", { class: "n" }, number(inFlight)),
        el("td", { class: waiting > limit * 0.8 ? "n bad" : "n" }, number(waiting)),
        el("td", { class: lag > 30 ? "bad" : lag > 5 ? "warn" : "" }, el("meter", { max: limit, high: limit * 0.5, value: backlog, title: `${number(backlog)} of ${number(limit)}` }), lag > 0 ? ` ${span(lag)}` : ""),
        el("td", { class: "n" }, p99.has(g.name) ? span(p99.get(g.name)) : "–"),
        el("td", { class: "n" }, number(g.redelivered ?? 0)),
        el("td", { class: dead ? "n warn" : "n" }, number(dead)),
        el("td", { class: paused ? "n warn" : "n" }, number(paused)),
      );
    }),
  );
}

// Sessions and rooms of the namespace that is looked at.

const filter = $("#filter");
const wanted = () => {
  const f = new FormData(filter);
  const list = (name) => (f.get(name)?.trim() ? [f.get(name).trim()] : undefined);
  return { namespace: f.get("namespace") || "/", rooms: list("room"), userIds: list("user"), sids: list("sid") };
};

function drawNamespaces(names) {
  const select = filter.elements.namespace;
  const now = select.value || "/";
  const all = [...new Set(["/", ...names.filter((n) => !n.includes("*"))])];
  if (all.join() === [...select.options].map((o) => o.value).join()) return;
  select.replaceChildren(...all.map((n) => el("option", { value: n }, n)));
  select.value = all.includes(now) ? now : "/";
}

async function drawSessions() {
  const target = wanted();
  const [{ open = 0, suspended = 0 }, { sessions = [] }, { rooms = [] }] = await Promise.all([
    call("SessionService/CountSessions", { filter: target }),
    call("SessionService/ListSessions", { filter: target, pageSize: 100 }),
    call("SessionService/ListRooms", { namespace: target.namespace, pageSize: 1000 }),
  ]);
  const all = Number(open) + Number(suspended);
  $("#sessions-count").textContent = `${number(open)} open, ${number(suspended)} away${all > sessions.length ? `, the first ${sessions.length} shown` : ""}`;
  rows(
    $("#sessions"),
    sessions.map((k) => {
      const kick = el("button", { type: "button", class: "plain", "data-sid": k.sid }, "Disconnect");
      return el(
        "tr",
        { "data-sid": k.sid, tabindex: 0, class: k.sid === session.sid ? "picked" : undefined },
        el("td", { class: "id", title: k.sid }, shortID(k.sid)),
        el("td", {}, k.userId ?? ""),
        el("td", {}, k.state === "SESSION_STATE_OPEN" ? "open" : "away"),
        el("td", {}, k.transport ?? ""),
        el("td", {}, day(new Date(k.openedAt))),
        el("td", {}, k.handshake?.remoteAddr ?? ""),
        el("td", { class: "rooms" }, (k.rooms ?? []).slice(0, 8).join(" "), (k.rooms ?? []).length > 8 ? " …" : ""),
        el("td", { class: "n" }, kick),
      );
    }),
  );
  rooms.sort((a, b) => Number(b.sessions) - Number(a.sessions));
  rows(
    $("#rooms"),
    rooms.slice(0, 100).map((r) => el("tr", { "data-room": r.name }, el("td", { class: "rooms" }, r.name), el("td", { class: "n" }, number(r.sessions)))),
  );
}

// One session.

const session = { sid: undefined, namespace: undefined, tail: new Tail($("#timeline")) };

function pick(sid) {
  if (session.sid === sid) return;
  session.sid = sid;
  session.namespace = wanted().namespace;
  session.tail.clear();
  if (sid) session.tail.start({ sid, namespace: session.namespace });
  else session.tail.stop();
  $("#session").hidden = !sid;
  $("#session-sid").textContent = sid ?? "";
  $("#facts").replaceChildren();
  refresh();
}

async function drawSession() {
  if (!session.sid) return;
  // As a list: one that has ended is an empty list, not an error.
  const { sessions = [] } = await call("SessionService/ListSessions", { filter: { sids: [session.sid], namespace: session.namespace } });
  const k = sessions[0];
  if (!k) {
    $("#facts").replaceChildren(el("dt", {}, "state"), el("dd", {}, "ended"));
    return;
  }
  const facts = {
    namespace: k.namespace,
    user: k.userId,
    state: k.state === "SESSION_STATE_OPEN" ? (k.recovered ? "open, was resumed" : "open") : "away",
    since: day(new Date(k.openedAt)),
    transport: k.transport,
    address: k.handshake?.remoteAddr,
    "user agent": k.handshake?.headers?.["user-agent"],
    rooms: (k.rooms ?? []).join(" "),
    ...k.attributes,
  };
  $("#facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => (value ? [el("dt", {}, name), el("dd", {}, value)] : [])),
  );
}

async function disconnect(sid, namespace, closeConnection) {
  const what = closeConnection ? "Close the connection of" : "Disconnect";
  if (!(await confirm(`${what} ${shortID(sid)}? It cannot be resumed, and its client does not come back by itself.`))) return;
  await execute({ disconnect: { target: { sids: [sid], namespace }, closeConnection } });
  refresh();
}

$("#sessions").addEventListener("click", (event) => {
  const { sid } = event.target.closest("[data-sid]")?.dataset ?? {};
  if (!sid) return;
  if (event.target.tagName === "BUTTON") disconnect(sid, wanted().namespace, false).catch(trouble);
  else pick(sid);
});
$("#sessions").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.dataset.sid && event.target.tagName === "TR") pick(event.target.dataset.sid);
});
$("#rooms").addEventListener("click", (event) => {
  const { room } = event.target.closest("[data-room]")?.dataset ?? {};
  if (room === undefined) return;
  filter.elements.room.value = room;
  refresh();
});
filter.addEventListener("input", () => refresh());
filter.addEventListener("submit", (event) => event.preventDefault());
$("#session").addEventListener("click", (event) => {
  const what = event.target.dataset.do;
  if (what === "hide") pick(undefined);
  else if (what) disconnect(session.sid, session.namespace, what === "close").catch(trouble);
});

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

// The clockwork: figures every second, lists every second at most, and more rarely where there is much.

function trouble(error) {
  $("#state").className = "bad";
  $("#state").textContent = error instanceof TypeError ? "the edge does not answer" : error.message;
}

let started;
function drawEdge(edge) {
  $("#version").textContent = edge.version;
  started = new Date(edge.startedAt);
  $("#edge").textContent = `${edge.edgeId}, start ${edge.epoch}, up ${span((Date.now() - started) / 1000)}`;
  const draining = edge.state === "EDGE_STATE_DRAINING";
  $("#state").className = draining ? "bad" : "good";
  $("#state").textContent = draining ? "draining" : "ready";
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
    if (figures) look(await scrape());
    const { edge } = await call("AdminService/GetEdge");
    drawEdge(edge);
    const many = Number(edge.openSessions ?? 0) + Number(edge.suspendedSessions ?? 0) > 20_000;
    if (!many || again || rounds++ % 10 === 0) {
      drawGroups((await call("AdminService/ListGroups")).groups ?? []);
      await drawSessions();
    }
    await drawSession();
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

refresh(true);
setInterval(() => document.hidden || refresh(true), 1000);
