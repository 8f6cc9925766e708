import * as http2 from "node:http2";
import type { ConnectionOptions } from "node:tls";
import { Reader, Writer } from "../wire/index";
import { readStatus } from "../gen/google/rpc/status";

/** The gRPC status codes that this SDK tells apart. */
export const enum Code {
  OK = 0,
  CANCELLED = 1,
  UNKNOWN = 2,
  INVALID_ARGUMENT = 3,
  PERMISSION_DENIED = 7,
  FAILED_PRECONDITION = 9,
  UNIMPLEMENTED = 12,
  INTERNAL = 13,
  UNAVAILABLE = 14,
  UNAUTHENTICATED = 16,
}

/** An error that the edge, or the way to it, answered a call with. */
export class EdgeError extends Error {
  /** @internal */
  constructor(
    message: string,
    /** The gRPC status code. */
    readonly code: number,
    /** The reason from the contract's closed list, such as FENCED or SESSION_GONE; "" if none. */
    readonly reason: string = "",
  ) {
    super(message);
    this.name = "EdgeError";
  }
}

/** Where the edge is and how to get in. */
export interface Endpoint {
  /** "http://host:port" or "https://host:port". */
  url: string;
  /** Asked at each connection if it is a function. */
  tls?: ConnectionOptions | (() => ConnectionOptions);
  /** The same; sent as a bearer token. */
  token?: string | (() => string) | undefined;
  /** Sent with every call. */
  metadata: Record<string, string>;
}

/** A bidirectional call. Frames are gRPC messages with their five-byte headers. */
export interface Call {
  /** Never blocks; what cannot be sent yet is buffered. */
  write(frames: Buffer): void;
  /** Ends this side. */
  end(): void;
}

const WINDOW = 8 << 20;

/**
 * One HTTP/2 connection that carries gRPC calls. The contract needs two shapes of call, and on the
 * event path many small messages must leave in one write, so this speaks the protocol itself.
 */
export class Channel {
  private readonly session: http2.ClientHttp2Session;
  private readonly base: http2.OutgoingHttpHeaders;
  private readonly pinger: NodeJS.Timeout;
  private failure: Error | undefined;

  /** Throws what the functions of the endpoint throw. */
  constructor(endpoint: Endpoint, keepalive: number) {
    const url = new URL(endpoint.url);
    const tls = typeof endpoint.tls === "function" ? endpoint.tls() : endpoint.tls;
    const token = typeof endpoint.token === "function" ? endpoint.token() : endpoint.token;
    this.base = { ":method": "POST", te: "trailers", "content-type": "application/grpc+proto", "user-agent": "sio-edge-node", ...endpoint.metadata };
    if (token !== undefined) this.base["authorization"] = `Bearer ${token}`;
    this.session = http2.connect(url, { ...tls, settings: { initialWindowSize: WINDOW, enablePush: false }, maxSessionMemory: 256 });
    this.session.on("error", (err) => (this.failure ??= err));
    this.session.once("connect", (s, socket) => {
      s.setLocalWindowSize(WINDOW * 2);
      if ("setNoDelay" in socket) socket.setNoDelay(true);
    });
    this.pinger = setInterval(() => this.ping(keepalive), keepalive);
  }

  /** Opens a call. onMessage is called in order; onEnd once, with null for status OK. */
  call(path: string, onMessage: (message: Buffer) => void, onEnd: (err: EdgeError | null) => void): Call {
    const stream = this.session.request({ ...this.base, ":path": path });
    const frames = new Frames(onMessage);
    let status: http2.IncomingHttpHeaders | undefined;
    let failure: Error | undefined;
    const take = (headers: http2.IncomingHttpHeaders) => {
      if (headers["grpc-status"] !== undefined) status = headers;
      else if (headers[":status"] !== undefined && Number(headers[":status"]) !== 200) {
        failure = new EdgeError(`the edge answered HTTP ${headers[":status"]}: is this its control port?`, Code.UNAVAILABLE);
      }
    };
    stream.on("response", take);
    stream.on("trailers", take);
    stream.on("end", () => stream.end()); // the status is there: nothing that is still said is heard
    stream.on("data", (chunk: Buffer) => {
      try {
        frames.push(chunk);
      } catch (err) {
        failure = err as Error;
        stream.close(http2.constants.NGHTTP2_CANCEL);
      }
    });
    stream.on("error", (err) => (failure ??= err));
    stream.on("close", () => onEnd(outcome(status, failure ?? this.failure)));
    return { write: (b) => void (stream.destroyed || stream.write(b)), end: () => void (stream.destroyed || stream.end()) };
  }

  /** Makes a unary call. */
  unary<Q, A>(path: string, write: (w: Writer, m: Q) => void, request: Q, read: (r: Reader, end: number) => A): Promise<A> {
    return new Promise((resolve, reject) => {
      let answer: A | undefined;
      const w = new Writer(1024);
      w.frame(write, request);
      const call = this.call(
        path,
        (b) => (answer = read(new Reader(b), b.length)),
        (err) => (err ? reject(err) : answer === undefined ? reject(new EdgeError("the edge answered nothing", Code.INTERNAL)) : resolve(answer)),
      );
      call.write(w.take());
      call.end();
    });
  }

  /** Ends the connection; calls that still run fail. */
  close(): void {
    clearInterval(this.pinger);
    this.session.destroy();
  }

  // An edge that does not answer within another interval is gone, whatever TCP believes.
  private ping(keepalive: number): void {
    if (this.session.destroyed) return;
    if (this.session.connecting) {
      this.failure ??= new EdgeError(`no connection to the edge within ${keepalive} ms`, Code.UNAVAILABLE);
      this.session.destroy();
      return;
    }
    const late = setTimeout(() => {
      this.failure ??= new EdgeError(`the edge did not answer a ping within ${keepalive} ms`, Code.UNAVAILABLE);
      this.session.destroy();
    }, keepalive);
    this.session.ping(() => clearTimeout(late));
  }
}

/** Cuts a stream of bytes into gRPC messages. */
class Frames {
  private parts: Buffer[] = [];
  private have = 0;
  private need = 5;

  constructor(private readonly onMessage: (message: Buffer) => void) {}

  push(chunk: Buffer): void {
    if (this.have > 0) {
      this.parts.push(chunk);
      this.have += chunk.length;
      if (this.have < this.need) return;
      chunk = Buffer.concat(this.parts, this.have);
      this.parts = [];
      this.have = 0;
    }
    let at = 0;
    while (chunk.length - at >= 5) {
      if (chunk[at] !== 0) throw new EdgeError("the edge sent a compressed message that nobody asked for", Code.INTERNAL);
      const end = at + 5 + chunk.readUInt32BE(at + 1);
      if (end > chunk.length) {
        this.need = end - at;
        break;
      }
      this.onMessage(chunk.subarray(at + 5, end));
      at = end;
      this.need = 5;
    }
    if (at < chunk.length) {
      this.parts.push(at === 0 ? chunk : chunk.subarray(at));
      this.have = chunk.length - at;
      if (this.have < 5) this.need = 5;
    }
  }
}

function outcome(status: http2.IncomingHttpHeaders | undefined, failure: Error | undefined): EdgeError | null {
  if (status === undefined) {
    if (failure instanceof EdgeError) return failure;
    return new EdgeError(failure?.message ?? "the connection to the edge ended", Code.UNAVAILABLE);
  }
  const code = Number(status["grpc-status"]);
  if (code === Code.OK) return null;
  let reason = "";
  const details = status["grpc-status-details-bin"];
  if (typeof details === "string") reason = reasonOf(Buffer.from(details, "base64"));
  return new EdgeError(decode(String(status["grpc-message"] ?? `gRPC status ${code}`)), code, reason);
}

function decode(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

/** Finds ErrorInfo.reason in an encoded google.rpc.Status; "" if there is none. */
export function reasonOf(status: Buffer): string {
  return infoReason(readStatus(new Reader(status), status.length).details);
}

/** Finds ErrorInfo.reason in the details of a google.rpc.Status; "" if there is none. */
export function infoReason(details: readonly { typeUrl: string; value: Buffer }[]): string {
  for (const { typeUrl, value } of details) {
    if (!typeUrl.endsWith("/google.rpc.ErrorInfo")) continue;
    const r = new Reader(value);
    while (r.pos < value.length) {
      const tag = r.uint32();
      if (tag === 10) return r.string();
      r.skip(tag);
    }
  }
  return "";
}
