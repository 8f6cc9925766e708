import { CloseReason } from "./gen/sioedge/v1/event";

/** Why a socket is disconnected, in the words of Socket.IO. */
export type DisconnectReason =
  | "transport error"
  | "transport close"
  | "forced close"
  | "ping timeout"
  | "parse error"
  | "server shutting down"
  | "forced server close"
  | "client namespace disconnect"
  | "server namespace disconnect"
  /** The session lives on, in another process of the group. Only with sio-edge. */
  | "session moved";

const words: Partial<Record<CloseReason, DisconnectReason>> = {
  [CloseReason.CLIENT]: "client namespace disconnect",
  [CloseReason.BACKEND]: "server namespace disconnect",
  [CloseReason.TRANSPORT_CLOSE]: "transport close",
  [CloseReason.TRANSPORT_ERROR]: "transport error",
  [CloseReason.PING_TIMEOUT]: "ping timeout",
  [CloseReason.PARSE_ERROR]: "parse error",
  [CloseReason.FORCED_CLOSE]: "forced close",
  [CloseReason.FORCED_SERVER_CLOSE]: "forced server close",
  [CloseReason.EDGE_DRAIN]: "server shutting down",
  [CloseReason.SLOW_CONSUMER]: "forced close",
  [CloseReason.EDGE_RESTART]: "transport close",
};

/** The word for a reason of the contract. */
export function toReason(reason: CloseReason): DisconnectReason {
  return words[reason] ?? "transport close";
}
