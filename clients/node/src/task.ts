import type { Event } from "./gen/sioedge/v1/event";
import type { ConnectDecision, SubscribeRequest } from "./gen/sioedge/v1/event_service";
import { bytesOf, checkSize, encodeArgs } from "./payload";
import type { Init } from "./wire/index";

/** Who a task tells what becomes of it. */
export interface TaskOwner {
  /** The client's callback is called, or a request to come in is decided about. */
  answered(task: Task): void;
  /** Nothing more will happen: the delivery is done. */
  finished(task: Task): void;
  /** A listener threw, or its promise rejected. */
  failed(task: Task, err: unknown): void;
}

/**
 * One event on its way through the listeners. It is over when they have finished: their promises
 * have settled, and whoever may still call back has.
 */
export class Task {
  /** What was answered; sent again when the event is delivered again. */
  answer: Init<SubscribeRequest> | undefined;
  /** When the listeners were started. */
  startedAt = 0;
  /** Of the trace that follows the event; empty if none does. */
  traceParent = "";
  over = false;

  private holds = 0;
  private returned = false;
  private awaitsReply = false;

  constructor(
    /** The delivery on the stream that generation counts. */
    public id: number,
    public generation: number,
    readonly event: Event,
    private readonly owner: TaskOwner,
  ) {}

  /** The callback for the listeners. It may be called once; later calls do nothing. */
  replier(): (...args: unknown[]) => void {
    return (...args) => {
      if (this.answer !== undefined) return;
      const payload = encodeArgs(args);
      checkSize(bytesOf(payload));
      this.answer = { reply: { deliveryId: this.id, payload } };
      this.owner.answered(this);
      if (this.awaitsReply) {
        this.awaitsReply = false;
        this.release();
      }
    };
  }

  /** Answers a request to come in. */
  decide(decision: Omit<Init<ConnectDecision>, "deliveryId">): void {
    this.answer = { decision };
    this.owner.answered(this);
  }

  /** The task is not over before the callback is called. */
  awaitReply(): void {
    if (this.awaitsReply || this.answer !== undefined) return;
    this.awaitsReply = true;
    this.hold();
  }

  /** The task is not over before release is called once more. */
  hold(): void {
    this.holds++;
  }

  release(): void {
    this.holds--;
    if (this.returned && this.holds === 0) this.end();
  }

  /** Continues after everything had returned. */
  resume(run: () => Promise<unknown> | undefined): void {
    if (this.over) return;
    let pending: Promise<unknown> | undefined;
    try {
      pending = run();
    } catch (err) {
      this.fail(err);
      return;
    }
    if (pending === undefined) this.release();
    else pending.then(() => this.release(), (err) => this.fail(err));
  }

  /** Everything has returned. Says whether something may still call back. */
  finish(): boolean {
    this.returned = true;
    if (this.holds > 0) return true;
    this.end();
    return false;
  }

  /** Ends it if everything has returned, without waiting for who may still call back. */
  finishIfReturned(): boolean {
    if (this.returned) this.end();
    return this.returned;
  }

  /** Nobody waits for it any longer. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.owner.finished(this);
  }

  fail(err: unknown): void {
    if (this.over) return;
    this.over = true;
    this.owner.failed(this, err);
  }
}
