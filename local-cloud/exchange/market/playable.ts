import { layFew } from './lay-few.ts';
import { canBeLaid, FEWEST_TRADES, LEAST_STEPS } from './lay-trades.ts';
import { inLots, worthInUnits, type Lots } from './lots.ts';
import { Tape } from './tape.ts';
import type { Candle } from './candle.ts';

/** Recorded candles as they can be played: figures that the recording lacks are filled in, and every minute has trades that add up to it. */
export interface Playable { candles: Candle[]; tapes: Map<number, Tape>; adjusted: number }

/** A recording that does not count its trades is given about so many a minute: eight, and this power of its volume in steps. */
const TRADES_BY_VOLUME = 0.35;
const FEWEST_STEPS_A_TRADE = 8;

/**
 * `derived` names the columns that the recording lacks. A minute that no trades can add up to (it holds rounded or contradicting figures)
 * keeps its prices and its volume, takes the rest from the trades that are played, and is counted in `adjusted`.
 */
export function makePlayable(recorded: readonly Candle[], lots: Lots, derived: readonly string[], key: number): Playable {
  const lacks = (column: string) => derived.includes(column);
  const tapes = new Map<number, Tape>();
  let adjusted = 0;
  const candles = recorded.map((candle) => {
    if (candle.volume === 0n) return { ...candle, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
    const steps = Number(candle.volume / BigInt(lots.step));
    const filled = derived.length === 0 ? candle : {
      ...candle,
      ...(lacks('quoteVolume') || lacks('takerBase') || lacks('takerQuote') ? evenly(candle, steps, lots) : {}),
      ...(lacks('trades') || candle.trades === 0 ? { trades: usualTrades(steps) } : {}),
    };
    if (isExact(filled, lots)) return filled;
    if (derived.length === 0 && steps >= LEAST_STEPS) adjusted += 1;
    const even = { ...candle, ...evenly(candle, steps, lots), trades: steps < LEAST_STEPS ? candle.trades : usualTrades(steps) };
    if (isExact(even, lots)) return even;

    const [tick, worth] = [lots.tick, Number(candle.quoteVolume) / lots.tick / lots.step * 1e8 - (candle.low / lots.tick) * steps];
    const inTicks = { open: candle.open / tick, high: candle.high / tick, low: candle.low / tick, close: candle.close / tick };
    const taker = Math.round(Number(candle.takerBase) / lots.step);
    const tape = new Tape(candle.openTime, lots, layFew({ ...inTicks, volume: steps, worth, takerVolume: taker }, Math.min(candle.trades, FEWEST_TRADES - 1), key ^ (candle.openTime / 60_000)));
    tapes.set(candle.openTime, tape);
    const { quoteVolume, trades, takerBase, takerQuote } = tape.fold(0, tape.count) as Candle;
    if (!lacks('quoteVolume') && quoteVolume !== candle.quoteVolume) adjusted += 1;
    return { ...candle, quoteVolume, trades, takerBase, takerQuote };
  });
  return { candles, tapes, adjusted };
}

function isExact(candle: Candle, lots: Lots): boolean {
  const found = inLots(candle, lots);
  return found !== null && canBeLaid(found, candle.trades);
}

function usualTrades(steps: number): number {
  return Math.max(1, Math.min(Math.floor(steps / FEWEST_STEPS_A_TRADE), FEWEST_TRADES + Math.floor(steps ** TRADES_BY_VOLUME)));
}

/** Half of the volume to either side, both at the mean of high, low and close: the usual estimate where nothing is known. */
function evenly(candle: Candle, steps: number, lots: Lots): Pick<Candle, 'quoteVolume' | 'takerBase' | 'takerQuote'> {
  const low = candle.low / lots.tick;
  const mean = (candle.high + candle.close - 2 * candle.low) / 3 / lots.tick;
  const taker = Math.floor(steps / 2);
  const takerWorth = Math.round(taker * mean);
  const units = (volume: number, worth: number) => worthInUnits(BigInt(low) * BigInt(volume) + BigInt(worth), lots);
  return {
    quoteVolume: units(steps, takerWorth + Math.round((steps - taker) * mean)),
    takerBase: BigInt(taker) * BigInt(lots.step), takerQuote: units(taker, takerWorth),
  };
}
