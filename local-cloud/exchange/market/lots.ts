import type { Candle } from './candle.ts';

/** The lots of a symbol: how many 1e-8 units a tick and a step are. */
export interface Lots { tick: number; step: number }

/** A candle in whole ticks and steps. `worth` is what a volume is worth above `low`, in ticks × steps; `taker` is the buyers' part. */
export interface CandleInLots {
  open: number; high: number; low: number; close: number;
  volume: number; worth: number;
  takerVolume: number; takerWorth: number;
}

const TEN_8 = 100_000_000n;

/** ticks × steps → 1e-8 units of the quote asset, rounded down. */
export function worthInUnits(ticksTimesSteps: bigint, { tick, step }: Lots): bigint {
  return (ticksTimesSteps * BigInt(tick) * BigInt(step)) / TEN_8;
}

/** The candle in lots; null when its figures are no multiples of them, or are too large to be added exactly in doubles. */
export function inLots(candle: Candle, lots: Lots): CandleInLots | null {
  const [tick, step] = [BigInt(lots.tick), BigInt(lots.step)];
  const low = candle.low / lots.tick;
  // The least whole number of ticks × steps that is worth this many units, rounded down.
  const least = (worth: bigint) => (worth * TEN_8 + tick * step - 1n) / (tick * step);
  const above = (worth: bigint, volume: bigint) => Number(least(worth) - BigInt(low) * volume);
  const [volume, taker] = [candle.volume / step, candle.takerBase / step];
  const found: CandleInLots = {
    open: candle.open / lots.tick, high: candle.high / lots.tick, low, close: candle.close / lots.tick,
    volume: Number(volume), worth: above(candle.quoteVolume, volume), takerVolume: Number(taker), takerWorth: above(candle.takerQuote, taker),
  };
  const whole = [found.open, found.high, found.low, found.close].every(Number.isSafeInteger) && volume * step === candle.volume && taker * step === candle.takerBase
    && worthInUnits(least(candle.quoteVolume), lots) === candle.quoteVolume && worthInUnits(least(candle.takerQuote), lots) === candle.takerQuote;
  return whole && Number.isSafeInteger((found.high - found.low + 1) * found.volume) ? found : null;
}
