import type { Io } from '../io.ts';
import { count, duration } from './format.ts';
import { createTerminal } from './terminal.ts';

/** Without a terminal a line so often. */
const LINE_MS = 10_000;
/** On a terminal, and as JSON, so often. */
const TRANSIENT_MS = 200;
const JSON_MS = 1_000;
/** An estimate needs this long before it is worth reading. */
const GUESS_AFTER_MS = 2_000;

export interface Amount { done: number; total: number }

export interface ProgressLine {
  /** How far it is; shown when it is time to. */
  update(amount: Amount, text?: string): void;
  end(): void;
}

/** ms that remain at the speed so far; undefined while that is not known. */
export function remaining({ done, total }: Amount, elapsedMs: number): number | undefined {
  return done > 0 && elapsedMs >= GUESS_AFTER_MS ? ((total - done) / done) * elapsedMs : undefined;
}

/**
 * Progress of long work on stderr: one line that is rewritten on a terminal, a line every ten seconds elsewhere. With `json` events on stdout instead.
 */
export function createProgress(what: string, json: boolean, io: Io): ProgressLine {
  const terminal = createTerminal(io.streams.stderr, io.color.stderr);
  const began = io.now();
  let shownAt = json || terminal.tty ? Number.NEGATIVE_INFINITY : began;
  const every = json ? JSON_MS : terminal.tty ? TRANSIENT_MS : LINE_MS;
  return {
    update: (amount, text = '') => {
      const now = io.now();
      if (now - shownAt < every) return;
      shownAt = now;
      const left = remaining(amount, now - began);
      const { done, total } = amount;
      if (json) {
        io.stdout(`${JSON.stringify({ event: 'progress', what, done, total, ...(left === undefined ? {} : { remainingMs: Math.round(left) }) })}\n`);
        return;
      }
      const percent = total > 0 ? `${((100 * done) / total).toFixed(1)} %, ` : '';
      const line = `${what}: ${percent}${done.toLocaleString('en-US')} of ${count(total, 'candle')}${text}${left === undefined ? '' : `, ${duration(left)} left`}`;
      if (terminal.tty) terminal.transient(line);
      else terminal.line(line);
    },
    end: () => terminal.transient(null),
  };
}
