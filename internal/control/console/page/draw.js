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

const svg = (name, attributes) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
};

/** A line of values, the newest to the right, over so many places. */
export function spark(values, places) {
  const root = svg("svg", { class: "spark", viewBox: `0 0 ${places - 1} 20`, preserveAspectRatio: "none", "aria-hidden": "true" });
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
