import type { Told } from "./gen/sioedge/v1/event_service";
import { timedOutOf, toEveryOther } from "./link/acks";
import type { Namespace } from "./namespace";
import { decodeArgs, encodeArgs } from "./payload";
import type { Server } from "./server";

/** Names that a namespace emits by itself. */
const RESERVED: ReadonlySet<string | symbol> = new Set(["connect", "connection", "new_namespace"]);

const ANSWER_WITHIN = 5_000;

/**
 * Says something to the other processes of the group. With a callback as last argument they are
 * asked; it gets an error or null, then one answer of each that gave one.
 */
export function tellOthers(nsp: Namespace<any, any, any, any>, event: string | symbol, args: unknown[]): void {
  if (RESERVED.has(event)) throw new Error(`"${String(event)}" is a reserved event name`);
  const { _core: core } = nsp.server;
  const callback = typeof args.at(-1) === "function" ? (args.pop() as (err: Error | null, answers: unknown[]) => void) : undefined;
  const tell = { namespace: nsp.name, event: String(event), payload: encodeArgs(args) };
  if (callback === undefined) {
    core.command({ tell });
    return;
  }
  const id = core.command({ tell: { ...tell, ack: { timeout: { seconds: ANSWER_WITHIN / 1000 } } } });
  const timer = setTimeout(() => core.acks.end(id), ANSWER_WITHIN); // for when the edge is away
  core.acks.add(
    id,
    toEveryOther((missing, answers) => {
      clearTimeout(timer);
      callback(missing === 0 ? null : timedOutOf(missing, answers.length), answers);
    }),
  );
}

/** Calls the listeners of what another process said. One that has none is not waited for. */
export function hear(server: Server<any, any, any, any>, { toldId, namespace, event, payload, asks }: Told, onError: (err: unknown) => void): void {
  const nsp = server._nsps.get(namespace);
  const { _core: core } = server;
  if (nsp === undefined || nsp.listenerCount(event) === 0) {
    if (asks) core.command({ answer: { toldId, absent: true } });
    return;
  }
  const args = decodeArgs(payload);
  let answered = false;
  if (asks) {
    args.push((...answer: unknown[]) => {
      if (answered) return;
      answered = true;
      core.command({ answer: { toldId, payload: encodeArgs(answer) } });
    });
  }
  try {
    nsp._run(event, args)?.catch(onError);
  } catch (err) {
    onError(err);
  }
}
