import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import cluster from "node:cluster";
import type { ConnectionOptions } from "node:tls";
import { refuse } from "./elsewhere";
import type { Socket } from "./socket";

/** Options of which only the one without a default may be missing. */
export type Completed = Omit<ServerOptions, "token"> & Partial<Pick<ServerOptions, "token">>;

/** How a server is attached to the edge. */
export interface ServerOptions {
  /**
   * The backend service that this process is part of; all its processes share the sessions.
   * 1 to 64 of A-Z a-z 0-9 . _ - and "default" unless given.
   */
  group: string;
  /**
   * The name of this process, which must be its own and should stay over restarts: then it keeps
   * its sessions. Default: the environment variable SIO_EDGE_MEMBER, else the host's name and the
   * number of the cluster worker, or the process id.
   */
  memberId: string;
  /**
   * Certificates, as of tls.connect: ca says who signed that of the edge, cert and key are this
   * process's own. Makes the address an https one. A function is asked at each connection, so that
   * files can be replaced: () => ({ ca: readFileSync("ca.crt"), … }).
   */
  tls: ConnectionOptions | (() => ConnectionOptions);
  /**
   * The token by which the edge knows this process. A function is asked at each connection. It is
   * sent over TLS, or to an edge on this machine; otherwise the constructor throws.
   */
  token: string | (() => string);
  /** Sent with every call. */
  metadata: Record<string, string>;
  /**
   * "serial" (default): the listeners of one socket's next event wait until those of the one
   * before have finished, promises included. "concurrent": they start in order and do not wait.
   */
  handlers: "serial" | "concurrent";
  /** After so many milliseconds the edge delivers an event again that is not handled. Default 30,000. */
  ackDeadline: number;
  /** An event whose listeners failed so often is set aside. Default 5. */
  maxAttempts: number;
  /** So long the sessions of this process wait for it to come back, in milliseconds. Default 10,000. */
  memberGrace: number;
  /** So long a client's callback may be called after its listener has returned. Default 30,000 ms. */
  replyWithin: number;
  /** Events that the edge hands out before the first of them is handled. Default 4,096. */
  maxOutstanding: number;
  /** The same for one session. Default 64. */
  maxOutstandingPerSession: number;
  /** Commands kept while the edge is away; the oldest are dropped beyond that. Default 100,000. */
  maxKeptCommands: number;
  /** The same in bytes. Default 64 MiB. */
  maxKeptBytes: number;
  /** Whether the middlewares of namespaces are skipped for clients that come back to their session. */
  connectionStateRecovery: {
    /** Default true. */
    skipMiddlewares?: boolean;
  };
  /** Forget a dynamic namespace when its last socket has gone. Default false. */
  cleanupEmptyChildNamespaces: boolean;
  /**
   * Gets what a listener threw; the event is delivered again. Default: writes it to the console.
   */
  onError: (err: unknown, event: string, socket: Socket<any, any, any, any> | undefined) => void;
}

/** Fills in what is not given. Throws for options that are settings of the edge. */
export function complete(given: Partial<ServerOptions>): Completed {
  for (const option of [...Object.keys(given), ...Object.keys(given.connectionStateRecovery ?? {})]) refuse("options", option);
  const worker = process.env["NODE_APP_INSTANCE"] ?? cluster.worker?.id ?? process.pid;
  return {
    group: "default",
    memberId: process.env["SIO_EDGE_MEMBER"] ?? `${hostname()}-${worker}`,
    metadata: {},
    tls: {},
    handlers: "serial",
    ackDeadline: 30_000,
    maxAttempts: 5,
    memberGrace: 10_000,
    replyWithin: 30_000,
    maxOutstanding: 4_096,
    maxOutstandingPerSession: 64,
    maxKeptCommands: 100_000,
    maxKeptBytes: 64 << 20,
    cleanupEmptyChildNamespaces: false,
    onError: (err, event, socket) => console.error(`sio-edge: listener of "${event}"${socket ? ` (socket ${socket.id})` : ""} failed:`, err),
    ...given,
    connectionStateRecovery: { skipMiddlewares: true, ...given.connectionStateRecovery },
  };
}

/** The URL of an address such as "127.0.0.1:7070" or "https://edge:7070". */
export function toUrl(address: unknown, tls: boolean, token: boolean): string {
  if (typeof address !== "string") {
    throw new TypeError(
      "new Server(address, options): the address is that of the edge's control port, such as \"127.0.0.1:7070\". " +
        "The edge serves the clients; there is no HTTP server to attach to.",
    );
  }
  const url = new URL(/^https?:\/\//.test(address) ? address : `${tls ? "https" : "http"}://${address}`);
  if (url.port === "") url.port = "7070";
  if (token && url.protocol === "http:" && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname)) {
    throw new TypeError("new Server(address, options): a token is sent over TLS only, or everybody on the way could read it: give tls, or an https address");
  }
  return url.origin;
}

/** Bytes nobody else has. */
export function unique(): string {
  return randomBytes(6).toString("base64url");
}
