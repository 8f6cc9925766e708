interface FastBuffer extends Buffer {
  utf8Slice(start: number, end: number): string;
}

/**
 * Reads protocol buffers from one buffer. Byte fields are views into it.
 */
export class Reader {
  pos = 0;
  private readonly buf: FastBuffer;

  constructor(buf: Buffer) {
    this.buf = buf as FastBuffer;
  }

  get end(): number {
    return this.buf.length;
  }

  uint32(): number {
    const { buf } = this;
    let b = buf[this.pos++];
    if (b < 0x80) return b;
    let v = b & 0x7f;
    for (let shift = 7; shift < 70; shift += 7) {
      b = this.byte();
      if (shift < 32) v |= (b & 0x7f) << shift;
      if (b < 0x80) return v >>> 0;
    }
    throw new RangeError("varint is longer than ten bytes");
  }

  int32(): number {
    return this.uint32() | 0;
  }

  bool(): boolean {
    return this.uint32() !== 0;
  }

  /** Exact up to 2^53. */
  uint64(): number {
    let v = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const b = this.byte();
      v += (b & 0x7f) * scale;
      if (b < 0x80) return v;
      scale *= 128;
    }
    throw new RangeError("varint is longer than ten bytes");
  }

  int64(): number {
    const start = this.pos;
    const v = this.uint64();
    if (v < 2 ** 63) return v;
    let n = 0n;
    for (let i = start, shift = 0n; i < this.pos; i++, shift += 7n) n |= BigInt(this.buf[i] & 0x7f) << shift;
    return Number(BigInt.asIntN(64, n));
  }

  double(): number {
    this.pos += 8;
    return this.buf.readDoubleLE(this.pos - 8);
  }

  /** Reads a length and returns where what follows ends. */
  span(): number {
    const n = this.uint32();
    const end = this.pos + n;
    if (end > this.buf.length) throw new RangeError("field reaches past the message");
    return end;
  }

  bytes(): Buffer {
    const end = this.span();
    const b = this.buf.subarray(this.pos, end);
    this.pos = end;
    return b;
  }

  string(): string {
    const end = this.span();
    const s = this.buf.utf8Slice(this.pos, end);
    this.pos = end;
    return s;
  }

  message<T>(read: (r: Reader, end: number) => T): T {
    return read(this, this.span());
  }

  /** Reads one entry of a map with string keys. */
  entry<T>(into: Record<string, T>, read: () => T): void {
    const end = this.span();
    let key = "";
    let value: T | undefined;
    while (this.pos < end) {
      const tag = this.uint32();
      if (tag === 10) key = this.string();
      else if (tag >>> 3 === 2) value = read();
      else this.skip(tag);
    }
    if (value === undefined) value = "" as T; // every map of the contract holds strings or messages
    // Not an assignment: a key may be called __proto__.
    Object.defineProperty(into, key, { value, enumerable: true, writable: true, configurable: true });
  }

  /** Skips a field that this version does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.uint64();
        return;
      case 1:
        this.pos += 8;
        return;
      case 2:
        this.pos = this.span();
        return;
      case 5:
        this.pos += 4;
        return;
      default:
        throw new RangeError(`wire type ${tag & 7} is not in use`);
    }
  }

  private byte(): number {
    if (this.pos >= this.buf.length) throw new RangeError("message ends inside a field");
    return this.buf[this.pos++];
  }
}
