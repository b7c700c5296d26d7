import { redact, type LogEntry } from '@trademind/core';
import type { Wall } from './time.ts';

/** Where a service says what happened. `fields` go to the process's log only; the feed shows code and message. Never a secret in either. */
export type Log = (level: LogEntry['level'], code: string, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Passes all on to `log`, and each entry as the feed shows it to `hear`; of `secrets` and what looks like one nothing goes either way. */
export function heardBy(log: Log, wall: Pick<Wall, 'epoch'>, secrets: Iterable<string>, hear: (entry: LogEntry) => void): Log {
  return (level, code, said, fields) => {
    const message = redact(said, secrets);
    log(level, code, message, fields);
    hear({ at: wall.epoch(), level, code, message });
  };
}

/** A log for what begins before the one that it should speak to is there: what is said meanwhile follows. */
export function laterLog(): { log: Log; speakTo(log: Log): void } {
  const waiting: Parameters<Log>[] = [];
  let target: Log = (...entry) => void waiting.push(entry);
  return {
    log: (...entry) => target(...entry),
    speakTo: (log) => {
      target = log;
      for (const entry of waiting.splice(0)) log(...entry);
    },
  };
}

const KEPT = 200;

/** The last entries, for the feed's snapshot. */
export class LogRing {
  readonly #entries: LogEntry[] = [];

  add(entry: LogEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > KEPT) this.#entries.shift();
  }

  /** Oldest first. */
  entries(): LogEntry[] {
    return [...this.#entries];
  }
}
