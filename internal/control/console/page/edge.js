// What the edge answers: its JSON calls, its metrics, its tail.

/** Calls a unary method, as in call("AdminService/GetEdge"). */
export async function call(method, body = {}) {
  const response = await fetch(`/sioedge.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message ?? response.statusText);
  return answer;
}

/** Applies one command and returns its receipt. */
export async function execute(command) {
  const { results } = await call("CommandService/Execute", { commands: [command] });
  if (results[0].status) throw new Error(results[0].status.message);
  return results[0].receipt;
}

const seriesForm = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/;
const labelForm = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/** Reads /metrics: a list of { name, labels, value }. */
export async function scrape() {
  const response = await fetch("/metrics");
  if (!response.ok) throw new Error(response.statusText);
  const all = [];
  for (const line of (await response.text()).split("\n")) {
    const found = line.startsWith("sioedge_") && seriesForm.exec(line);
    if (!found) continue;
    const labels = {};
    for (const [, name, value] of (found[2] ?? "").matchAll(labelForm)) {
      labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    }
    all.push({ name: found[1].slice("sioedge_".length), labels, value: Number(found[3]) });
  }
  return all;
}

/** Follows the tail. The filter's keys are namespace, room, user, sid and event. */
export function tail(filter, onEntry, onState) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
  const source = new EventSource(`/events/tail?${query}`);
  source.onopen = () => onState("open");
  source.onerror = () => onState(source.readyState === EventSource.CLOSED ? "refused" : "lost");
  source.onmessage = (message) => onEntry(JSON.parse(message.data));
  return () => source.close();
}
