/**
 * What socket.io has and cannot be at this end of the wire, with where it is instead. Using it
 * throws and says so. README.md has the same table.
 */
export const elsewhere = {
  /** Options of new Server(). */
  options: {
    adapter: "no adapter is needed: the edge connects the processes of a group",
    addTrailingSlash: "set --add-trailing-slash at the edge",
    allowEIO3: "clients of version 2 are not served",
    allowRequest: "set --cors-origin at the edge, and decide about clients in io.use()",
    allowUpgrades: "set --allow-upgrades at the edge",
    connectTimeout: "set --connect-timeout at the edge",
    cookie: "set --cookie at the edge",
    cors: "set --cors-origin at the edge",
    destroyUpgrade: "the edge serves HTTP",
    destroyUpgradeTimeout: "the edge serves HTTP",
    httpCompression: "the edge does not compress",
    maxDisconnectionDuration: "set --recovery-window at the edge",
    maxHttpBufferSize: "set --max-payload at the edge",
    parser: "clients use the default parser",
    path: "set --path at the edge",
    perMessageDeflate: "the edge does not compress",
    pingInterval: "set --ping-interval at the edge",
    pingTimeout: "set --ping-timeout at the edge",
    serveClient: "clients bring their own bundle, or --static-dir at the edge serves one",
    transports: "set --transports at the edge",
    upgradeTimeout: "set --upgrade-timeout at the edge",
    wsEngine: "the edge serves WebSocket",
  },
  /** Members of a Server. */
  io: {
    adapter: "no adapter is needed: the edge connects the processes of a group",
    attach: "the edge serves the clients: give new Server() the address of its control port",
    attachApp: "the edge serves the clients: give new Server() the address of its control port",
    bind: "the edge has its own engine",
    connectTimeout: "set --connect-timeout at the edge",
    httpServer: "the edge serves HTTP; an HTTP server of this program is on a port of its own",
    listen: "the edge serves the clients: give new Server() the address of its control port",
    onconnection: "connections are the edge's",
    path: "set --path at the edge",
    serveClient: "clients bring their own bundle, or --static-dir at the edge serves one",
  },
  /** Members of io.engine, and events of it. */
  engine: {
    attach: "the edge has its own engine",
    clients: "connections are the edge's; io.engine.clientsCount counts those with a socket here",
    close: "the connections outlive this program: io.disconnectSockets(true) ends them",
    connection_error: "refused connections are in the metrics and the log of the edge",
    generateId: "the edge makes the ids",
    handleRequest: "the edge serves HTTP",
    handleUpgrade: "the edge serves HTTP",
    headers: "set --response-headers at the edge",
    initial_headers: "set --response-headers at the edge",
    opts: "its options are the configuration of the edge",
    use: "HTTP middlewares run where HTTP is: put a proxy before the edge",
  },
  /** Members of socket.conn, and events of it. */
  conn: {
    close: "socket.disconnect(true) ends the connection",
    data: "packets are read at the edge: see socket.onAny()",
    drain: "the edge writes: its queues are in its metrics",
    flush: "the edge writes: its queues are in its metrics",
    heartbeat: "heartbeats are the edge's",
    message: "packets are read at the edge: see socket.onAny()",
    packet: "packets are read at the edge: see socket.onAny()",
    packetCreate: "packets are made at the edge: see socket.onAnyOutgoing()",
    send: "the edge writes: socket.emit()",
    upgrading: "only the upgrade itself is told: listen to \"upgrade\"",
    write: "the edge writes: socket.emit()",
  },
} as const;

type Where = keyof typeof elsewhere;

const names: Record<Where, string> = { options: "new Server", io: "io", engine: "io.engine", conn: "socket.conn" };

/** Throws if an event is not here. */
export function refuseEvent(where: Where, event: string): void {
  if (event !== "close") refuse(where, event); // it is an event here, only no method
}

/** Throws if a member or an option is not here. */
export function refuse(where: Where, name: string): void {
  const why: string | undefined = Object.hasOwn(elsewhere[where], name) ? (elsewhere[where] as Record<string, string>)[name] : undefined;
  if (why !== undefined) throw new Error(`${names[where]}: "${name}" is not available: ${why}`);
}

/** Makes the use of every such member of a class throw, also to replace it. */
export function refuseMembers(prototype: object, where: Where): void {
  for (const name of Object.keys(elsewhere[where])) {
    const throws = () => refuse(where, name);
    Object.defineProperty(prototype, name, { get: throws, set: throws, configurable: true });
  }
}
