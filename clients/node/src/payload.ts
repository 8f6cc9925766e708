/** Arguments as they travel: a JSON array, and the bytes that its placeholders stand for. */
export interface Args {
  json: string;
  attachments: Uint8Array[];
}

interface Incoming {
  json: Buffer;
  attachments: Buffer[];
}

/** What the edge takes in one message, less room for what is beside the payload. */
const MAX_MESSAGE = (8 << 20) - (64 << 10);

/** How many bytes a payload takes, about. */
export function bytesOf(payload: { readonly json?: string | Uint8Array; readonly attachments?: readonly { readonly length: number }[] } | undefined): number {
  let n = payload?.json?.length ?? 0;
  for (const a of payload?.attachments ?? []) n += a.length;
  return n;
}

/** Throws for what would end the stream. */
export function checkSize(bytes: number): void {
  if (bytes > MAX_MESSAGE) throw new RangeError(`payload of ${bytes} bytes: an edge takes at most ${MAX_MESSAGE}`);
}

function isBinary(v: unknown): v is ArrayBuffer | ArrayBufferView {
  return ArrayBuffer.isView(v) || v instanceof ArrayBuffer;
}

function hasBinary(v: unknown): boolean {
  if (typeof v !== "object" || v === null) return false;
  if (isBinary(v)) return true;
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) if (hasBinary(v[i])) return true;
    return false;
  }
  const json = (v as { toJSON?: unknown }).toJSON;
  if (typeof json === "function") return !(v instanceof Date) && hasBinary(json.call(v));
  for (const key in v) {
    if (Object.prototype.hasOwnProperty.call(v, key) && hasBinary((v as Record<string, unknown>)[key])) return true;
  }
  return false;
}

/**
 * Encodes arguments at once, so that the caller may change them afterwards. Binary values may be
 * anywhere in them. Throws what JSON.stringify throws, as for a BigInt.
 */
export function encodeArgs(args: readonly unknown[]): Args {
  if (args.length === 0) return { json: "[]", attachments: [] };
  for (const a of args) {
    if (typeof a === "object" && a !== null && hasBinary(a)) return encodeBinary(args);
  }
  return { json: JSON.stringify(args), attachments: [] };
}

function encodeBinary(args: readonly unknown[]): Args {
  const attachments: Uint8Array[] = [];
  const json = JSON.stringify(args, function (this: Record<string, unknown>, key, value) {
    const original = this[key]; // value has been through toJSON, which Buffer has
    if (!isBinary(original)) return value;
    const view = ArrayBuffer.isView(original)
      ? new Uint8Array(original.buffer as ArrayBuffer, original.byteOffset, original.byteLength)
      : new Uint8Array(original);
    attachments.push(Uint8Array.prototype.slice.call(view));
    return { _placeholder: true, num: attachments.length - 1 };
  });
  return { json, attachments };
}

/** Decodes arguments. Binary values become Buffers of their own. */
export function decodeArgs(p: Incoming | undefined): unknown[] {
  if (p === undefined || p.json.length === 0) return [];
  const args = JSON.parse(p.json.toString()) as unknown[];
  if (p.attachments.length > 0) revive(args, p.attachments);
  return args;
}

function revive(v: object, attachments: Buffer[]): void {
  const holder = v as Record<string, unknown>;
  for (const key of Object.keys(holder)) {
    const item = holder[key];
    if (typeof item !== "object" || item === null) continue;
    const { _placeholder, num } = item as { _placeholder?: unknown; num?: unknown };
    // The edge has checked that numbers are in range; a plain object that looks alike stays.
    if (_placeholder === true && typeof num === "number" && attachments[num] !== undefined) {
      holder[key] = Buffer.from(attachments[num]); // a copy: the view would keep the whole message alive
    } else {
      revive(item, attachments);
    }
  }
}
