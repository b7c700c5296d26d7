import type { Candle } from './candle.ts';
import { uniformAt } from './random.ts';

const PARTS = 1_000_000;

/** The four corners of a candle's path: how far in time (0 to 1), at which price. */
function corners(candle: Candle, key: number): readonly [number, number][] {
  const minute = Math.floor(candle.openTime / 60_000);
  const draw = (n: number) => uniformAt(key ^ 0x5bd1e995, minute * 4 + n);
  // A rising candle tends to visit its low first, a falling one its high; never always.
  const lowFirst = draw(0) < (candle.close >= candle.open ? 0.75 : 0.25);
  const [first, second] = lowFirst ? [candle.low, candle.high] : [candle.high, candle.low];
  return [[0, candle.open], [0.1 + 0.35 * draw(1), first], [0.55 + 0.35 * draw(2), second], [1, candle.close]];
}

/**
 * The candle as it stands when the share `progress` (0 to 1) of its time has passed: the price goes from the open over one
 * extreme and the other to the close, on multiples of `tick`, volumes on multiples of `step`. What was shown never contradicts what comes: high, low, volume and
 * trades only grow, within the finished candle's; at 1 it is that candle.
 */
export function partial(candle: Candle, progress: number, { tick, step }: { tick: number; step: number }, key: number): Candle {
  if (progress >= 1) return candle;
  const share = Math.max(0, progress);
  let { high, low, open: price } = candle;
  high = low = candle.open;
  let [fromTime, fromPrice] = [0, candle.open];
  for (const [toTime, toPrice] of corners(candle, key)) {
    if (share >= toTime) {
      price = toPrice;
    } else {
      const raw = fromPrice + ((toPrice - fromPrice) * (share - fromTime)) / (toTime - fromTime);
      const rounded = Math.round(raw / tick) * tick;
      price = Math.min(candle.high, Math.max(candle.low, rounded));
    }
    high = Math.max(high, price);
    low = Math.min(low, price);
    if (share < toTime) break;
    [fromTime, fromPrice] = [toTime, toPrice];
  }
  const parts = Math.floor(share * PARTS);
  const part = (whole: bigint, unit = 1n) => ((whole / unit) * BigInt(parts)) / BigInt(PARTS) * unit;
  const lot = BigInt(step);
  return {
    openTime: candle.openTime, open: candle.open, high, low, close: price,
    volume: part(candle.volume, lot), quoteVolume: part(candle.quoteVolume), trades: Math.floor((candle.trades * parts) / PARTS),
    takerBase: part(candle.takerBase, lot), takerQuote: part(candle.takerQuote),
  };
}
