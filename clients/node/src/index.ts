/**
 * The Socket.IO server API for backends whose clients are connected to sio-edge.
 *
 * @packageDocumentation
 */
export { Server } from "./server";
export { Namespace, type ExtendedError, type Middleware } from "./namespace";
export { type NamespaceMatcher } from "./parent-namespace";
export { Socket, type Event, type EventMiddleware } from "./socket";
export { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
export { type DefaultEventsMap, type EventsMap } from "./events";
export { type ConnectionEnd, type ConnectionRequest, type Handshake } from "./handshake";
export { Client, Connection, type Transport } from "./client";
export { Engine } from "./engine";
export { Rooms, type Room, type SocketId } from "./rooms";
export { type DisconnectReason } from "./reasons";
export { type ServerOptions } from "./options";
export { type LinkState, type LinkStatus, Status } from "./link/status";
export { traceparent, withTraceparent } from "./trace";
export { EdgeError } from "./link/grpc";
