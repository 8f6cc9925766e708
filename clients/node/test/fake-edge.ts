import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { join } from "node:path";
import { afterEach, beforeEach } from "node:test";
import { Server, type ServerOptions } from "../src/index";

type Stream = grpc.ServerDuplexStream<any, any>;

const proto = join(__dirname, "../../../../proto");
const definition = loadSync(["event_service", "session_service"].map((f) => join(proto, `sioedge/v1/${f}.proto`)), {
  includeDirs: [proto, join(proto, "../third_party")],
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});
const services = grpc.loadPackageDefinition(definition) as any;

/** One attachment of a member, as the edge sees it. */
export class FakeStream {
  readonly received: any[] = [];
  ended = false;
  private waiting: (() => void)[] = [];
  private nextDelivery = 1;

  constructor(
    private readonly rpc: Stream,
    private readonly edge: FakeEdge,
  ) {
    rpc.on("data", (m) => this.take(m));
    rpc.on("end", () => {
      this.ended = true;
      rpc.end();
      this.wake();
    });
    rpc.on("error", () => {});
    rpc.on("cancelled", () => {
      this.ended = true;
      this.wake();
    });
  }

  /** Resolves with the first message that fits, taking it out of what was received. */
  async expect<T = any>(fits: (m: any) => T | undefined | null | false): Promise<T> {
    const deadline = Date.now() + 5_000;
    for (;;) {
      for (let i = 0; i < this.received.length; i++) {
        const found = fits(this.received[i]);
        if (found) {
          this.received.splice(i, 1);
          return found;
        }
      }
      if (Date.now() > deadline) throw new Error(`no such message among ${JSON.stringify(this.received)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200);
        this.waiting.push(() => (clearTimeout(timer), resolve()));
      });
    }
  }

  send(message: any): void {
    this.rpc.write(message);
  }

  /** Welcomes the member and tells it of sessions. */
  welcome(given: any = {}, sessions: any[] = []): void {
    this.send({ welcome: { protocolVersion: 1, edgeId: "edge", epoch: 1, logId: "log", resume: "RESUME_OUTCOME_FRESH", ...given } });
    if (given.resume !== "RESUME_OUTCOME_CONTINUED") this.send({ snapshot: { sessions, last: true } });
  }

  /** Delivers events in one batch; returns the delivery ids. */
  deliver(...events: any[]): number[] {
    const deliveries = events.map((event) => {
      const { attempt = 1, traceParent = "", ...rest } = event;
      const offset = rest.offset ?? ++this.edge.offset;
      return { deliveryId: this.nextDelivery++, attempt, traceParent, event: { namespace: "/", seq: offset, ...rest, offset } };
    });
    this.send({ deliveries: { deliveries } });
    return deliveries.map((d) => d.deliveryId);
  }

  /** Resolves when the delivery is settled by an Ack. */
  settled(id: number): Promise<boolean> {
    return this.expect((m) => m.ack?.done.some((r: any) => r.first <= id && id <= r.last) && true);
  }

  /** Ends the stream with a status and an encoded google.rpc.Status. */
  failWith(code: number, details: string, status: Buffer): void {
    const metadata = new grpc.Metadata();
    metadata.set("grpc-status-details-bin", status);
    (this.rpc as any).call.sendStatus({ code, details, metadata });
  }

  private take(m: any): void {
    if (m.heartbeat && this.edge.answersHeartbeats) {
      this.send({ progress: { nonce: m.heartbeat.nonce } });
      return;
    }
    if (m.replies) this.received.push(...m.replies.replies.map((reply: any) => ({ reply })));
    else this.received.push(m);
    this.wake();
  }

  private wake(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const f of waiting) f();
  }
}

/** A real gRPC server that does what a test says. Its codec is not the one under test. */
export class FakeEdge {
  answersHeartbeats = true;
  offset = 0;
  /** Answers ListSessions. */
  list: (request: any) => any[] = () => [];
  address = "";

  private readonly streams: FakeStream[] = [];
  private readonly attached: ((s: FakeStream) => void)[] = [];
  private server: grpc.Server | undefined;

  /** Listens; on the same port again after a stop. */
  async start(): Promise<this> {
    const server = new grpc.Server();
    server.addService(services.sioedge.v1.EventService.service, {
      Subscribe: (rpc: Stream) => {
        const s = new FakeStream(rpc, this);
        const waiter = this.attached.shift();
        if (waiter) waiter(s);
        else this.streams.push(s);
      },
    });
    server.addService(services.sioedge.v1.SessionService.service, {
      ListSessions: (call: any, done: any) => done(null, { sessions: this.list(call.request), nextPageToken: "" }),
    });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(this.address || "127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (err, p) => (err ? reject(err) : resolve(p))),
    );
    this.server = server;
    this.address = `127.0.0.1:${port}`;
    return this;
  }

  /** The next attachment, and its Hello. */
  async accept(): Promise<[FakeStream, any]> {
    const s = this.streams.shift() ?? (await new Promise<FakeStream>((resolve) => this.attached.push(resolve)));
    return [s, await s.expect((m) => m.hello)];
  }

  /** Dies at once, as by kill -9. */
  stop(): void {
    this.server?.forceShutdown();
  }
}

/** Gives every test of a file a scripted edge, and takes down what was attached to it. */
export function scripted() {
  let edge: FakeEdge;
  let servers: Server[] = [];
  const errors: unknown[] = [];
  beforeEach(async () => {
    edge = await new FakeEdge().start();
    errors.length = 0;
  });
  afterEach(async () => {
    edge.stop();
    await Promise.all(servers.map((s) => s.close()));
    servers = [];
  });
  return {
    errors,
    edge: () => edge,
    serve(options: Partial<ServerOptions> = {}): Server {
      const io = new Server(edge.address, { group: "g", onError: (err) => errors.push(err), ...options });
      servers.push(io);
      return io;
    },
    /** Waits for the next Hello, welcomes, and waits until that has arrived. */
    async attach(io: Server, welcome?: any, sessions?: any[]): Promise<FakeStream> {
      const [stream] = await edge.accept();
      stream.welcome(welcome, sessions);
      await io.status.attached();
      return stream;
    },
  };
}

/** An Opened event. */
export function opened(sid: string, session: any = {}, auth?: object): any {
  return {
    sid,
    opened: {
      session: { sid, namespace: "/", connectionId: `c-${sid}`, state: "SESSION_STATE_OPEN", transport: "websocket", ...session },
      authJson: auth ? Buffer.from(JSON.stringify(auth)) : Buffer.alloc(0),
    },
  };
}

/** A ClientEvent. */
export function emitted(sid: string, event: string, args: unknown[] = [], wantsReply = false): any {
  return { sid, clientEvent: { event, payload: { json: Buffer.from(JSON.stringify(args)) }, wantsReply } };
}

/** Commands of a message, one by one. */
export function commands(m: any): any[] {
  return m.commands?.commands ?? [];
}
