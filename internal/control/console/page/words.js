// How things are written for people: the same as on the command line.

export const shortID = (id) => (id.length > 8 ? `${id.slice(0, 4)}…${id.slice(-2)}` : id);

export const number = (n) => Math.round(n).toLocaleString("en-US");

export const rate = (n) => (n >= 10 || n === 0 ? number(n) : n.toFixed(1));

export const plural = (n, what) => `${number(n)} ${what}${Number(n) === 1 ? "" : "s"}`;

export function span(seconds) {
  if (!(seconds > 0)) return "0s";
  const short = (v, unit) => `${v < 10 ? v.toFixed(1).replace(/\.0$/, "") : Math.floor(v)}${unit}`;
  if (seconds < 0.001) return `${Math.max(Math.floor(seconds * 1e6), 1)}µs`;
  if (seconds < 1) return short(seconds * 1000, "ms");
  if (seconds < 60) return short(seconds, "s");
  const two = (unit, name, part, partName) => {
    const rest = Math.floor((seconds % unit) / part);
    return `${Math.floor(seconds / unit)}${name}${rest ? rest + partName : ""}`;
  };
  if (seconds < 3600) return two(60, "m", 1, "s");
  if (seconds < 86400) return two(3600, "h", 60, "m");
  return two(86400, "d", 3600, "h");
}

export function weight(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let i = 0;
  for (; bytes >= 1024 && i + 1 < units.length; i++) bytes /= 1024;
  return `${i === 0 || bytes >= 10 ? Math.round(bytes) : bytes.toFixed(1)} ${units[i]}`;
}

const two = (n) => String(n).padStart(2, "0");
export const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
export const precise = (date) => `${clock(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;

export function day(date) {
  if (date.toDateString() === new Date().toDateString()) return clock(date);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(date).slice(0, 5)}`;
}

/** Seconds of a protobuf duration in JSON: "1.5s". */
export const seconds = (duration) => parseFloat(duration ?? "0");

/** The arguments of a payload in JSON. */
export function args(payload) {
  if (!payload?.json) return "[]";
  const bytes = Uint8Array.from(atob(payload.json), (c) => c.charCodeAt(0));
  let text = new TextDecoder().decode(bytes);
  (payload.attachments ?? []).forEach((a, i) => {
    text = text.replace(`{"_placeholder":true,"num":${i}}`, `<${weight((a.length * 3) / 4)}>`);
  });
  return text;
}

export const reason = (r) =>
  ({
    CLIENT: "client namespace disconnect",
    BACKEND: "server namespace disconnect",
    EDGE_DRAIN: "server shutting down",
  })[r?.replace("CLOSE_REASON_", "")] ?? r?.replace("CLOSE_REASON_", "").replaceAll("_", " ").toLowerCase();
