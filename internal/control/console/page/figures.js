// Figures over time: what /metrics says, as tiles, curves and bars.

import { $, curves, el, ranges, spark } from "./draw.js";
import { number, rate, span, weight } from "./words.js";

const places = 120; // seconds that curves reach back

/** Numbers over time, by name. */
class History {
  #values = new Map();
  #totals = new Map();
  #looked = performance.now();
  seconds = 1; // since the look before: so many places does a value fill

  /** Begins a look. */
  begin(now) {
    this.seconds = Math.min(Math.max(Math.round((now - this.#looked) / 1000), 1), places);
    this.#looked = now;
  }

  add(name, value) {
    const list = this.#values.get(name) ?? [];
    for (let i = 0; i < this.seconds; i++) list.push(value);
    list.splice(0, Math.max(list.length - places, 0));
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

export const history = new History();

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

  /** The cumulative buckets of a histogram, all its labels but group together. */
  buckets(name, group) {
    const sums = new Map();
    for (const m of this.all) {
      if (m.name !== `${name}_bucket` || (group !== undefined && m.labels.group !== group)) continue;
      const bound = m.labels.le === "+Inf" ? Infinity : Number(m.labels.le);
      sums.set(bound, (sums.get(bound) ?? 0) + m.value);
    }
    return [...sums].sort(([a], [b]) => a - b);
  }
}

const looks = []; // the buckets of the scrapes that curves reach back to: Map of name to buckets

/** A quantile of what came since the first look that is remembered; undefined if nothing came. */
function quantile(name, q) {
  const after = looks.at(-1)?.get(name) ?? [];
  const before = new Map(looks[0]?.get(name));
  const gained = after.map(([bound, n]) => [bound, n - (before.get(bound) ?? 0)]);
  const total = gained.at(-1)?.[1] ?? 0;
  if (!(total > 0)) return undefined;
  const found = gained.find(([, n]) => n >= total * q);
  return found[0] === Infinity ? gained.at(-2)[0] : found[0];
}

/** The p99 of a group's events. */
export const p99 = (group) => quantile(`group ${group}`, 0.99);

const stages = [
  ["handshake_seconds", "handshake", "from the request to the first message"],
  ["connect_seconds", "connect", "from CONNECT to being let in, decision and commit included"],
  ["group_wait_seconds", "wait", "from reading an event to its delivery"],
  ["group_handle_seconds", "handle", "from the delivery to its being settled: the backend"],
  ["store_commit_seconds", "commit", "a commit of the store"],
  ["flush_seconds", "flush", "writing what one message of a backend made"],
];

export function look(all) {
  const s = new Scrape(all);
  const now = performance.now();
  history.begin(now);
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
  const found = new Map(stages.map(([name]) => [name, s.buckets(name)]));
  for (const m of all) {
    const { group } = m.labels;
    if (m.name === "group_deliveries_total") history.total(`deliveries of ${group}`, m.value, now);
    if (m.name === "group_backlog_oldest_seconds") history.add(`lag of ${group}`, m.value);
    if (m.name === "group_event_seconds_count") found.set(`group ${group}`, s.buckets("group_event_seconds", group));
  }
  for (let i = 0; i < history.seconds; i++) looks.push(found);
  looks.splice(0, Math.max(looks.length - places, 0));
  tiles(s);
  $("#traffic").replaceChildren(curves([{ of: history.of("events"), as: "up" }, { of: history.of("recipients"), as: "down" }], places, rate));
  $("#stages").replaceChildren(
    ...ranges(stages.map(([name, title, note]) => ({ title, note, from: quantile(name, 0.5), to: quantile(name, 0.99) })), span),
  );
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
    tile("Held clients", "paused", number(paused), `${number(history.last("slow"))} closed as slow`, paused > 0 ? "warn" : ""),
    tile("Handshakes/s", "handshakes", rate(history.last("handshakes")), `${rate(history.last("refused"))} refused`),
    tile("Store", "commits", full ? "not written" : weight(s.sum("store_file_bytes")), `${rate(history.last("commits"))} commits/s`, full ? "bad" : ""),
  );
}
