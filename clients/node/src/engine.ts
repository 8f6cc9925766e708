import { EventEmitter } from "node:events";
import type { Clients, Connection } from "./client";
import { refuseEvent, refuseMembers } from "./elsewhere";

interface EngineEvents {
  connection: [conn: Connection];
}

/** What can be seen of the clients' connections from here. */
export class Engine extends EventEmitter<EngineEvents> {
  /** @internal */
  constructor(private readonly known: Clients) {
    super();
  }

  /** The clients that have a socket in this process. */
  get clientsCount(): number {
    return this.known.size;
  }

  /** @internal */
  override on(event: any, listener: (...args: any[]) => void): this {
    refuseEvent("engine", event);
    return super.on(event, listener);
  }

  /** @internal */
  override once(event: any, listener: (...args: any[]) => void): this {
    refuseEvent("engine", event);
    return super.once(event, listener);
  }
}

refuseMembers(Engine.prototype, "engine");
