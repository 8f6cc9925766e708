import type { SubscribeRequest } from "../gen/sioedge/v1/event_service";
import { bytesOf } from "../payload";
import type { Init } from "../wire/index";

type Answer = Init<SubscribeRequest> | undefined;

/**
 * The offsets of the newest events that were handled, with what was answered: an event that is
 * delivered again is not handled again. Two generations bound it: at least one of them is whole.
 */
export class Done {
  private young = new Map<number, Answer>();
  private old = new Map<number, Answer>();
  private bytes = 0;

  constructor(
    private readonly events = 16_384,
    private readonly answers = 8 << 20,
  ) {}

  add(offset: number, answer: Answer): void {
    if (offset === 0) return; // an event that is in no log comes once
    this.young.set(offset, answer);
    if (answer !== undefined) this.bytes += 64 + bytesOf(answer.reply?.payload);
    if (this.young.size < this.events && this.bytes < this.answers) return;
    this.old = this.young;
    this.young = new Map();
    this.bytes = 0;
  }

  has(offset: number): boolean {
    return this.young.has(offset) || this.old.has(offset);
  }

  answer(offset: number): Answer {
    return this.young.get(offset) ?? this.old.get(offset);
  }

  /** The log is another one: its offsets mean other events. */
  clear(): void {
    this.young.clear();
    this.old.clear();
    this.bytes = 0;
  }
}
