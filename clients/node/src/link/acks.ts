import { AckOutcome, type AckSummary, type ClientAck } from "../gen/sioedge/v1/command";
import { decodeArgs } from "../payload";

/** How the answers to one emit are given to whoever waits. */
export interface Awaited {
  /** An answer of one client. */
  answer(args: unknown[]): void;
  /** No more answers will come. Without a summary nobody knows how many are missing. */
  end(summary?: AckSummary): void;
}

/** The emits whose acknowledgements are awaited, by command id. */
export class Acks {
  private readonly waiting = new Map<string, Awaited>();

  /** onError gets what a callback throws. */
  constructor(private readonly onError: (err: unknown) => void) {}

  /** How many emits wait. */
  get size(): number {
    return this.waiting.size;
  }

  add(id: string, awaited: Awaited): void {
    this.waiting.set(id, awaited);
  }

  /** Stops to wait; what comes later is ignored. */
  forget(id: string): void {
    this.waiting.delete(id);
  }

  take(acks: readonly ClientAck[], summaries: readonly AckSummary[]): void {
    for (const a of acks) {
      const awaited = this.waiting.get(a.commandId);
      if (awaited !== undefined && a.outcome === AckOutcome.ACKED) this.guard(() => awaited.answer(decodeArgs(a.payload)));
    }
    for (const s of summaries) this.end(s.commandId, s);
  }

  /** Ends the waiting; without a summary, as when the edge refused the emit. */
  end(id: string, summary?: AckSummary): void {
    const awaited = this.waiting.get(id);
    if (awaited === undefined) return;
    this.waiting.delete(id);
    this.guard(() => awaited.end(summary));
  }

  private guard(call: () => void): void {
    try {
      call();
    } catch (err) {
      this.onError(err);
    }
  }
}

/** An Awaited for the one recipient of socket.emit(). */
export function one(callback: (err: Error | null, args: unknown[]) => void): Awaited {
  let answered = false;
  return {
    answer(args) {
      if (answered) return;
      answered = true;
      callback(null, args);
    },
    end() {
      if (!answered) callback(timedOut(), []);
    },
  };
}

/** An Awaited for a broadcast: the first argument of each answer. */
export function many(callback: (err: Error | null, responses: unknown[]) => void): Awaited & { responses: unknown[] } {
  const responses: unknown[] = [];
  return {
    responses,
    answer: (args) => void responses.push(args[0]),
    end: (s) => callback(s !== undefined && s.acked >= s.expected ? null : timedOut(), responses),
  };
}

/** An Awaited for serverSideEmit(). Processes that have left meanwhile are not missing. */
export function toEveryOther(callback: (missing: number, answers: unknown[]) => void): Awaited {
  const answers: unknown[] = [];
  return {
    answer: (args) => void answers.push(args[0]),
    end: (s) => callback(s === undefined ? Infinity : s.timedOut + s.dropped, answers),
  };
}

/** The error of serverSideEmit(). */
export function timedOutOf(missing: number, answers: number): Error {
  const of = Number.isFinite(missing) ? ` of ${answers + missing}` : "";
  return new Error(`operation has timed out: ${answers}${of} processes have answered`);
}

export function timedOut(): Error {
  return new Error("operation has timed out");
}
