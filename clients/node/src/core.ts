import { RemoteSocket } from "./broadcast-operator";
import { Clients } from "./client";
import { Deliveries } from "./deliveries";
import { sizeOf } from "./emit";
import { Engine } from "./engine";
import type { Command, Emit } from "./gen/sioedge/v1/command";
import { EventKind } from "./gen/sioedge/v1/event";
import type { CommandResultBatch, GroupSpec, ToldBatch } from "./gen/sioedge/v1/event_service";
import { readListSessionsResponse, writeListSessionsRequest } from "./gen/sioedge/v1/session_service";
import { SessionState } from "./gen/sioedge/v1/session";
import type { Target } from "./gen/sioedge/v1/command";
import { toHandshake } from "./handshake";
import { Acks } from "./link/acks";
import { Code, EdgeError, infoReason } from "./link/grpc";
import { Link, type LinkHandler } from "./link/link";
import { Outbox } from "./link/outbox";
import { Status } from "./link/status";
import type { Namespace } from "./namespace";
import { type Completed, unique } from "./options";
import { checkSize } from "./payload";
import type { ParentNamespace } from "./parent-namespace";
import type { Server } from "./server";
import { Sessions } from "./sessions";
import type { Socket } from "./socket";
import { hear } from "./tell";
import type { Init } from "./wire/index";

type AnySocket = Socket<any, any, any, any>;
type AnyNamespace = Namespace<any, any, any, any>;

const VERSION = "0.1.0";
const SAVE_DATA_AFTER = 50;
const CLOSE_WITHIN = 10_000;

/** Everything behind the API: the link to the edge and what goes over it. */
export class Core {
  readonly status = new Status();
  readonly acks: Acks;
  readonly clients: Clients;
  readonly engine: Engine;
  readonly outbox: Outbox;
  readonly sessions: Sessions;
  readonly deliveries: Deliveries;

  private readonly link: Link;
  private readonly commandPrefix = `${unique()}.`;
  private commands = 0;
  private touched: AnySocket[] = [];
  private saver: NodeJS.Timeout | undefined;
  private logId = "";
  private epoch = 0;
  private heard = 0; // the last Told.toldId in this epoch
  private renewing = false;
  private closing: Promise<void> | undefined;
  private closed = false;

  constructor(
    private readonly server: Server<any, any, any, any>,
    url: string,
    private readonly options: Completed,
  ) {
    this.acks = new Acks((err) => options.onError(err, "acknowledgement", undefined));
    this.clients = new Clients(server, (conn) => this.engine.emit("connection", conn));
    this.engine = new Engine(this.clients);
    this.outbox = new Outbox({ commands: options.maxKeptCommands, bytes: options.maxKeptBytes }, (id) => this.dropped(id));
    this.sessions = new Sessions(server);
    this.deliveries = new Deliveries(this.outbox, this.sessions, {
      concurrent: options.handlers === "concurrent",
      replyWithin: options.replyWithin,
      extendEvery: options.ackDeadline / 3,
      onError: options.onError,
    });
    const flow = { maxOutstandingEvents: options.maxOutstanding, maxOutstandingPerSession: options.maxOutstandingPerSession };
    const who = { sdk: `node/${VERSION}`, group: options.group, memberId: options.memberId, instanceId: unique(), flow };
    this.link = new Link({ url, tls: options.tls, token: options.token, metadata: options.metadata }, who, () => this.spec(), this.handler(), this.outbox, this.status);
    this.status.on("change", ({ state }) => {
      if (state === "attached") this.routesChanged(); // in case that it did since Hello
    });
    // Namespaces and middlewares that the program adds in this turn belong to the first Hello.
    setImmediate(() => this.link.open());
  }

  /** Queues a command that is not an emit and returns its id. Throws if it is larger than any edge takes. */
  command(op: Init<Command>): string {
    const command = { ...op, commandId: this.nextId(), quiet: true };
    const size = sizeOf(command);
    checkSize(size);
    if (!this.closed) this.outbox.command({ command, size, keep: true });
    return command.commandId;
  }

  /** Queues an emit and returns its command id. Throws if it is larger than any edge takes. */
  send(emit: Init<Emit>): string {
    const command = { commandId: this.nextId(), emit, quiet: true };
    const size = sizeOf(command);
    checkSize(size);
    if (!this.closed) this.outbox.command({ command, size, keep: !emit.volatile });
    return command.commandId;
  }

  /** Calls listeners; what they throw is told to the program and nobody else. */
  async guard(run: () => Promise<unknown> | undefined): Promise<void> {
    try {
      await run();
    } catch (err) {
      this.options.onError(err, "lifecycle", undefined);
    }
  }

  /** The data of a socket may have changed: it is saved soon. */
  touch(socket: AnySocket): void {
    if (socket._touched || !socket.connected) return;
    socket._touched = true;
    this.touched.push(socket);
    this.saver ??= setTimeout(() => this.saveData(), SAVE_DATA_AFTER);
  }

  /** The data of a socket as JSON; undefined if there is none, or none that JSON can hold. */
  encodeData(socket: AnySocket): string | undefined {
    try {
      const json = JSON.stringify(socket._peekData());
      return json === "{}" && socket._savedData === undefined ? undefined : json;
    } catch (err) {
      this.options.onError(err, "socket.data", socket);
      return socket._savedData;
    }
  }

  /** Asks the edge for the sessions of a target. */
  async listSessions(nsp: AnyNamespace, filter: Init<Target>): Promise<unknown[]> {
    this.saveData();
    // What was said before must have been done: joins go over the stream, this call beside it.
    await new Promise<void>((reached) => this.outbox.barrier(reached));
    const found: unknown[] = [];
    let pageToken = "";
    do {
      const page = await this.link.unary(
        "SessionService/ListSessions",
        writeListSessionsRequest,
        { filter, pageSize: 1000, pageToken },
        readListSessionsResponse,
      );
      for (const s of page.sessions) {
        if (s.state !== SessionState.OPEN) continue;
        const own = nsp.sockets.get(s.sid);
        if (own !== undefined) {
          nsp.adapter.addAll(s.sid, s.rooms); // others may have made it join
          found.push(own);
          continue;
        }
        const data = s.attributes["data"];
        const details = { id: s.sid, handshake: toHandshake(s.handshake, {}), rooms: [s.sid, ...s.rooms], data: data ? JSON.parse(data) : {} };
        found.push(new RemoteSocket(nsp, details));
      }
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return found;
  }

  /** What the group wants has changed: the edge has to be told in a new Hello. */
  routesChanged(): void {
    if (this.renewing) return;
    this.renewing = true;
    setImmediate(() => {
      this.renewing = false;
      this.link.renew();
    });
  }

  /** Leaves the group: waits for what runs, says what is to be said, ends. */
  close(): Promise<void> {
    return (this.closing ??= this.end());
  }

  private async end(): Promise<void> {
    this.link.leave();
    const patience = Date.now() + CLOSE_WITHIN;
    await until(() => this.deliveries.pending === 0, patience);
    this.saveData();
    let said = false;
    this.outbox.barrier(() => (said = true));
    await until(() => said || !this.outbox.attached, patience);
    await this.link.close(1_000);
    // The clients stay; only this process does not see them any more. What its listeners emit now
    // would say that they had gone.
    this.closed = true;
    this.sessions.each((socket) => void this.guard(() => this.sessions.close(socket, "server shutting down")));
    clearTimeout(this.saver);
    this.deliveries.close();
  }

  private handler(): LinkHandler {
    return {
      attached: (welcome) => {
        const log = `${welcome.edgeId} ${welcome.logId}`;
        this.deliveries.attached(this.logId === "" || log === this.logId);
        this.logId = log;
        if (this.epoch !== welcome.epoch) this.heard = 0; // it counts anew
        this.epoch = welcome.epoch;
      },
      detached: () => this.deliveries.detached(),
      deliveries: (batch) => {
        for (const d of batch.deliveries) this.deliveries.take(d);
      },
      results: (batch) => this.results(batch),
      clientAcks: (batch) => this.acks.take(batch.acks, batch.summaries),
      assignment: (change) => this.sessions.assignment(change),
      snapshot: (part) => this.sessions.snapshot(part),
      changes: (batch) => batch.changes.forEach((change) => this.sessions.changed(change)),
      told: (batch) => this.told(batch),
    };
  }

  // What was heard on a stream that broke before the edge knew is told again.
  private told(batch: ToldBatch): void {
    for (const told of batch.told) {
      if (told.toldId <= this.heard) continue;
      this.heard = told.toldId;
      hear(this.server, told, (err) => this.options.onError(err, told.event, undefined));
    }
    this.outbox.heard(this.heard);
  }

  private dropped(commandId: string): void {
    this.acks.end(commandId);
    this.status.emit("command_error", new EdgeError("the edge is away, and more commands than are kept have come since", Code.UNAVAILABLE, "DROPPED"));
  }

  // Only commands that failed have a result.
  private results(batch: CommandResultBatch): void {
    for (const { commandId, status } of batch.results) {
      if (status === undefined) continue;
      this.acks.end(commandId);
      const reason = infoReason(status.details);
      if (reason === "SESSION_GONE") continue; // as in one process: who has gone gets nothing
      this.status.emit("command_error", new EdgeError(status.message, status.code, reason));
    }
  }

  private saveData(): void {
    clearTimeout(this.saver);
    this.saver = undefined;
    const sockets = this.touched;
    this.touched = [];
    for (const s of sockets) {
      s._touched = false;
      const json = this.encodeData(s);
      if (json === s._savedData || s._ended) continue;
      s._savedData = json;
      const update = { sid: s.id, namespace: s.nsp.name };
      this.command({ update: json === undefined ? { ...update, unset: ["data"] } : { ...update, set: { data: json } } });
    }
  }

  private spec(): Init<GroupSpec> {
    const { ackDeadline, maxAttempts, memberGrace } = this.options;
    const kinds = [EventKind.OPENED, EventKind.SUSPENDED, EventKind.RESUMED, EventKind.CLOSED, EventKind.CLIENT_EVENT];
    const asked = [EventKind.CONNECT_REQUESTED, ...kinds];
    const routes = new Map<string, EventKind[]>();
    for (const nsp of this.server._nsps.values()) routes.set(nsp.name, nsp._fns.length > 0 ? asked : kinds);
    for (const parent of this.server._parents) routes.set((parent as ParentNamespace)._glob, asked);
    return {
      routes: [...routes].map(([namespace, kinds]) => ({ namespace, kinds })),
      ackDeadline: duration(ackDeadline),
      maxAttempts,
      memberGrace: duration(memberGrace),
    };
  }

  private nextId(): string {
    return this.commandPrefix + (this.commands++).toString(36);
  }
}

function duration(ms: number): { seconds: number; nanos: number } {
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1e6 };
}

async function until(condition: () => boolean, deadline: number): Promise<void> {
  while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
}
