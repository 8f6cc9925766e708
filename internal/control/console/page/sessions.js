// Who is there: sessions, rooms, slow clients, what was turned away, and one session in all detail.

import { call, execute } from "./edge.js";
import { $, confirm, el, rows } from "./draw.js";
import { Strip } from "./strip.js";
import { Tail } from "./tail.js";
import { day, number, plural, shortID, weight } from "./words.js";

const filter = $("#filter");

/** The sessions that are looked at, in the words of the contract. */
export const wanted = () => {
  const f = new FormData(filter);
  const list = (name) => (f.get(name)?.trim() ? [f.get(name).trim()] : undefined);
  return { namespace: f.get("namespace") || "/", rooms: list("room"), userIds: list("user"), sids: list("sid") };
};

export function drawNamespaces(names) {
  const select = filter.elements.namespace;
  const now = select.value || "/";
  const all = [...new Set(["/", ...names.filter((n) => !n.includes("*"))])];
  if (all.join() === [...select.options].map((o) => o.value).join()) return;
  select.replaceChildren(...all.map((n) => el("option", { value: n }, n)));
  select.value = all.includes(now) ? now : "/";
}

export async function drawSessions() {
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
      const away = k.state !== "SESSION_STATE_OPEN";
      return el(
        "tr",
        { "data-sid": k.sid, tabindex: 0, class: k.sid === session.sid ? "picked" : undefined },
        el("td", { class: "id", title: k.sid }, shortID(k.sid)),
        el("td", {}, k.userId ?? ""),
        el("td", {}, el("span", { class: away ? "dot warn" : "dot" }), away ? "away" : "open"),
        el("td", {}, k.transport ?? ""),
        el("td", {}, day(new Date(k.openedAt))),
        el("td", {}, k.handshake?.remoteAddr ?? ""),
        el("td", { class: "rooms" }, ...(k.rooms ?? []).slice(0, 8).flatMap((r) => [el("span", { class: "room" }, r), " "]), (k.rooms ?? []).length > 8 ? "…" : ""),
        el("td", { class: "n" }, el("button", { type: "button", class: "plain", "data-sid": k.sid }, "Disconnect")),
      );
    }),
  );
  rooms.sort((a, b) => Number(b.sessions) - Number(a.sessions));
  const most = Number(rooms[0]?.sessions ?? 1);
  rows(
    $("#rooms"),
    rooms.slice(0, 12).map((r) =>
      el("tr", { "data-room": r.name }, el("td", { class: "rooms" }, r.name), el("td", { class: "n" }, el("meter", { max: most, value: r.sessions }), ` ${number(r.sessions)}`)),
    ),
  );
}

export async function drawSlow() {
  const { clients = [], maxQueuedBytes = 1 } = await call("AdminService/ListSlowClients", { limit: 8 });
  $("#slow-limit").textContent = clients.length ? `closed at ${weight(Number(maxQueuedBytes))}` : "";
  rows(
    $("#slow"),
    clients.map((c) => {
      const k = c.sessions?.[0];
      const bytes = Number(c.queuedBytes ?? 0);
      return el(
        "tr",
        { "data-sid": k?.sid, "data-namespace": k?.namespace, tabindex: k ? 0 : undefined, title: c.remoteAddr },
        el("td", {}, k?.userId ?? (k ? shortID(k.sid) : c.remoteAddr), c.paused ? el("span", { class: "mark" }, "held") : ""),
        el("td", {}, el("meter", { max: maxQueuedBytes, high: Number(maxQueuedBytes) / 2, value: bytes, title: plural(c.queuedPackets ?? 0, "packet") })),
        el("td", { class: "n" }, weight(bytes)),
      );
    }),
  );
}

export async function drawRefused() {
  const { refusals = [] } = await call("AdminService/ListRefusals");
  refusals.sort((a, b) => new Date(b.lastAt) - new Date(a.lastAt));
  rows(
    $("#refused"),
    refusals.slice(0, 8).map((r) =>
      el("tr", { title: r.meaning }, el("td", { class: "rooms" }, `${r.layer}: ${r.reason}`), el("td", { class: "n" }, number(r.count)), el("td", { class: "n" }, day(new Date(r.lastAt)))),
    ),
  );
}

// One session.

const strip = new Strip($("#strip"));
const session = { sid: undefined, namespace: undefined, tail: new Tail($("#timeline"), () => {}, (entry) => strip.add(entry)) };

function pick(sid, namespace, refresh) {
  if (session.sid === sid) return;
  session.sid = sid;
  session.namespace = namespace;
  session.tail.clear();
  strip.clear();
  if (sid) session.tail.start({ sid, namespace });
  else session.tail.stop();
  $("#session").hidden = !sid;
  $("#session-sid").textContent = sid ?? "";
  $("#facts").replaceChildren();
  refresh();
}

export async function drawSession() {
  if (!session.sid) return;
  strip.draw();
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

async function disconnect(sid, namespace, closeConnection, refresh) {
  const what = closeConnection ? "Close the connection of" : "Disconnect";
  if (!(await confirm(`${what} ${shortID(sid)}? It cannot be resumed, and its client does not come back by itself.`))) return;
  await execute({ disconnect: { target: { sids: [sid], namespace }, closeConnection } });
  refresh();
}

/** Lets people pick and act; trouble is told what went wrong, refresh is called when something changed. */
export function actOnSessions(refresh, trouble) {
  const picking = (table) => {
    const from = (event) => event.target.closest("[data-sid]")?.dataset ?? {};
    table.addEventListener("click", (event) => {
      const { sid, namespace = wanted().namespace } = from(event);
      if (!sid) return;
      if (event.target.tagName === "BUTTON") disconnect(sid, namespace, false, refresh).catch(trouble);
      else pick(sid, namespace, refresh);
    });
    table.addEventListener("keydown", (event) => {
      const { sid, namespace = wanted().namespace } = event.target.dataset;
      if (event.key === "Enter" && sid && event.target.tagName === "TR") pick(sid, namespace, refresh);
    });
  };
  picking($("#sessions"));
  picking($("#slow"));
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
    if (what === "hide") pick(undefined, undefined, refresh);
    else if (what) disconnect(session.sid, session.namespace, what === "close", refresh).catch(trouble);
  });
}
