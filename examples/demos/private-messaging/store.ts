import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** Somebody who has been here, by the secret that lets them come back. */
export interface Session {
  sessionID: string;
  userID: string;
  username: string;
}

/** What one has written to another. */
export interface Message {
  content: unknown;
  from: string;
  to: string;
}

/** Sessions and messages, a line of a file each, so that they outlive the process. */
export class Store {
  readonly sessions = new Map<string, Session>();
  readonly messages: Message[] = [];

  constructor(private readonly file: string) {
    if (!existsSync(file)) return;
    for (const line of readFileSync(file, "utf8").split("\n")) if (line) this.take(JSON.parse(line));
  }

  /** Keeps a session or a message. */
  add(what: Session | Message): void {
    this.take(what);
    appendFileSync(this.file, JSON.stringify(what) + "\n");
  }

  private take(what: Session | Message): void {
    if ("sessionID" in what) this.sessions.set(what.sessionID, what);
    else this.messages.push(what);
  }
}
