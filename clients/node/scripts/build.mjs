// Builds dist: CommonJS by tsc, and an ESM face on it, so that both sides share one set of classes.
// npm runs this, too, for a program that depends on this folder; then it first gets what it needs.
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = () => join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");
let tsc;
try {
  tsc = compiler();
} catch {
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, stdio: "inherit" });
  tsc = compiler();
}
rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.json")], { stdio: "inherit" });
const face = 'export * from "./index.js";\n';
writeFileSync(join(root, "dist/index.mjs"), face);
writeFileSync(join(root, "dist/index.d.mts"), face);
