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

/** Europe and America awake trade about twice what the night does. */
const TIME_OF_DAY = Float64Array.from({ length: MINUTES_A_DAY }, (_, minute) => 1 + 0.4 * Math.sin(((minute / MINUTES_A_DAY) * 24 - 9) * (Math.PI / 12)));

/** Room for what is computed on the way: a day is made in one go, so that all days share it. */
const returns = new Float64Array(MINUTES_A_DAY);
const agitation = new Float64Array(MINUTES_A_DAY);
const busy = new Float64Array(MINUTES_A_DAY);

/**
 * A day of one symbol: from the price `from` to the price `to` (logarithms, relative to the listing price), a bridge of
 * minute returns whose volatility clusters, of which a share is the market's own noise (`market`: one normal number a minute). The day has exactly
 * `trades` trades.
 */
export function simulateDay(symbol: SimulatedSymbol, marketKey: number, market: Float64Array, day: number, from: number, to: number, trades: number): SimulatedDay {
  const { uniform, normal, exponential } = generator(mix(symbol.key ^ Math.imul(day, 0x9e3779b1)));
  agitate(symbol, marketKey, day);
  const usual = symbol.dailyVolatility / Math.sqrt(MINUTES_A_DAY);
  const share = symbol.marketShare;
  const own = Math.sqrt(1 - share * share);
  let drift = to - from;
  let variance = 0;
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const jump = uniform() < JUMP_CHANCE ? JUMP_SIZE : 1;
    const v = usual * Math.exp(agitation[i] as number);
    returns[i] = v * (share * (market[i] as number) + own * jump * normal());
    drift -= returns[i] as number;
    variance += v * v;
  }

  const tick = symbol.info.tick / 1e8;
  const step = symbol.info.step / 1e8;
  const ticksAt = (level: number) => Math.max(2, Math.round((symbol.price / tick) * Math.exp(level)));
  const quiet = trades / MINUTES_A_DAY < BRISK ? QUIET_SHARE * (1 - trades / MINUTES_A_DAY / BRISK) : 0;
  const result = emptyDay();
  let level = from;
  let last = ticksAt(from);
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const v = usual * Math.exp(agitation[i] as number);
    const move = (returns[i] as number) + (drift * v * v) / variance;
    level += move;
    const open = last;
    const isQuiet = uniform() < quiet;
    const close = isQuiet ? open : ticksAt(i === MINUTES_A_DAY - 1 ? to : level);
    const wick = isQuiet ? 0 : 0.45 * v * close;
    result.open[i] = open;
    result.high[i] = Math.max(open, close) + Math.floor(exponential() * wick + (isQuiet ? 0 : uniform()));
    result.low[i] = Math.max(2, Math.min(open, close) - Math.floor(exponential() * wick + (isQuiet ? 0 : uniform())));
    result.close[i] = close;
    const size = Math.abs(move) / v;
    busy[i] = isQuiet ? 0 : Math.exp(1.3 * (agitation[i] as number) + 0.5 * normal() - 0.125) * (0.5 + 0.8 * size) * (TIME_OF_DAY[i] as number);
    result.takerVolume[i] = 0.5 + (0.2 * Math.sign(move) * size) / (1 + size) + 0.1 * (uniform() - 0.5);
    last = close;
  }
  shareTrades(trades, result.tradesBefore);
  measureVolumes(result, symbol.dailyTurnover / MINUTES_A_DAY / tick / step);
  return result;
}

/** A share of what is taken stands in `takerVolume` when this begins; volumes, when it ends. */
function measureVolumes({ high, close, volume, takerVolume, tradesBefore }: SimulatedDay, turnover: number): void {
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const count = (tradesBefore[i + 1] as number) - (tradesBefore[i] as number);
    const wanted = Math.max(Math.round((turnover * (busy[i] as number)) / (close[i] as number)), FEWEST_STEPS_A_TRADE * count);
    const steps = count === 0 ? 0 : Math.min(Math.floor(Number.MAX_SAFE_INTEGER / (high[i] as number)), wanted);
    volume[i] = steps;
    takerVolume[i] = steps === 0 ? 0 : Math.min(steps - LEAST_OF_A_SIDE, Math.max(LEAST_OF_A_SIDE, Math.floor(steps * (takerVolume[i] as number))));
  }
}

/** Spreads the day's trades over its minutes by how busy they are; each that is busy at all gets the fewest that a minute can have. */
function shareTrades(trades: number, tradesBefore: Uint32Array): void {
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

/** All columns in one piece of memory: days are made and forgotten by the thousand. */
function emptyDay(): SimulatedDay {
  const n = MINUTES_A_DAY;
  const room = new ArrayBuffer(n * 8 * 2 + n * 4 * 4 + (n + 1) * 4);
  const ints = (place: number) => new Int32Array(room, n * 16 + place * n * 4, n);
  return {
    volume: new Float64Array(room, 0, n), takerVolume: new Float64Array(room, n * 8, n),
    open: ints(0), high: ints(1), low: ints(2), close: ints(3), tradesBefore: new Uint32Array(room, n * 32, n + 1),
  };
}

/** Logarithm of how much wilder than usual each minute is. */
function agitate(symbol: SimulatedSymbol, marketKey: number, day: number): void {
  agitation.fill(-0.15);
  for (const [spacing, weight] of COMMON_WAVES) addWave(marketKey ^ spacing, day, spacing, weight);
  for (const [spacing, weight] of OWN_WAVES) addWave(symbol.key ^ spacing, day, spacing, weight);
}

/** Adds a smooth wave through normal knots that stand every `spacing` minutes of absolute time. */
function addWave(key: number, day: number, spacing: number, weight: number): void {
  const firstKnot = (day * MINUTES_A_DAY) / spacing;
  for (let knot = 0; knot < MINUTES_A_DAY / spacing; knot++) {
    const [a, b] = [normalAt(key, firstKnot + knot), normalAt(key, firstKnot + knot + 1)];
    for (let i = 0; i < spacing; i++) {
      const x = i / spacing;
      const index = knot * spacing + i;
      agitation[index] = (agitation[index] as number) + weight * (a + (b - a) * x * x * (3 - 2 * x));
    }
  }
}
