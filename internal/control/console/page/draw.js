// Elements. What clients sent gets into the page as text only.

export const $ = (selector, within = document) => within.querySelector(selector);

/** Makes an element: el("td", { class: "n" }, "12"). */
export function el(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) e.setAttribute(key, value);
  }
  e.append(...children.filter((c) => c !== undefined && c !== null));
  return e;
}

/** Makes an element of a drawing. */
export function svg(name, attributes, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

/** A line of values, the newest to the right, over so many places. */
export function spark(values, places) {
  const root = svg("svg", { class: "spark", viewBox: `0 0 ${places} 20`, preserveAspectRatio: "none", "aria-hidden": "true" });
  if (values.length < 2) return root;
  const top = Math.max(...values, 1e-9);
  const x = (i) => places - values.length + i;
  const line = values.map((v, i) => `${i ? "L" : "M"}${x(i)} ${(19 - (v / top) * 18).toFixed(2)}`).join("");
  root.append(
    svg("path", { class: "area", d: `${line}L${x(values.length - 1)} 20L${x(0)} 20Z` }),
    svg("path", { d: line }),
  );
  return root;
}

/** Several curves over the same time with a scale: a list of { of: values, as: class }. */
export function curves(list, places, write) {
  const [width, height, floor] = [600, 132, 116];
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "curves", "aria-hidden": "true" });
  const top = Math.max(...list.flatMap((c) => c.of), 1);
  const step = 10 ** Math.floor(Math.log10(top));
  const unit = [1, 2, 5, 10].map((n) => (n * step) / 2).find((u) => top / u <= 4) ?? step * 5;
  const y = (v) => floor - (v / top) * (floor - 14);
  for (let v = 0; v <= top; v += unit) {
    root.append(svg("path", { class: "grid", d: `M0 ${y(v)}H${width}` }), svg("text", { x: 2, y: y(v) - 3 }, v ? write(v) : ""));
  }
  for (let ago = 30; ago < places; ago += 30) {
    root.append(svg("text", { x: width - (ago / places) * width, y: height - 3, "text-anchor": "middle" }, `${ago} s ago`));
  }
  for (const { of, as } of list) {
    if (of.length < 2) continue;
    const x = (i) => width - ((of.length - 1 - i) / (places - 1)) * width;
    const line = of.map((v, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`).join("");
    root.append(svg("path", { class: `area ${as}`, d: `${line}V${floor}H${x(0).toFixed(1)}Z` }), svg("path", { class: `line ${as}`, d: line }));
  }
  return root;
}

/** Bars from one time to another on one logarithmic scale: a list of { title, note, from, to } in seconds. */
export function ranges(list, write) {
  const [least, most] = [0.00001, 10];
  const at = (v) => (Math.log(Math.min(Math.max(v, least), most) / least) / Math.log(most / least)) * 100;
  return list.map(({ title, note, from, to }) => {
    const bar = svg("svg", { class: "range", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("path", { class: "rail", d: "M0 5H100" }));
    if (to !== undefined) {
      const x = at(from);
      bar.append(svg("path", { class: to > 1 ? "bad" : to > 0.1 ? "warn" : "up", d: `M${x} 5H${Math.max(at(to), x + 0.8)}` }));
    }
    return el("div", { class: "stage", title: note }, el("span", {}, title), bar, el("span", { class: "n" }, to === undefined ? "–" : `${write(from)} · ${write(to)}`));
  });
}

let pressed = false; // a click must end on the row on which it began
addEventListener("pointerdown", () => (pressed = true), true);
addEventListener("pointerup", () => (pressed = false), true);
addEventListener("pointercancel", () => (pressed = false), true);
const drawn = new WeakMap();

/** Replaces the rows of a table if they differ and shows the remark below it when there are none. */
export function rows(table, list) {
  const text = list.map((row) => row.outerHTML).join("");
  if (pressed || drawn.get(table) === text) return;
  drawn.set(table, text);
  const focused = table.contains(document.activeElement) && document.activeElement.dataset.sid;
  $("tbody", table).replaceChildren(...list);
  if (focused) $(`[data-sid="${CSS.escape(focused)}"]`, table)?.focus();
  const none = table.nextElementSibling;
  table.hidden = list.length === 0;
  if (none?.classList.contains("none")) none.hidden = list.length > 0;
}

/** Asks before something that cannot be taken back. */
export function confirm(question) {
  const dialog = $("#confirm");
  $("p", dialog).textContent = question;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}
