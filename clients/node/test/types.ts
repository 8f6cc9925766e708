// Checked by the compiler only: what the four generics promise.
import { BroadcastOperator, type DefaultEventsMap, type DisconnectReason, Namespace, RemoteSocket, Server, Socket } from "../src/index";

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

/** The maps as they become on the way to an emit, written out. */
interface Asked {
  nothing: () => void;
  text: (text: string, n: number) => void;
  two: (a: boolean, ack: (b: boolean, c: string) => void) => void;
  one: (a: boolean, ack: (b: string) => void) => void;
  bare: (ack: () => void) => void;
}

interface AskedInTime {
  nothing: () => void;
  text: (text: string, n: number) => void;
  two: (a: boolean, ack: (err: Error, b: boolean, c: string) => void) => void;
  one: (a: boolean, ack: (err: Error, b: string) => void) => void;
  bare: (ack: (err: Error) => void) => void;
}

interface AskedOfMany {
  nothing: () => void;
  text: (text: string, n: number) => void;
  two: (a: boolean, ack: (b: boolean[]) => void) => void;
  one: (a: boolean, ack: (b: string[]) => void) => void;
  bare: (ack: () => void) => void;
}

interface AskedOfManyInTime {
  nothing: () => void;
  text: (text: string, n: number) => void;
  two: (a: boolean, ack: (err: Error, b: boolean[]) => void) => void;
  one: (a: boolean, ack: (err: Error, b: string[]) => void) => void;
  bare: (ack: (err: Error) => void) => void;
}

type Emits<M extends Record<K, (...args: any) => any>, K extends keyof M> = (event: K, ...args: Parameters<M[K]>) => boolean;
type Resolves<K, A extends unknown[], R> = (event: K, ...args: A) => Promise<R>;

/** Every way to a broadcast has the same types, and every emit those of its event. */
export function broadcasts(io: Server<FromClient, Asked>): void {
  const nsp = io.of("/x");
  is<ReturnType<typeof io.to>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof io.in>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof io.except>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof io.compress>, BroadcastOperator<AskedOfMany, any>>(true);
  is<typeof io.volatile, BroadcastOperator<AskedOfMany, any>>(true);
  is<typeof io.local, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof io.timeout>, BroadcastOperator<AskedOfManyInTime, any>>(true);
  is<ReturnType<ReturnType<typeof io.timeout>["timeout"]>, BroadcastOperator<AskedOfManyInTime, any>>(true);
  const ioNothing = io.emit<"nothing">;
  is<typeof ioNothing, Emits<Asked, "nothing">>(true);
  const ioText = io.emit<"text">;
  is<typeof ioText, Emits<Asked, "text">>(true);
  // @ts-expect-error asks
  void io.emit<"one">;
  // @ts-expect-error asks
  void io.emit<"bare">;
  is<ReturnType<typeof nsp.to>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof nsp.in>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof nsp.except>, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof nsp.compress>, BroadcastOperator<AskedOfMany, any>>(true);
  is<typeof nsp.volatile, BroadcastOperator<AskedOfMany, any>>(true);
  is<typeof nsp.local, BroadcastOperator<AskedOfMany, any>>(true);
  is<ReturnType<typeof nsp.timeout>, BroadcastOperator<AskedOfManyInTime, any>>(true);
  is<ReturnType<ReturnType<typeof nsp.timeout>["timeout"]>, BroadcastOperator<AskedOfManyInTime, any>>(true);
  const nothing = nsp.emit<"nothing">;
  is<typeof nothing, Emits<Asked, "nothing">>(true);
  const text = nsp.emit<"text">;
  is<typeof text, Emits<Asked, "text">>(true);
  // @ts-expect-error asks
  void nsp.emit<"one">;
  // @ts-expect-error asks
  void nsp.emit<"bare">;
  const timed = io.timeout(1);
  const emits = [timed.emit<"nothing">, timed.emit<"text">, timed.emit<"two">, timed.emit<"one">, timed.emit<"bare">] as const;
  is<typeof emits, readonly [Emits<AskedOfManyInTime, "nothing">, Emits<AskedOfManyInTime, "text">, Emits<AskedOfManyInTime, "two">, Emits<AskedOfManyInTime, "one">, Emits<AskedOfManyInTime, "bare">]>(true);
  const resolves = [timed.emitWithAck<"bare">, timed.emitWithAck<"one">, timed.emitWithAck<"two">] as const;
  is<typeof resolves, readonly [Resolves<"bare", [], undefined>, Resolves<"one", [boolean], string[]>, Resolves<"two", [boolean], boolean[]>]>(true);
  const untimed = io.in("r");
  is<Parameters<typeof untimed.emitWithAck>[0], never>(true);
  // @ts-expect-error nobody is asked
  void timed.emitWithAck("nothing");
  // @ts-expect-error nobody is asked
  void timed.emitWithAck("text", "a", 1);
  io.on("connection", (s) => {
    is<ReturnType<typeof s.timeout>, Socket<FromClient, AskedInTime, DefaultEventsMap, any>>(true);
    const inTime = s.timeout(1);
    is<typeof inTime.broadcast, BroadcastOperator<AskedOfManyInTime, any>>(true);
    is<typeof s.broadcast, BroadcastOperator<AskedOfMany, any>>(true);
    is<ReturnType<typeof s.in>, BroadcastOperator<AskedOfMany, any>>(true);
    is<ReturnType<typeof s.to>, BroadcastOperator<AskedOfMany, any>>(true);
    is<ReturnType<typeof s.except>, BroadcastOperator<AskedOfMany, any>>(true);
    is<ReturnType<typeof s.broadcast.timeout>, BroadcastOperator<AskedOfManyInTime, any>>(true);
    const all = [s.emit<"nothing">, s.emit<"text">, s.emit<"two">, s.emit<"one">, s.emit<"bare">] as const;
    is<typeof all, readonly [Emits<Asked, "nothing">, Emits<Asked, "text">, Emits<Asked, "two">, Emits<Asked, "one">, Emits<Asked, "bare">]>(true);
    const one = [s.emitWithAck<"bare">, s.emitWithAck<"one">, s.emitWithAck<"two">, inTime.emitWithAck<"bare">, inTime.emitWithAck<"one">, inTime.emitWithAck<"two">] as const;
    type Answers = [Resolves<"bare", [], undefined>, Resolves<"one", [boolean], string>, Resolves<"two", [boolean], boolean>];
    is<typeof one, readonly [...Answers, ...Answers]>(true);
    // @ts-expect-error nobody is asked
    void s.emitWithAck("nothing");
    s.on("sum", (...args) => is<typeof args, [a: number, b: number, ack: (sum: number) => void]>(true));
    // @ts-expect-error an event of the server
    s.on("text", () => {});
    // @ts-expect-error no listener
    s.on("say");
    // @ts-expect-error more parameters than arguments
    s.on("say", (_a, _b) => {});
    // @ts-expect-error no name
    s.on(2, () => {});
  });
}

/** send() is an event "message", which there may not be. */
export function sends(io: Server<FromClient, Asked>, typed: Server<{}, { message: (a: number, b: string) => void }>, any: Server): void {
  // @ts-expect-error there is no "message"
  io.send(1);
  // @ts-expect-error there is no "message"
  io.of("/x").send();
  typed.send(1, "b");
  typed.of("/x").send(1, "b");
  // @ts-expect-error arguments are missing
  typed.send();
  // @ts-expect-error an argument of the wrong type
  typed.of("/x").send(1, 2);
  any.send();
  any.of("/x").send(1, "2", [3]);
}

/** What the processes of a group say to each other. */
export function processes(io: Server<FromClient, Asked, { nothing: () => void; reload: (what: string, n: number) => void; load: (of: string, ack: (n: number) => void) => void }>): void {
  const nsp = io.of("/x");
  io.serverSideEmit("nothing");
  io.serverSideEmit("reload", "prices", 1);
  io.serverSideEmit("load", "cpu", (err, all) => {
    is<typeof err, Error>(true);
    is<typeof all, number[]>(true);
  });
  void io.serverSideEmitWithAck("load", "cpu").then((all) => is<typeof all, number[]>(true));
  // @ts-expect-error nobody is asked
  void io.serverSideEmitWithAck("nothing");
  // @ts-expect-error nobody is asked
  void io.serverSideEmitWithAck("reload", "prices", 1);
  io.on("nothing", (...args) => is<typeof args, []>(true));
  io.on("reload", (what, n) => is<[typeof what, typeof n], [string, number]>(true));
  io.on("load", (of, ack) => is<[typeof of, typeof ack], [string, (n: number) => void]>(true));
  nsp.serverSideEmit("nothing");
  nsp.serverSideEmit("reload", "prices", 1);
  nsp.serverSideEmit("load", "cpu", (err, all) => {
    is<typeof err, Error>(true);
    is<typeof all, number[]>(true);
  });
  void nsp.serverSideEmitWithAck("load", "cpu").then((all) => is<typeof all, number[]>(true));
  // @ts-expect-error nobody is asked
  void nsp.serverSideEmitWithAck("nothing");
  // @ts-expect-error nobody is asked
  void nsp.serverSideEmitWithAck("reload", "prices", 1);
  nsp.on("nothing", (...args) => is<typeof args, []>(true));
  nsp.on("reload", (what, n) => is<[typeof what, typeof n], [string, number]>(true));
  nsp.on("load", (of, ack) => is<[typeof of, typeof ack], [string, (n: number) => void]>(true));
}

enum Names {
  connection = "connection",
  test = "test",
}

/** One map for both directions; names from an enum; nothing said at all. */
export function maps(one: Server<Asked>, silent: Server<FromClient, Asked, {}>, any: Server): void {
  // @ts-expect-error an event of clients
  silent.on("say", () => {});
  is<typeof one, Server<Asked, Asked, DefaultEventsMap, any>>(true);
  one.on("connection", (s) => is<typeof s, Socket<Asked, Asked, DefaultEventsMap, any>>(true));
  any.on(Names.connection, (s) => {
    is<typeof s, Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, any>>(true);
    s.on(Names.test, (a, b) => is<[typeof a, typeof b], [any, any]>(true));
    s.on("disconnecting", (reason) => is<typeof reason, DisconnectReason>(true));
    s.emit("random", 1, "2", [3]);
  });
  any.emit("random", 1, Function);
  any.emit("nothing");
}
