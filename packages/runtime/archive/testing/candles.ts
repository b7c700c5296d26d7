import { intervalClose, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { isOpenTime, openTimeOf, ordinalFrom } from '../calendar.ts';

/** A decimal as the exchange writes it, with at most so many digits after the point, as the number it parses to. */
const decimal = (whole: number, digits: number): fc.Arbitrary<number> =>
  fc.tuple(fc.nat(whole), fc.nat(10 ** digits - 1)).map(([a, b]) => Number(`${a}.${String(b).padStart(digits, '0')}`));

/** Prices and volumes from one market: a satoshi coin, a large one, one with odd digits, doubles without any grid. */
const amounts: fc.Arbitrary<fc.Arbitrary<number>> = fc.constantFrom(
  decimal(0, 8), decimal(99_999, 2), decimal(999_999_999, 8), decimal(3, 0), decimal(40, 12), fc.constant(0),
  fc.double({ noNaN: true, noDefaultInfinity: true }), fc.double(),
);

/** Columns a source may lack. */
const present = fc.record({ quoteVolume: fc.boolean(), trades: fc.boolean(), takerBuy: fc.boolean() });

/** Candles that ascend, with holes here and there; any doubles at all where `sound` is false, else such as an exchange may give. */
export function anyCandles(interval: Interval, options: { sound?: boolean; maxLength?: number; from?: number } = {}): fc.Arbitrary<Candle[]> {
  const { sound = false, maxLength = 300, from = Date.UTC(2024, 0, 30) } = options;
  const first = ordinalFrom(interval, from);
  const rows = fc.tuple(amounts, amounts, present, fc.constantFrom(0, 0, 3)).chain(([prices, volumes, has, holes]) => fc.array(fc.tuple(
    fc.nat(holes), fc.tuple(prices, prices, prices, prices), fc.tuple(volumes, volumes), fc.nat(100_000),
  ), { maxLength }).map((made) => ({ made, has })));
  return rows.map(({ made, has }) => {
    let ordinal = first - 1;
    return made.map(([skip, [a, b, c, d], [volume, takerBuy], trades]) => {
      ordinal += 1 + skip;
      const [open, close] = [a, b];
      const [high, low] = sound ? [Math.max(a, b, c, d), Math.min(a, b, c, d)] : [c, d];
      const quoteVolume = Number((volume * ((high + low) / 2)).toFixed(8));
      return {
        openTime: openTimeOf(interval, ordinal), open, high, low, close, volume, quoteVolume: has.quoteVolume ? quoteVolume : Number.NaN,
        trades: has.trades ? trades : Number.NaN, takerBuy: has.takerBuy ? takerBuy : Number.NaN,
      };
    });
  });
}

/** Candles as the exchange gives them, without a hole, the same for the same arguments: cents, five decimals of volume. */
export function steadyCandles(interval: Interval, from: number, count: number, seed = 1): Candle[] {
  if (!isOpenTime(interval, from)) throw new RangeError('No candle opens there.');
  let state = seed;
  const next = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let price = 10_000 + next(1_000_000);
  let openTime = from;
  return Array.from({ length: count }, () => {
    const open = price + next(3) - 1;
    price = Math.max(100, open + next(201) - 100);
    const [high, low] = [Math.max(open, price) + next(50), Math.min(open, price) - next(50)];
    const volume = next(10_000_000);
    const candle = {
      openTime, open: open / 100, high: high / 100, low: low / 100, close: price / 100, volume: volume / 1e5, quoteVolume: Number(((volume * (low + next(high - low + 1))) / 1e7).toFixed(7)),
      trades: next(5_000), takerBuy: next(volume + 1) / 1e5,
    };
    openTime = intervalClose(interval, openTime);
    return candle;
  });
}
