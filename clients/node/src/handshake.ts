import type { Handshake as WireHandshake } from "./gen/sioedge/v1/session";

/** What a client said when it connected. */
export interface Handshake {
  /** The headers of the request that opened the connection, as far as the edge forwards them. */
  headers: Record<string, string>;
  /** When the connection began, for people. */
  time: string;
  /** The address of the client; behind a proxy that the edge trusts, the one that the proxy names. */
  address: string;
  /** The request came from a page: it has an Origin header. */
  xdomain: boolean;
  /** The edge ended TLS for this connection. */
  secure: boolean;
  /** When the connection began, in milliseconds. */
  issued: number;
  /** The URL of the request. */
  url: string;
  /** The query of the request, EIO and transport included. */
  query: Record<string, string>;
  /** What the client gave as auth. */
  auth: Record<string, any>;
  /** Who the client is: the subject of its token, if the edge verifies tokens in this namespace. Not of the official server. */
  user?: string;
  /** Claims of that token, as the edge hands them on. Not of the official server. */
  claims?: Record<string, string>;
}

/** The request that opened a client's connection: what is left of it on this side of the wire. */
export interface ConnectionRequest {
  /** Always "GET". */
  readonly method: "GET";
  /** Path and query. */
  readonly url: string;
  /** See {@link Handshake.headers}. */
  readonly headers: Record<string, string>;
  /** See {@link ConnectionEnd}. */
  readonly socket: ConnectionEnd;
  /** Same as {@link socket}. */
  readonly connection: ConnectionEnd;
  /** See {@link Handshake.query}. */
  readonly _query: Record<string, string>;
}

/** The client's end of a connection. */
export interface ConnectionEnd {
  /** See {@link Handshake.address}. */
  readonly remoteAddress: string;
  /** See {@link Handshake.secure}. */
  readonly encrypted: boolean;
}

/** Builds a handshake. Absent parts, as of a session that was never seen, are empty. */
export function toHandshake(h: WireHandshake | undefined, auth: Record<string, any>): Handshake {
  const issued = h?.issuedAt ? h.issuedAt.seconds * 1000 + Math.floor(h.issuedAt.nanos / 1e6) : Date.now();
  const query = h?.query ?? {};
  const search = new URLSearchParams(query).toString();
  return {
    headers: h?.headers ?? {},
    time: String(new Date(issued)),
    address: host(h?.remoteAddr ?? ""),
    xdomain: h?.headers["origin"] !== undefined,
    secure: h?.secure ?? false,
    issued,
    url: (h?.path ?? "") + (search === "" ? "" : `?${search}`),
    query,
    auth,
  };
}

/** Adds whom the edge says that the client is, if it says so. */
export function withUser(h: Handshake, user: string, claims: Record<string, string>): Handshake {
  const { data: _, ...rest } = claims; // what socket.data is kept in
  return user === "" ? h : { ...h, user, claims: rest };
}

/** Builds what stands for the request. */
export function toRequest(h: Handshake): ConnectionRequest {
  const socket = { remoteAddress: h.address, encrypted: h.secure };
  return { method: "GET", url: h.url, headers: h.headers, socket, connection: socket, _query: h.query };
}

/** Parses an auth object; anything else is no auth. */
export function parseAuth(json: Buffer | undefined): Record<string, any> {
  if (json === undefined || json.length === 0) return {};
  const auth: unknown = JSON.parse(json.toString());
  return typeof auth === "object" && auth !== null ? auth : {};
}

// "192.0.2.7:51000" and "[2001:db8::1]:51000" without the port.
function host(address: string): string {
  const m = /^\[(.*)\]:\d+$/.exec(address) ?? /^([^:]*):\d+$/.exec(address);
  return m?.[1] ?? address;
}
