/** What a write function takes: every field may be absent, and bytes may be given as a string. */
export type Init<T> = T extends Uint8Array
  ? Uint8Array | string
  : T extends readonly (infer U)[]
    ? readonly Init<U>[]
    : T extends object
      ? { [K in keyof T]?: Init<T[K]> }
      : T;

interface FastBuffer extends Buffer {
  utf8Write(s: string, offset: number): number;
}

/**
 * Writes protocol buffers into a growing buffer. Lengths are written in front of what they count
 * after it is known, so nothing is measured twice.
 */
export class Writer {
  private buf: FastBuffer;
  private pos = 0;

  constructor(size = 16 << 10) {
    this.buf = Buffer.allocUnsafeSlow(size) as FastBuffer;
  }

  /** How much has been written since the last take. */
  get length(): number {
    return this.pos;
  }

  /** Returns what was written; the writer never touches it again. */
  take(): Buffer {
    const out = this.buf.subarray(0, this.pos);
    // What is left serves the next messages: small ones do not allocate.
    const rest = this.buf.length - this.pos;
    this.buf = (rest >= 1024 ? this.buf.subarray(this.pos) : Buffer.allocUnsafeSlow(64 << 10)) as FastBuffer;
    this.pos = 0;
    return out;
  }

  tag(v: number): void {
    this.uint32(v);
  }

  uint32(v: number): void {
    if (this.pos + 5 > this.buf.length) this.grow(5);
    while (v > 0x7f) {
      this.buf[this.pos++] = (v & 0x7f) | 0x80;
      v >>>= 7;
    }
    this.buf[this.pos++] = v;
  }

  int32(v: number): void {
    if (v < 0) this.int64(v);
    else this.uint32(v);
  }

  bool(v: boolean): void {
    this.uint32(v ? 1 : 0);
  }

  uint64(v: number): void {
    if (v < 0x80000000) return this.uint32(v);
    this.grow(10);
    while (v > 0x7f) {
      this.buf[this.pos++] = (v % 128) | 0x80;
      v = Math.floor(v / 128);
    }
    this.buf[this.pos++] = v;
  }

  int64(v: number): void {
    if (v >= 0) return this.uint64(v);
    this.grow(10);
    let n = BigInt.asUintN(64, BigInt(v));
    for (; n > 0x7fn; n >>= 7n) this.buf[this.pos++] = Number(n & 0x7fn) | 0x80;
    this.buf[this.pos++] = Number(n);
  }

  double(v: number): void {
    this.grow(8);
    this.pos = this.buf.writeDoubleLE(v, this.pos);
  }

  string(v: string): void {
    const most = v.length * 3;
    this.grow(most + 5);
    const guess = v.length < 0x80 ? 1 : 0;
    const start = this.pos;
    const n = this.buf.utf8Write(v, start + guess);
    this.pos = start + guess + n;
    this.prefix(start, guess, n);
  }

  bytes(v: Uint8Array | string): void {
    if (typeof v === "string") return this.string(v);
    this.uint32(v.length);
    this.grow(v.length);
    this.buf.set(v, this.pos);
    this.pos += v.length;
  }

  message<T>(write: (w: Writer, m: T) => void, m: T): void {
    const start = this.pos;
    this.grow(1);
    this.pos++;
    write(this, m);
    this.prefix(start, 1, this.pos - start - 1);
  }

  /** Writes one entry of a map: the key here, the value by write. */
  entry(tag: number, key: string, valueTag: number, write: () => void): void {
    this.tag(tag);
    const start = this.pos;
    this.grow(1);
    this.pos++;
    this.tag(10);
    this.string(key);
    this.tag(valueTag);
    write();
    this.prefix(start, 1, this.pos - start - 1);
  }

  /** Writes one gRPC message: an uncompressed flag, four bytes of length, the message. */
  frame<T>(write: (w: Writer, m: T) => void, m: T): void {
    this.grow(5);
    const start = this.pos;
    this.buf[start] = 0;
    this.pos += 5;
    write(this, m);
    this.buf.writeUInt32BE(this.pos - start - 5, start + 1);
  }

  // Writes the length n at start, where room bytes were left for it.
  private prefix(start: number, room: number, n: number): void {
    const size = n < 0x80 ? 1 : n < 0x4000 ? 2 : n < 0x200000 ? 3 : n < 0x10000000 ? 4 : 5;
    if (size !== room) {
      this.grow(size);
      this.buf.copyWithin(start + size, start + room, start + room + n);
    }
    const end = start + size + n;
    let at = start;
    for (; n > 0x7f; n >>>= 7) this.buf[at++] = (n & 0x7f) | 0x80;
    this.buf[at] = n;
    this.pos = end;
  }

  private grow(n: number): void {
    if (this.pos + n <= this.buf.length) return;
    const next = Buffer.allocUnsafeSlow(Math.max(this.buf.length * 2, this.pos + n + 1024, 16 << 10));
    this.buf.copy(next, 0, 0, this.pos);
    this.buf = next as FastBuffer;
  }
}
