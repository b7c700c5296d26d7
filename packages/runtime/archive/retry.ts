import { codeOf } from '@trademind/core';
import { Backoff, pause, type Wall } from '../time.ts';

/** The exchange answers, and names a time to wait. */
export const TOLD_TO_WAIT: ReadonlySet<string> = new Set(['exchange_limited', 'exchange_banned']);
/** What may be gone by itself a little later. */
const PASSING: ReadonlySet<string> = new Set(['exchange_unreachable', 'exchange_failing', 'exchange_forbidden', ...TOLD_TO_WAIT]);
/** Refusals in a row after which the exchange counts as away: with these pauses three to five minutes. */
const ATTEMPTS = 12;
/** Bans last two minutes to three days; whoever started a command waits no longer than this for it to go on. */
const LONGEST_WAIT_MS = 3_600_000;

export interface PatienceOptions {
  wall: Wall;
  signal: AbortSignal;
  /** How long the exchange wants nothing to be asked, ms. */
  closedMs?: () => number;
  onWait?: (error: unknown, ms: number) => void;
}

/**
 * Calls again after a pause, for as long as the exchange says if it says so; what it refuses for good, or for more than an hour, is passed on at once. Rejects with
 * the last error, or the signal's reason.
 */
export function insisting({ wall, signal, closedMs = () => 0, onWait }: PatienceOptions, passing = PASSING): <T>(call: () => Promise<T>) => Promise<T> {
  return async (call) => {
    const backoff = new Backoff({ first: 250, most: 30_000, random: wall.random });
    for (;;) {
      try {
        return await call();
      } catch (error) {
        signal.throwIfAborted();
        const told = closedMs();
        if (!passing.has(codeOf(error)) || backoff.failures >= ATTEMPTS || told > LONGEST_WAIT_MS) throw error;
        const ms = Math.max(backoff.next(), told);
        onWait?.(error, ms);
        await pause(ms, signal, wall);
        signal.throwIfAborted();
      }
    }
  };
}
