import { MINUTE } from './intervals.ts';
import type { Market } from './open-market.ts';

/**
 * Says, once each, which symbols have reached the end of their candles, and when all have. The recording is never looped.
 * Returns the function that looks; call it with the market time.
 */
export function haltWatch(market: Market, log: (line: Record<string, unknown>) => void): (now: number) => void {
  let open = market.source.symbols.filter((info) => Number.isFinite(info.end));
  const recorded = open.length > 0;
  let ended = false;
  return (now) => {
    const halted = open.filter((info) => now >= info.end);
    for (const { symbol, source, end } of halted) {
      log({ level: 'warn', event: 'symbol_halted', symbol, source, lastCandle: end - MINUTE, message: `${symbol} has reached the end of ${source}; it trades no more.` });
    }
    if (halted.length > 0) open = open.filter((info) => now < info.end);
    if (recorded && open.length === 0 && !ended) {
      ended = true;
      log({ level: 'warn', event: 'market_ended', message: 'Every recording has ended; begin anew with --reset.' });
    }
  };
}
