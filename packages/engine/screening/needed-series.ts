import type { Interval } from '@trademind/core';
import type { ActiveTrader } from './screening-graph.ts';

/** A series of candles that running traders read. */
export interface NeededSeries {
  readonly symbol: string;
  readonly interval: Interval;
  /** Candles until all that is computed from it has settled. */
  readonly settle: number;
  /** Whether it must come from the exchange candle by candle. Else it is made of a shorter one, and the exchange is asked for its past alone (`seed`). */
  readonly streamed: boolean;
}

/** Every series that traders read, of their symbols and of those that they name. */
export function neededSeries(traders: Iterable<ActiveTrader>, symbolsOf: (traderId: string) => Iterable<string>): NeededSeries[] {
  const needed = new Map<string, NeededSeries>();
  const add = (symbol: string, interval: Interval, settle: number, streamed: boolean): void => {
    const key = `${symbol} ${interval}`;
    const known = needed.get(key);
    needed.set(key, { symbol, interval, settle: Math.max(settle, known?.settle ?? 0), streamed: streamed || known?.streamed === true });
  };
  for (const { id, compiled } of traders) {
    for (const symbol of symbolsOf(id)) {
      add(symbol, compiled.interval, compiled.settle, true);
      for (const one of compiled.elsewhere) if (one.symbol === undefined) add(symbol, one.interval, one.settle, one.interval === compiled.interval);
    }
    for (const { symbol, interval, settle } of compiled.elsewhere) {
      if (symbol === undefined) continue;
      add(symbol, compiled.interval, compiled.settle, true);
      add(symbol, interval, settle, interval === compiled.interval);
    }
  }
  return [...needed.values()];
}

/** Candles until every node of these traders on this interval has settled; the next one is the first that can give a signal. 0 where none reads it. */
export function settleOf(traders: Iterable<ActiveTrader>, interval: Interval): number {
  let most = 0;
  for (const { compiled } of traders) {
    if (compiled.interval === interval) most = Math.max(most, compiled.settle);
    for (const one of compiled.elsewhere) if (one.interval === interval) most = Math.max(most, one.settle);
  }
  return most;
}
