// The tail as a list: the newest below, what was settled in the line of its event.

import { tail } from "./edge.js";
import { el } from "./draw.js";
import { args, day, number, plural, precise, reason, seconds, shortID, span } from "./words.js";

const kept = 500;

const classes = { ">": "up", "<": "down", x: "warn", "!": "bad", "…": "bad" };

function line(entry) {
  const at = new Date(entry.at);
  const make = (who, mark, what, note = "") => ({ at, who, mark, what, note });
  if (entry.missed) return make("", "…", `${plural(entry.missed, "entry")} missed: this page is too slow`);
  if (entry.emitted) {
    const { emit, receipt = {} } = entry.emitted;
    const t = emit.target ?? {};
    const names = t.everyone ? ["everyone"] : [...(t.rooms ?? []), ...(t.userIds ?? []), ...(t.sids ?? []).map(shortID)];
    const dropped = Number(receipt.dropped ?? 0) ? ` (${number(receipt.dropped)} dropped)` : "";
    return make(names.slice(0, 3).join(" "), "<", `${emit.event ?? ""} ${args(emit.payload)}`, plural(receipt.written ?? 0, "socket") + dropped);
  }
  const event = entry.event;
  const who = shortID(event.sid ?? "");
  const from = (session) => [session?.userId, session?.handshake?.remoteAddr].filter(Boolean).join(" from ");
  if (event.clientEvent) return make(who, ">", `${event.clientEvent.event ?? ""} ${args(event.clientEvent.payload)}`, "…");
  if (event.connectRequested) {
    return make(who, "?", event.connectRequested.resuming ? "asks to come back" : "asks to come in", event.connectRequested.handshake?.remoteAddr);
  }
  if (event.opened) return make(who, "+", "opened", from(event.opened.session));
  if (event.suspended) return make(who, "x", reason(event.suspended.reason), `resumable until ${day(new Date(event.suspended.resumableUntil))}`);
  if (event.resumed) {
    const n = event.resumed.replayed;
    const what = event.resumed.complete ? (n ? `${plural(n, "packet")} replayed` : "nothing missed") : "but what it missed is gone";
    return make(who, "~", `resumed, ${what}`, from(event.resumed.session));
  }
  return make(who, "-", `closed: ${reason(event.closed?.reason)}`);
}

/** A list that follows a tail. */
export class Tail {
  #list;
  #state;
  #seen;
  #stop;
  #fresh = []; // lines that the next frame shows
  #waiting = new Map(); // lines of events that are not settled, by offset

  /** state is told how the connection stands, seen of every entry. */
  constructor(list, state = () => {}, seen = () => {}) {
    this.#list = list;
    this.#state = state;
    this.#seen = seen;
  }

  get running() {
    return this.#stop !== undefined;
  }

  start(filter) {
    this.stop();
    this.#stop = tail(filter, (entry) => this.#add(entry), this.#state);
  }

  stop() {
    this.#stop?.();
    this.#stop = undefined;
    this.#state("stopped");
  }

  clear() {
    this.#fresh.length = 0;
    this.#list.replaceChildren();
    this.#waiting.clear();
  }

  #add(entry) {
    this.#seen(entry);
    if (entry.settled) {
      this.#settle(entry);
      return;
    }
    const l = line(entry);
    const offset = (entry.event?.clientEvent ?? entry.event?.connectRequested) && entry.event.offset;
    const note = this.#print(l);
    if (offset) this.#waiting.set(offset, note);
  }

  #settle({ at, settled }) {
    const by = `${settled.group}/${settled.memberId}  ${span(seconds(settled.took))}`;
    if (settled.nacked) {
      this.#print({ at: new Date(at), who: shortID(settled.sid), mark: "!", what: "handed back", note: by });
      return;
    }
    const note = this.#waiting.get(settled.offset);
    if (!note) return;
    this.#waiting.delete(settled.offset);
    const before = note.textContent;
    note.textContent = before && before !== "…" ? `${before}  ${by}` : by;
    if (settled.reply) note.previousElementSibling.append(` -> ${args(settled.reply)}`);
    if (settled.refusal) note.previousElementSibling.append(` -> refused: ${settled.refusal}`);
  }

  #print({ at, who, mark, what, note = "" }) {
    const noted = el("span", { class: "note" }, note);
    this.#fresh.push(
      el("li", { class: classes[mark] }, el("time", {}, precise(at)), el("span", { title: who }, who), el("span", { class: "mark" }, mark), el("span", { class: "what", title: what }, what), noted),
    );
    if (this.#fresh.length === 1) requestAnimationFrame(() => this.#show());
    if (this.#fresh.length > kept) this.#fresh.splice(1, 1); // nobody looks: no frame is drawn
    if (this.#waiting.size > kept) this.#waiting.delete(this.#waiting.keys().next().value);
    return noted;
  }

  /** Shows what came since the last frame: asking for the height after each line would be too slow. */
  #show() {
    const list = this.#list;
    const follows = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
    list.append(...this.#fresh.splice(0));
    while (list.childElementCount > kept) list.firstElementChild.remove();
    if (follows) list.scrollTop = list.scrollHeight;
  }
}
