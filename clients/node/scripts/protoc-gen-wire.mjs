#!/usr/bin/env node
// A protoc plugin: for each message an interface, a read and a write function over src/wire. The
// code is straight-line and monomorphic, which is what the event path needs; 64-bit integers are
// plain numbers, since offsets and counters stay far below 2^53.
import { createEcmaScriptPlugin, runNodeJs } from "@bufbuild/protoplugin";
import { ScalarType } from "@bufbuild/protobuf";

const scalars = {
  [ScalarType.STRING]: ["string", '""', "string", 2],
  [ScalarType.BYTES]: ["Buffer", "EMPTY", "bytes", 2],
  [ScalarType.BOOL]: ["boolean", "false", "bool", 0],
  [ScalarType.UINT32]: ["number", "0", "uint32", 0],
  [ScalarType.INT32]: ["number", "0", "int32", 0],
  [ScalarType.UINT64]: ["number", "0", "uint64", 0],
  [ScalarType.INT64]: ["number", "0", "int64", 0],
  [ScalarType.DOUBLE]: ["number", "0", "double", 1],
};

const tag = (number, wire) => (number << 3) | wire;

// A value that can stand in a field, a list or a map: its type, how to read it, how to write it.
function value(kind, desc, uses) {
  if (kind === "message") {
    const name = desc.message.name;
    uses(desc.message.file, name, `read${name}`, `write${name}`);
    return { type: name, zero: "undefined", wire: 2, read: `r.message(read${name})`, write: (v) => `w.message(write${name}, ${v})` };
  }
  if (kind === "enum") {
    uses(desc.enum.file, desc.enum.name);
    return { type: desc.enum.name, zero: "0", wire: 0, read: "r.uint32()", write: (v) => `w.uint32(${v})` };
  }
  const [type, zero, method, wire] = scalars[desc.scalar];
  return { type, zero, wire, read: `r.${method}()`, write: (v) => `w.${method}(${v})` };
}

function field(f, uses) {
  const name = f.localName;
  const m = `m.${name}`;
  if (f.fieldKind === "list") {
    const v = value(f.listKind, f, uses);
    const read = [`case ${tag(f.number, v.wire)}: ${m}.push(${v.read}); break;`];
    const write = [`if (${m}) for (const v of ${m}) { w.tag(${tag(f.number, v.wire)}); ${v.write("v")}; }`];
    if (v.wire !== 2) read.push(`case ${tag(f.number, 2)}: for (const end = r.span(); r.pos < end; ) ${m}.push(${v.read}); break;`);
    return { decl: `${name}: ${v.type}[];`, zero: `${name}: []`, read, write };
  }
  if (f.fieldKind === "map") {
    const v = value(f.mapKind, f, uses);
    return {
      decl: `${name}: Record<string, ${v.type}>;`,
      zero: `${name}: {}`,
      read: [`case ${tag(f.number, 2)}: r.entry(${m}, () => ${v.read}); break;`],
      write: [`if (${m}) for (const k of Object.keys(${m})) w.entry(${tag(f.number, 2)}, k, ${tag(2, v.wire)}, () => { ${v.write(`${m}![k]!`)}; });`],
    };
  }
  const v = value(f.fieldKind, f, uses);
  const maybe = v.zero === "undefined" || f.oneof !== undefined || f.proto.proto3Optional;
  const test = maybe ? `${m} !== undefined` : v.zero === '""' || v.zero === "EMPTY" ? `${m}?.length` : m;
  return {
    decl: `${name}: ${v.type}${maybe ? " | undefined" : ""};`,
    zero: `${name}: ${maybe ? "undefined" : v.zero}`,
    read: [`case ${tag(f.number, v.wire)}: ${m} = ${v.read}; break;`],
    write: [`if (${test}) { w.tag(${tag(f.number, v.wire)}); ${v.write(m)}; }`],
  };
}

const comment = (text, indent = "") => {
  const lines = text?.trim().split("\n").map((l) => l.replace(/^ /, "")) ?? [];
  return lines.length === 0 || lines[0] === "" ? [] : [`${indent}/**`, ...lines.map((l) => `${indent} * ${l}`.trimEnd()), `${indent} */`];
};

function generate(schema) {
  for (const file of schema.files) {
    const out = schema.generateFile(`${file.name}.ts`);
    out.preamble(file);
    const imports = new Map();
    const uses = (from, ...names) => {
      if (from === file) return;
      const set = imports.get(from.name) ?? new Set();
      names.forEach((n) => set.add(n));
      imports.set(from.name, set);
    };
    const body = [];
    const doc = (desc) => schema.files && desc.file.proto.sourceCodeInfo;
    const leading = (desc, path) => doc(desc)?.location.find((l) => l.path.join() === path.join())?.leadingComments;
    file.enums.forEach((e, i) => {
      body.push(...comment(leading(e, [5, i])), `export const enum ${e.name} {`);
      e.values.forEach((v, j) => body.push(...comment(leading(e, [5, i, 2, j]), "  "), `  ${v.localName} = ${v.number},`));
      body.push("}", "");
    });
    file.messages.forEach((d, i) => {
      const fields = d.fields.map((f) => ({ ...field(f, uses), doc: leading(d, [4, i, 2, d.proto.field.indexOf(f.proto)]) }));
      body.push(...comment(leading(d, [4, i])), `export interface ${d.name} {`);
      fields.forEach((f) => body.push(...comment(f.doc, "  "), `  ${f.decl}`));
      body.push("}", "", `export function read${d.name}(r: Reader, end: number): ${d.name} {`);
      body.push(`  const m: ${d.name} = { ${fields.map((f) => f.zero).join(", ")} };`, "  while (r.pos < end) {", "    const tag = r.uint32();", "    switch (tag) {");
      fields.forEach((f) => f.read.forEach((l) => body.push(`      ${l}`)));
      body.push("      default: r.skip(tag);", "    }", "  }", "  return m;", "}", "");
      body.push(`export function write${d.name}(w: Writer, m: Init<${d.name}>): void {`);
      fields.forEach((f) => f.write.forEach((l) => body.push(`  ${l}`)));
      if (fields.length === 0) body.push("  void w, m;");
      body.push("}", "");
    });
    const up = "../".repeat(file.name.split("/").length);
    const text = body.join("\n");
    const wire = [/\bEMPTY\b/.test(text) ? "EMPTY" : "", "type Init", "type Reader", "type Writer"].filter(Boolean);
    if (file.messages.length > 0) out.print(`import { ${wire.join(", ")} } from "${up}wire/index";`);
    const here = "../".repeat(file.name.split("/").length - 1) || "./";
    for (const [name, set] of imports) {
      const names = [...set].map((n) => (/^(read|write)[A-Z]/.test(n) ? n : `type ${n}`));
      out.print(`import { ${names.join(", ")} } from "${here}${name}";`);
    }
    out.print("");
    out.print(text);
  }
}

runNodeJs(createEcmaScriptPlugin({ name: "protoc-gen-wire", version: "v1", generateTs: generate }));
