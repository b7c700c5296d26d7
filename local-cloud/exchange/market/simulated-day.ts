import { DAY, MINUTE } from './intervals.ts';
import { FEWEST_TRADES } from './lay-trades.ts';
import { generator, mix, normalAt } from './random.ts';
import type { SimulatedSymbol } from './simulated-symbols.ts';

export const MINUTES_A_DAY = DAY / MINUTE;

/** One symbol's day, minute by minute: prices in ticks, volumes in steps. `tradesBefore` counts from midnight, with the day's total at its end. */
export interface SimulatedDay {
  open: Int32Array; high: Int32Array; low: Int32Array; close: Int32Array;
  volume: Float64Array; takerVolume: Float64Array; tradesBefore: Uint32Array;
}

/** How agitated the market is: slow waves that carry over midnight. [minutes between knots, weight] */
const COMMON_WAVES = [[360, 0.35], [120, 0.2]] as const;
const OWN_WAVES = [[240, 0.3], [30, 0.3]] as const;
/** So often a minute jumps, and so much more than usual. */
const JUMP_CHANCE = 1 / 700;
const JUMP_SIZE = 5;
/** A minute in which anything trades has at least this many trades, of at least this many steps each, and so much on either side. */
const FEWEST_STEPS_A_TRADE = 8;
const LEAST_OF_A_SIDE = 16;
/** Below so many trades a minute some minutes pass without any; this share of them where next to nothing trades. */
const BRISK = 30;
const QUIET_SHARE = 0.02;

/**
 * A day of one symbol: from the price `from` to the price `to` (logarithms, relative to the listing price), a bridge of
 * minute returns whose volatility clusters, of which a share is the market's own noise (`market`: one normal number a minute). The day has exactly
 * `trades` trades.
 */
export function simulateDay(symbol: SimulatedSymbol, marketKey: number, market: Float64Array, day: number, from: number, to: number, trades: number): SimulatedDay {
  const next = generator(mix(symbol.key ^ Math.imul(day, 0x9e3779b1)));
  const volatility = volatilities(symbol, marketKey, day);
  const share = symbol.marketShare;
  const own = Math.sqrt(1 - share * share);

  const returns = new Float64Array(MINUTES_A_DAY);
  let drift = to - from;
  let variance = 0;
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const jump = next.uniform() < JUMP_CHANCE ? JUMP_SIZE : 1;
    const v = volatility[i] as number;
    returns[i] = v * (share * (market[i] as number) + own * jump * next.normal());
    drift -= returns[i] as number;
    variance += v * v;
  }

  const tick = symbol.info.tick / 1e8;
  const step = symbol.info.step / 1e8;
  const ticksAt = (level: number) => Math.max(2, Math.round((symbol.price * Math.exp(level)) / tick));
  const usual = symbol.dailyVolatility / Math.sqrt(MINUTES_A_DAY);
  const quiet = trades / MINUTES_A_DAY < BRISK ? QUIET_SHARE * (1 - trades / MINUTES_A_DAY / BRISK) : 0;
  const result = emptyDay();
  const busy = new Float64Array(MINUTES_A_DAY);
  let level = from;
  let last = ticksAt(from);
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const v = volatility[i] as number;
    const move = (returns[i] as number) + (drift * v * v) / variance;
    level += move;
    const open = last;
    const wick = (close: number) => Math.floor((-Math.log(1 - next.uniform()) * 0.45 * v * close) + next.uniform());
    const isQuiet = next.uniform() < quiet;
    const close = isQuiet ? open : ticksAt(i === MINUTES_A_DAY - 1 ? to : level);
    result.open[i] = open;
    result.high[i] = Math.max(open, close) + (isQuiet ? 0 : wick(close));
    result.low[i] = Math.max(1, Math.min(open, close) - (isQuiet ? 0 : wick(close)));
    result.close[i] = close;
    busy[i] = isQuiet ? 0 : (v / usual) ** 1.3 * (0.5 + (0.8 * Math.abs(move)) / v) * timeOfDay(i) * Math.exp(0.5 * next.normal() - 0.125);
    result.takerVolume[i] = 0.5 + 0.2 * Math.tanh(move / v) + 0.1 * (next.uniform() - 0.5);
    last = close;
  }
  shareTrades(busy, trades, result.tradesBefore);
  const turnoverToSteps = symbol.dailyTurnover / MINUTES_A_DAY / tick / step;
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const count = (result.tradesBefore[i + 1] as number) - (result.tradesBefore[i] as number);
    if (count === 0) {
      result.takerVolume[i] = 0;
      continue;
    }
    const range = (result.high[i] as number) - (result.low[i] as number) + 1;
    const wanted = Math.round((turnoverToSteps * (busy[i] as number)) / (result.close[i] as number));
    const volume = Math.min(Math.floor(Number.MAX_SAFE_INTEGER / range), Math.max(wanted, FEWEST_STEPS_A_TRADE * count));
    result.volume[i] = volume;
    result.takerVolume[i] = Math.min(volume - LEAST_OF_A_SIDE, Math.max(LEAST_OF_A_SIDE, Math.floor(volume * (result.takerVolume[i] as number))));
  }
  return result;
}

/** Spreads the day's trades over its minutes by how busy they are; each that is busy at all gets the fewest that a minute can have. */
function shareTrades(busy: Float64Array, trades: number, tradesBefore: Uint32Array): void {
  let [all, active] = [0, 0];
  for (const one of busy) {
    all += one;
    if (one > 0) active += 1;
  }
  const spare = trades - active * FEWEST_TRADES;
  let [sum, fixed] = [0, 0];
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const one = busy[i] as number;
    sum += one;
    if (one > 0) fixed += FEWEST_TRADES;
    tradesBefore[i + 1] = fixed + Math.floor(spare * (sum / all));
  }
}

function emptyDay(): SimulatedDay {
  const ints = () => new Int32Array(MINUTES_A_DAY);
  const floats = () => new Float64Array(MINUTES_A_DAY);
  return { open: ints(), high: ints(), low: ints(), close: ints(), volume: floats(), takerVolume: floats(), tradesBefore: new Uint32Array(MINUTES_A_DAY + 1) };
}

/** Standard deviation of each minute's return. */
function volatilities(symbol: SimulatedSymbol, marketKey: number, day: number): Float64Array {
  const logs = new Float64Array(MINUTES_A_DAY);
  for (const [spacing, weight] of COMMON_WAVES) addWave(logs, marketKey ^ spacing, day, spacing, weight);
  for (const [spacing, weight] of OWN_WAVES) addWave(logs, symbol.key ^ spacing, day, spacing, weight);
  const usual = symbol.dailyVolatility / Math.sqrt(MINUTES_A_DAY);
  for (let i = 0; i < MINUTES_A_DAY; i++) logs[i] = usual * Math.exp((logs[i] as number) - 0.15);
  return logs;
}

/** Adds a smooth wave through normal knots that stand every `spacing` minutes of absolute time. */
function addWave(onto: Float64Array, key: number, day: number, spacing: number, weight: number): void {
  const firstKnot = (day * MINUTES_A_DAY) / spacing;
  for (let knot = 0; knot < MINUTES_A_DAY / spacing; knot++) {
    const [a, b] = [normalAt(key, firstKnot + knot), normalAt(key, firstKnot + knot + 1)];
    for (let i = 0; i < spacing; i++) {
      const x = i / spacing;
      const index = knot * spacing + i;
      onto[index] = (onto[index] as number) + weight * (a + (b - a) * x * x * (3 - 2 * x));
    }
  }
}

/** Europe and America awake trade about twice what the night does. */
function timeOfDay(minute: number): number {
  return 1 + 0.4 * Math.sin(((minute / MINUTES_A_DAY) * 24 - 9) * (Math.PI / 12));
}
