import { MINUTE } from './intervals.ts';
import type { Market } from './open-market.ts';

/** What is played, and what of it was derived or has ended. */
export function marketReport(market: Market): Record<string, unknown> {
  const now = market.clock.time();
  return {
    market: market.name, speed: market.clock.speed, origin: market.origin, marketTime: now,
    ended: market.source.symbols.every(({ end }) => now >= end),
    events: market.source.events,
    symbols: market.source.symbols.map((info) => ({
      symbol: info.symbol, source: info.source, shiftWeeks: info.shiftWeeks, first: info.first,
      last: Number.isFinite(info.end) ? info.end - MINUTE : null,
      halted: !market.book.trades(info.symbol, now), derived: info.derived, adjusted: info.adjusted,
    })),
  };
}
