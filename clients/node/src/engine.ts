import { EventEmitter } from "node:events";
import { type Clients, type Connection, refuse } from "./client";

interface EngineEvents {
  connection: [conn: Connection];
}

const elsewhere = new Map([
  ["use", "HTTP middlewares run where HTTP is: put a proxy before the edge"],
  ["headers", "response headers are set in the edge's configuration"],
  ["initial_headers", "response headers are set in the edge's configuration"],
  ["connection_error", "refused connections are in the edge's metrics and log"],
]);

/** What can be seen of the clients' connections from here. */
export class Engine extends EventEmitter<EngineEvents> {
  /** @internal */
  constructor(private readonly clients: Clients) {
    super();
  }

  /** The clients that have a socket in this process. */
  get clientsCount(): number {
    return this.clients.size;
  }

  /** Throws: HTTP is served by the edge. */
  use(): void {
    refuse("io.engine", elsewhere, "use");
  }

  override on(event: any, listener: (...args: any[]) => void): this {
    refuse("io.engine", elsewhere, event);
    return super.on(event, listener);
  }

  override once(event: any, listener: (...args: any[]) => void): this {
    refuse("io.engine", elsewhere, event);
    return super.once(event, listener);
  }
}
