import type { Range } from '../archive/calendar.ts';
import { span, subtract } from '../archive/ranges.ts';
import { KLINES_PER_CALL } from './binance-rest.ts';

/** Candles on either side of what is asked for that are asked for with it, to be compared with what is stored. */
export const OVERLAP = 5;

/**
 * What to ask of the exchange, by ordinals, where some candles of a stretch are known: all others, in as few calls as can be (a call weighs the same whether it brings one
 * row or a thousand), and of those the fewest rows. Pure.
 */
export function planAsks(whole: Range, known: Iterable<Range>): Range[] {
  const asks: Range[] = [];
  for (const part of subtract([whole], known).toReversed()) {
    const [next] = asks;
    const joined = next && { from: part.from, to: next.to };
    if (joined && callsFor(joined) < callsFor(part) + callsFor(next)) asks[0] = joined;
    else asks.unshift(part);
  }
  return asks;
}

/** How many answers a stretch takes, with the candles around it. */
function callsFor(range: Range): number {
  return Math.ceil((span([range]) + 2 * OVERLAP) / KLINES_PER_CALL);
}
