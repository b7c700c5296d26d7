import { MINUTE } from './intervals.ts';
import { generator, mix } from './random.ts';
import type { CandleInLots } from './lots.ts';
import type { TradeColumns } from './tape.ts';

/**
 * The trades of a quiet minute: open, extremes and close, each at least one step, and `trades` of them where that is more. The volume is
 * exact; what it is worth and who took it come out as near to the candle's as so few trades allow: the candle that they make is the truth.
 */
export function layFew(candle: Candle, trades: number, key: number): TradeColumns {
  const random = generator(mix(key));
  const prices = shortestPath(candle);
  const count = Math.min(candle.volume, Math.max(prices.length, trades));
  while (prices.length < count) prices.splice(prices.length - 1, 0, prices.at(-1) as number);
  prices.length = count;

  const quantity = new Float64Array(count).fill(1);
  const wanted = candle.low + (candle.volume > 0 ? candle.worth / candle.volume : 0);
  const heaviest = prices.reduce((best, price, i) => (Math.abs(price - wanted) < Math.abs((prices[best] as number) - wanted) ? i : best), 0);
  if (count > 0) quantity[heaviest] = candle.volume - (count - 1);

  let taken = 0;
  const buyerMaker = Uint8Array.from(quantity, (steps) => {
    if (taken + steps > candle.takerVolume) return 1;
    taken += steps;
    return 0;
  });
  const at = Uint16Array.from(prices, (_, i) => Math.floor(((i + random.uniform()) / count) * MINUTE));
  return { at, price: Float64Array.from(prices), quantity, buyerMaker };
}

type Candle = Pick<CandleInLots, 'open' | 'high' | 'low' | 'close' | 'volume' | 'worth' | 'takerVolume'>;

/** The corners in the order that needs the fewest trades, none twice in a row. */
function shortestPath({ open, high, low, close }: Candle): number[] {
  const without = (path: number[]) => path.filter((price, i) => i === 0 || price !== path[i - 1]);
  const paths = [without([open, low, high, close]), without([open, high, low, close])];
  return (paths[0] as number[]).length <= (paths[1] as number[]).length ? paths[0] as number[] : paths[1] as number[];
}
