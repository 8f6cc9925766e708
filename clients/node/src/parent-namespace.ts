import type { Flags } from "./emit";
import type { DefaultEventsMap, EventsMap } from "./events";
import { Namespace } from "./namespace";
import type { Room, Selection } from "./rooms";
import type { Server } from "./server";

/** Decides whether a client may open a namespace that does not exist yet. */
export type NamespaceMatcher = (name: string, auth: Record<string, any>, next: (err: Error | null, success: boolean) => void) => void;

/**
 * The parent of dynamic namespaces: a pattern or a function. Its middlewares and listeners are
 * those of each child when the child is made; what is emitted to it reaches all children.
 */
export class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** The namespaces made so far. */
  readonly children = new Set<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>();
  /** @internal What the edge is told: a name with * that covers every child. */
  readonly _glob: string;
  /** @internal */
  readonly _matches: NamespaceMatcher;

  /** @internal */
  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    readonly pattern: RegExp | NamespaceMatcher,
    number: number,
  ) {
    super(server, `/_${number}`);
    if (typeof pattern === "function") {
      this._matches = pattern;
      this._glob = "/*";
    } else {
      if (pattern.global || pattern.sticky) throw new Error(`${pattern}: a pattern with the flag g or y remembers where it stopped and would miss names`);
      this._matches = (name, _auth, next) => next(null, pattern.test(name));
      this._glob = globOf(pattern);
    }
  }

  /** @internal */
  _createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    const child = new Namespace(this.server, name);
    child._fns = this._fns;
    for (const event of ["connect", "connection"] as const) {
      for (const listener of this.listeners(event)) child.on(event, listener);
    }
    this.children.add(child);
    if (this.server._cleanup) {
      const remove = child._remove.bind(child);
      child._remove = (socket) => {
        remove(socket);
        if (child.sockets.size > 0) return;
        this.children.delete(child);
        this.server._nsps.delete(name);
      };
    }
    this.server._addNamespace(child);
    return child;
  }

  /** Not possible: a child may exist in another process only. */
  override fetchSockets(): never {
    throw new Error("fetchSockets() is not supported on parent namespaces");
  }

  /** Emits to the other processes, once for each child that this one has. */
  override serverSideEmit(event: never, ...args: any[]): boolean {
    if (typeof args.at(-1) === "function") throw new Error("acknowledgements are not supported on parent namespaces");
    for (const child of this.children) child.serverSideEmit(event, ...(args as never));
    return true;
  }

  /** Not possible, as with all acknowledgements of parent namespaces. */
  override serverSideEmitWithAck(): never {
    throw new Error("acknowledgements are not supported on parent namespaces");
  }

  /** @internal */
  override _emit(to: Selection, event: string | symbol, args: readonly unknown[], flags: Flags, single: boolean): void {
    if (typeof args.at(-1) === "function") throw new Error("acknowledgements are not supported on parent namespaces");
    for (const child of this.children) child._emit(to, event, args, flags, single);
  }

  /** @internal */
  override _fetch(): never {
    return this.fetchSockets();
  }

  /** @internal */
  override _join(to: Selection, rooms: Room[], local: boolean): void {
    for (const child of this.children) child._join(to, rooms, local);
  }

  /** @internal */
  override _leave(to: Selection, rooms: Room[], local: boolean): void {
    for (const child of this.children) child._leave(to, rooms, local);
  }

  /** @internal */
  override _disconnect(to: Selection, close: boolean, local: boolean): void {
    for (const child of this.children) child._disconnect(to, close, local);
  }
}

/**
 * A glob that covers whatever the pattern matches: its literal beginning and a *. The edge asks
 * about every name that fits, and the pattern itself decides.
 */
export function globOf(pattern: RegExp): string {
  const { source, ignoreCase } = pattern;
  if (ignoreCase || source[0] !== "^" || source.includes("|")) return "/*";
  let glob = "";
  for (let i = 1; i < source.length; i++) {
    let c = source[i];
    if (c === "\\") {
      c = source[++i];
      if (!/[\/\-._~]/.test(c)) break; // a class such as \d
    } else if (!/[\w\/\-~ ]/.test(c)) {
      break;
    }
    if (/[*?{]/.test(source[i + 1] ?? "")) break; // the character may be absent
    glob += c;
  }
  return `${glob.startsWith("/") ? glob : "/"}*`;
}
