// Checked by the compiler only: what the four generics promise.
import { BroadcastOperator, Namespace, RemoteSocket, Server, Socket } from "../src/index";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function is<A, B>(_yes: Equal<A, B>): void {}

interface FromClient {
  say: (text: string) => void;
  sum: (a: number, b: number, ack: (sum: number) => void) => void;
}

interface ToClient {
  said: (text: string, by: string) => void;
  ask: (question: string, ack: (answer: number) => void) => void;
  askMaybe: (question: string, ack: (err: Error, answer: string) => void) => void;
  ping: (ack: () => void) => void;
}

interface Between {
  reload: (what: string) => void;
}

interface Data {
  user: string;
}

export function typed(io: Server<FromClient, ToClient, Between, Data>, parent: Namespace<FromClient, ToClient, Between, Data>): void {
  io.on("connection", (socket) => {
    is<typeof socket, Socket<FromClient, ToClient, Between, Data>>(true);
    is<typeof socket.data, Data>(true);
    socket.on("say", (text) => is<typeof text, string>(true));
    socket.on("sum", (a, b, ack) => {
      is<[typeof a, typeof b], [number, number]>(true);
      ack(a + b);
      // @ts-expect-error a string is no sum
      ack("3");
    });
    socket.on("disconnect", (reason) => {
      const known: string = reason;
      // @ts-expect-error there is no such reason
      if (reason === "bored") return known;
      return undefined;
    });
    // @ts-expect-error no such event
    socket.on("whisper", () => {});

    socket.emit("said", "hi", "me");
    // @ts-expect-error an argument is missing
    socket.emit("said", "hi");
    // @ts-expect-error events of clients are not emitted
    socket.emit("say", "hi");
    socket.emit("ask", "?", (answer) => is<typeof answer, number>(true));
    socket.timeout(1).emit("ask", "?", (err, answer) => {
      is<typeof err, Error>(true);
      is<typeof answer, number>(true);
    });
    void socket.emitWithAck("ask", "?").then((answer) => is<typeof answer, number>(true));
    void socket.timeout(1).emitWithAck("ask", "?").then((answer) => is<typeof answer, number>(true));
    void socket.timeout(1).emitWithAck("askMaybe", "?").then((answer) => is<typeof answer, string>(true));
    // @ts-expect-error no acknowledgement
    void socket.emitWithAck("said", "hi", "me");
    socket.to("r").emit("said", "hi", "me");
    socket.broadcast.emit("ask", "?", (answers) => is<typeof answers, number[]>(true));
    socket.to("r").timeout(1).emit("ask", "?", (err, answers) => {
      is<typeof err, Error>(true);
      is<typeof answers, number[]>(true);
    });
    // @ts-expect-error an argument of the wrong type
    socket.to("r").emit("said", 1, "me");
    socket.volatile.emit("said", "hi", "me");
    socket.compress(false).emit("said", "hi", "me");
  });
  io.emit("said", "hi", "me");
  // @ts-expect-error a namespace does not ask without timeout
  io.emit("ask", "?", () => {});
  io.timeout(1).emit("ask", "?", (err, answers) => {
    is<typeof err, Error>(true);
    is<typeof answers, number[]>(true);
  });
  void io.timeout(1).emitWithAck("ask", "?").then((answers) => is<typeof answers, number[]>(true));
  void io.to("r").fetchSockets().then((sockets) => {
    for (const s of sockets) is<typeof s.data, Data>(true);
    const remote = sockets.find((s) => s instanceof RemoteSocket);
    if (remote instanceof RemoteSocket) remote.emit("said", "hi", "me");
  });
  io.on("reload", (what) => is<typeof what, string>(true));
  // @ts-expect-error not between servers
  io.serverSideEmit("say", "x");
  io.use((socket, next) => {
    socket.data.user = "u";
    next(Object.assign(new Error("no"), { data: { code: 1 } }));
  });
  io.of("/x", (socket) => is<typeof socket.data, Data>(true));
  is<typeof parent.name, string>(true);
  is<ReturnType<typeof io.local.to> extends BroadcastOperator<any, Data> ? true : false, true>(true);
}

export function untyped(io: Server): void {
  io.on("connection", (socket) => {
    is<typeof socket.data, any>(true);
    socket.on("anything", (a, b, ack) => ack(a, b));
    socket.emit("anything", 1, "2", (x: number) => x);
    void socket.emitWithAck("anything", 1).then((x) => is<typeof x, any>(true));
    socket.timeout(5).emit("anything", (err: Error, x: number) => [err, x]);
    socket.onAny((event, ...args) => [event, args]);
    socket.use(([event, ...args], next) => next(event === "" ? new Error(String(args)) : undefined));
  });
  io.to("a").timeout(1).emit("anything", 1, (err: Error, all: number[]) => [err, all]);
  void io.timeout(1).emitWithAck("anything", 1).then((all) => is<typeof all, any>(true));
  io.of(/x/).on("connection", (socket) => socket.join("y"));
  io.of((name, auth, next) => next(null, name === auth["name"]));
}
