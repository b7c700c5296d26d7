import { DAY, MINUTE } from './intervals.ts';
import { mix, normalAt } from './random.ts';
import type { SimulatedSymbol } from './simulated-symbols.ts';

export const MINUTES_A_DAY = DAY / MINUTE;

/** One symbol's day, minute by minute: prices in ticks, volumes in steps. */
export interface SimulatedDay {
  open: Int32Array; high: Int32Array; low: Int32Array; close: Int32Array;
  volume: Float64Array; takerVolume: Float64Array; trades: Uint32Array;
}

/** How agitated the market is: slow waves that carry over midnight. [minutes between knots, weight] */
const COMMON_WAVES = [[360, 0.35], [120, 0.2]] as const;
const OWN_WAVES = [[240, 0.3], [30, 0.3]] as const;
/** So often a minute jumps, and so much more than usual. */
const JUMP_CHANCE = 1 / 700;
const JUMP_SIZE = 5;

/**
 * A day of one symbol: from the price `from` to the price `to` (logarithms, relative to the listing price), a bridge of
 * minute returns whose volatility clusters, of which a share is the market's own noise (`market`: one normal number a minute).
 */
export function simulateDay(symbol: SimulatedSymbol, marketKey: number, market: Float64Array, day: number, from: number, to: number): SimulatedDay {
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
  const result = emptyDay();
  let level = from;
  let last = ticksAt(from);
  for (let i = 0; i < MINUTES_A_DAY; i++) {
    const v = volatility[i] as number;
    const move = (returns[i] as number) + (drift * v * v) / variance;
    level += move;
    const open = last;
    const close = ticksAt(i === MINUTES_A_DAY - 1 ? to : level);
    const wick = () => Math.floor((-Math.log(1 - next.uniform()) * 0.45 * v * close) + next.uniform());
    const high = Math.max(open, close) + wick();
    const low = Math.max(1, Math.min(open, close) - wick());
    const price = close * tick;
    const busy = (v / usual) ** 1.3 * (0.5 + (0.8 * Math.abs(move)) / v) * timeOfDay(i) * Math.exp(0.5 * next.normal() - 0.125);
    const turnover = (symbol.dailyTurnover / MINUTES_A_DAY) * busy;
    const volume = Math.max(1, Math.round(turnover / price / step));
    const taken = 0.5 + 0.2 * Math.tanh(move / v) + 0.1 * (next.uniform() - 0.5);
    result.open[i] = open;
    result.high[i] = high;
    result.low[i] = low;
    result.close[i] = close;
    result.volume[i] = volume;
    result.takerVolume[i] = Math.floor(volume * taken);
    result.trades[i] = Math.min(volume, Math.max(1, Math.round(turnover / (250 + 900 * next.uniform()))));
    last = close;
  }
  return result;
}

function emptyDay(): SimulatedDay {
  const ints = () => new Int32Array(MINUTES_A_DAY);
  const floats = () => new Float64Array(MINUTES_A_DAY);
  return { open: ints(), high: ints(), low: ints(), close: ints(), volume: floats(), takerVolume: floats(), trades: new Uint32Array(MINUTES_A_DAY) };
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

/** A fast stream of numbers that is wholly given by its key (mulberry32; normals by Box and Muller, in pairs). */
export function generator(key: number): { uniform(): number; normal(): number } {
  let state = key | 0;
  let spare: number | null = null;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const normal = () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal };
}
