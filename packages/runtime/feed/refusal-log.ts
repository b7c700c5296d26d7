import type { LogEntry } from '@trademind/core';

const QUIET_MS = 60_000;

/**
 * Counts refusals by code and writes at most one line a minute for each: a hostile client must not fill the machine's log, which is itself
 * part of the feed.
 */
export function createRefusalLog(now: () => number, log: (entry: LogEntry) => void): { add(code: string): void; counts(): Readonly<Record<string, number>> } {
  const seen = new Map<string, { count: number; saidAt: number; saidCount: number }>();
  return {
    add(code) {
      const entry = seen.get(code) ?? { count: 0, saidAt: Number.NEGATIVE_INFINITY, saidCount: 0 };
      seen.set(code, entry);
      entry.count += 1;
      const at = now();
      if (at - entry.saidAt < QUIET_MS) return;
      log({ at, level: 'warn', code, message: `The feed refused ${entry.count - entry.saidCount === 1 ? 'a client' : `${entry.count - entry.saidCount} times`}: ${code}.` });
      entry.saidAt = at;
      entry.saidCount = entry.count;
    },
    counts: () => Object.fromEntries([...seen].map(([code, { count }]) => [code, count])),
  };
}
