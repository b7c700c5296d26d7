import { codeOf } from '@trademind/core';
import { Backoff, pause, type Wall } from '../time.ts';
import type { CandleSource } from './source.ts';

/** What may be gone by itself a little later. */
const PASSING = new Set(['exchange_unreachable', 'exchange_failing', 'exchange_limited', 'exchange_forbidden']);
/** Refusals in a row after which the exchange counts as away: with these pauses three to five minutes. */
const ATTEMPTS = 12;

/** Asks again after a pause when the exchange is away for a moment; what it refuses for good is passed on at once. Rejects with the last error, or the signal's reason. */
export function patient(source: CandleSource, options: { wall: Wall; signal: AbortSignal; onWait?: (error: unknown, ms: number) => void }): CandleSource {
  const { wall, signal } = options;
  async function insist<T>(call: () => Promise<T>): Promise<T> {
    const backoff = new Backoff({ first: 250, most: 30_000, random: wall.random });
    for (;;) {
      try {
        return await call();
      } catch (error) {
        signal.throwIfAborted();
        if (!PASSING.has(codeOf(error)) || backoff.failures >= ATTEMPTS) throw error;
        const ms = backoff.next();
        options.onWait?.(error, ms);
        await pause(ms, signal);
        signal.throwIfAborted();
      }
    }
  }
  return { klines: (...args) => insist(() => source.klines(...args)), time: () => insist(() => source.time()) };
}
