// A reporter of node:test: a table of case and SDK, then what failed, and what an SDK cannot do.

/** Yields the text of the report. */
export default async function* report(source) {
  const cases = new Map(); // of the outcomes by SDK
  const [sdks, faults, reasons] = [new Set(), [], new Set()];
  const path = [];
  let failed = 0;
  for await (const { type, data } of source) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (type === "test:start") path[data.nesting] = data.name;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.details.type === "suite") continue;
    const { name, nesting } = data;
    const of = nesting > 0 ? path[nesting - 1] : "";
    if (type === "test:fail") {
      failed++;
      // What the step and the programs said was added to the message after the stack was taken.
      const { message = data.details.error.cause, stack = "" } = data.details.error.cause ?? data.details.error;
      faults.push([`${of}, ${name}: ${message}`, ...stack.split("\n").filter((line) => line.startsWith("    at "))].join("\n"));
    }
    if (nesting === 0) continue;
    sdks.add(name);
    if (!cases.has(of)) cases.set(of, new Map());
    cases.get(of).set(name, type === "test:fail" ? "FAIL" : data.skip !== undefined ? "-" : "ok");
    if (data.skip !== undefined) reasons.add(`- ${of}, ${name}: ${data.skip}`);
  }
  const width = Math.max(4, ...[...cases.keys()].map((name) => name.length));
  const row = (title, cells) => title.padEnd(width) + cells.map((cell, i) => "  " + cell.padEnd([...sdks][i].length)).join("") + "\n";
  yield "\n" + row("", [...sdks]);
  for (const [name, outcomes] of cases) yield row(name, [...sdks].map((sdk) => outcomes.get(sdk) ?? ""));
  for (const reason of reasons) yield `${reason}\n`;
  for (const fault of faults) yield `\n${fault}\n`;
  yield `\n${cases.size} cases, ${failed} failures\n`;
}
