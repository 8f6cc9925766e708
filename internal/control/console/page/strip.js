// One session over the last two minutes: a dot for each event that was handled, as high as it took
// long; a tick for each emit; a line where its life changed.

import { svg } from "./draw.js";
import { reason, seconds, span } from "./words.js";

const reach = 120; // seconds
const [width, height, floor] = [1200, 120, 96];
const [least, most] = [0.0001, 10]; // seconds, at the floor and at the top

const y = (took) => floor - 6 - (Math.log(Math.min(Math.max(took, least), most) / least) / Math.log(most / least)) * (floor - 16);

export class Strip {
  #where;
  #marks = [];

  constructor(where) {
    this.#where = where;
  }

  clear() {
    this.#marks = [];
    this.#where.replaceChildren();
  }

  /** Takes an entry of the tail. */
  add({ at, event, emitted, settled }) {
    const time = Date.parse(at);
    if (settled) this.#marks.push({ time, kind: settled.nacked ? "bad" : "up", took: seconds(settled.took) });
    else if (emitted) this.#marks.push({ time, kind: "down" });
    else if (event?.suspended) this.#marks.push({ time, kind: "warn", text: reason(event.suspended.reason) });
    else if (event?.resumed) this.#marks.push({ time, kind: "life", text: "resumed" });
    else if (event?.closed) this.#marks.push({ time, kind: "bad", text: "closed" });
    else if (event?.opened) this.#marks.push({ time, kind: "life", text: "opened" });
  }

  draw() {
    const now = Date.now();
    this.#marks = this.#marks.filter((m) => now - m.time < reach * 1000).slice(-4000);
    const x = (time) => width - ((now - time) / 1000 / reach) * width;
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "strip", role: "img", "aria-label": "The session over the last two minutes" });
    for (const took of [0.001, 0.01, 0.1, 1]) {
      root.append(svg("path", { class: "grid", d: `M0 ${y(took)}H${width}` }), svg("text", { x: 2, y: y(took) - 2 }, span(took)));
    }
    root.append(svg("path", { class: "floor", d: `M0 ${floor}H${width}` }));
    for (let ago = 30; ago < reach; ago += 30) root.append(svg("text", { x: x(now - ago * 1000), y: height - 1, "text-anchor": "middle" }, `${ago} s ago`));
    let named = 0;
    for (const m of this.#marks) {
      const at = x(m.time).toFixed(1);
      if (m.text) root.append(svg("path", { class: m.kind, d: `M${at} 4V${floor}` }), svg("text", { class: m.kind, x: Number(at) + 4, y: 11 + 11 * (named++ % 2) }, m.text));
      else if (m.kind === "down") root.append(svg("path", { class: "down", d: `M${at} ${floor + 2}v8` }));
      else root.append(svg("circle", { class: m.kind, cx: at, cy: y(m.took).toFixed(1), r: 2.6 }));
    }
    this.#where.replaceChildren(root);
  }
}
