// SDKS=go,python and CASES=recovery leave out the others; see README.md.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { buildEdge, buildSDKs } from "./runner/programs.mjs";
import { play } from "./runner/script.mjs";

const binary = buildEdge();
const sdks = buildSDKs();
const folder = join(import.meta.dirname, "cases");

for (const file of readdirSync(folder)) {
  const topic = file.replace(".json", "");
  for (const { name, needs = [], ...rest } of JSON.parse(readFileSync(join(folder, file), "utf8"))) {
    if (process.env.CASES && !`${topic}: ${name}`.includes(process.env.CASES)) continue;
    describe(`${topic}: ${name}`, { concurrency: 2 }, () => {
      for (const sdk of sdks) {
        const reason = needs.map((need) => sdk.cannot[need]).find(Boolean);
        test(sdk.name, { skip: reason, timeout: 60_000 }, () => play(binary, sdk, rest));
      }
    });
  }
}
