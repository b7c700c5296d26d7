import { join, type Candle } from './candle.ts';
import { DAY, MINUTE } from './intervals.ts';
import { worthInUnits } from './lots.ts';
import { generator, hash, mix, normalAt } from './random.ts';
import { MINUTES_A_DAY, simulateDay, type SimulatedDay } from './simulated-day.ts';
import { simulatedSymbols, type SimulatedSymbol } from './simulated-symbols.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

/** How fast a price is drawn back to its listing price, a day: keeps every price plausible for years. */
const REVERSION = 0.01;

/** `levels` and `trades`: what the price was and how many trades there had been at the start of each day since the listing. */
interface Playing { symbol: SimulatedSymbol; levels: Float64Array; trades: Float64Array; known: number; days: Map<number, SimulatedDay> }

/**
 * A market that is a function of (seed, symbol, day): any minute of any day comes out the same whatever was asked before, so a
 * start costs nothing and a restart goes on to the digit. Days are made when asked for; few are kept.
 */
export class SimulatedMarket implements MarketSource {
  readonly symbols: readonly SymbolInfo[];
  readonly #playing: Map<string, Playing>;
  readonly #marketKey: number;
  readonly #marketDays = new Map<number, Float64Array>();
  /** Days kept per symbol: today and yesterday for the 24 h figures, and what a backfill is reading. */
  readonly #daysKept: number;

  constructor(options: { seed: string; count: number; origin: number }) {
    const symbols = simulatedSymbols(options.seed, options.count, options.origin);
    this.symbols = symbols.map((symbol) => symbol.info);
    this.#marketKey = hash(`${options.seed}/market`);
    this.#daysKept = symbols.length > 100 ? 3 : 8;
    this.#playing = new Map(symbols.map((symbol) => [symbol.info.symbol, { symbol, levels: new Float64Array(64), trades: new Float64Array(64), known: 1, days: new Map() }]));
  }

  minute(name: string, openTime: number): Candle | undefined {
    return this.fold(name, openTime, openTime + MINUTE);
  }

  fold(name: string, from: number, to: number): Candle | undefined {
    const playing = this.#playing.get(name);
    const start = playing ? Math.max(from, playing.symbol.info.first) : to;
    if (!playing || start >= to) return undefined;
    const number = Math.floor(start / DAY);
    const { open, high, low, close, volume, takerVolume, tradesBefore } = this.#day(playing, number);
    const [first, end] = [(start - number * DAY) / MINUTE, (to - number * DAY) / MINUTE];
    let [top, bottom, steps, taken, worth, takenWorth] = [0, Infinity, 0, 0, 0, 0];
    for (let i = first; i < end; i++) {
      const [h, l, v, t] = [high[i] as number, low[i] as number, volume[i] as number, takerVolume[i] as number];
      const mean = (h - l + (close[i] as number) - l) / 3;
      const takerWorth = Math.round(t * mean);
      if (h > top) top = h;
      if (l < bottom) bottom = l;
      steps += v;
      taken += t;
      worth += l * v + takerWorth + Math.round((v - t) * mean);
      takenWorth += l * t + takerWorth;
    }
    if (top * steps > Number.MAX_SAFE_INTEGER && end - first > 1) {
      // Too much for doubles to add up exactly: in two halves.
      const middle = start + ((end - first) >> 1) * MINUTE;
      return join(this.fold(name, start, middle) as Candle, this.fold(name, middle, to) as Candle);
    }
    const { info } = playing.symbol;
    return {
      openTime: start, open: (open[first] as number) * info.tick, high: top * info.tick, low: bottom * info.tick, close: (close[end - 1] as number) * info.tick,
      volume: BigInt(steps) * BigInt(info.step), quoteVolume: worthInUnits(BigInt(worth), info),
      trades: (tradesBefore[end] as number) - (tradesBefore[first] as number),
      takerBase: BigInt(taken) * BigInt(info.step), takerQuote: worthInUnits(BigInt(takenWorth), info),
    };
  }

  tradesBefore(name: string, openTime: number): number {
    const playing = this.#playing.get(name);
    if (!playing || openTime <= playing.symbol.info.first) return 0;
    const number = Math.floor(openTime / DAY);
    this.#reach(playing, number);
    const before = playing.trades[number - playing.symbol.info.first / DAY] as number;
    const i = (openTime - number * DAY) / MINUTE;
    return i === 0 ? before : before + (this.#day(playing, number).tradesBefore[i] as number);
  }

  #day(playing: Playing, number: number): SimulatedDay {
    return playing.days.get(number) ?? this.#make(playing, number);
  }

  #make(playing: Playing, number: number): SimulatedDay {
    this.#reach(playing, number + 1);
    const listed = playing.symbol.info.first / DAY;
    const [from, to] = [playing.levels[number - listed] as number, playing.levels[number + 1 - listed] as number];
    const day = simulateDay(playing.symbol, this.#marketKey, this.#market(number), number, from, to, tradesOf(playing.symbol, number));
    playing.days.set(number, day);
    if (playing.days.size > this.#daysKept) playing.days.delete(playing.days.keys().next().value as number);
    return day;
  }

  /** The market's own noise of a day, which every symbol shares in. */
  #market(number: number): Float64Array {
    const known = this.#marketDays.get(number);
    if (known) return known;
    const { normal } = generator(mix(this.#marketKey ^ Math.imul(number, 0x85ebca6b)));
    const noise = Float64Array.from({ length: MINUTES_A_DAY }, normal);
    this.#marketDays.set(number, noise);
    if (this.#marketDays.size > 8) this.#marketDays.delete(this.#marketDays.keys().next().value as number);
    return noise;
  }

  /** Walks on to the start of a day, one cheap step a day: the logarithm of its price, relative to the listing price, and its count of trades. */
  #reach(playing: Playing, number: number): void {
    const { symbol } = playing;
    const listed = symbol.info.first / DAY;
    const wanted = number - listed;
    if (wanted >= playing.levels.length) {
      playing.levels = enlarged(playing.levels, wanted * 2);
      playing.trades = enlarged(playing.trades, wanted * 2);
    }
    const own = Math.sqrt(1 - symbol.marketShare ** 2);
    for (; playing.known <= wanted; playing.known++) {
      const before = listed + playing.known - 1;
      const shock = symbol.marketShare * normalAt(this.#marketKey, before) + own * normalAt(symbol.key, 1_000_000 + before);
      playing.levels[playing.known] = (1 - REVERSION) * (playing.levels[playing.known - 1] as number) + symbol.dailyVolatility * shock;
      playing.trades[playing.known] = (playing.trades[playing.known - 1] as number) + tradesOf(symbol, before);
    }
  }
}

function enlarged(values: Float64Array, length: number): Float64Array {
  const larger = new Float64Array(length);
  larger.set(values);
  return larger;
}

/** How many trades a symbol has on a day: a trade is the larger, the more is traded. */
function tradesOf(symbol: SimulatedSymbol, day: number): number {
  const usual = symbol.dailyTurnover / (40 * (symbol.dailyTurnover / 1e6) ** 0.4);
  return Math.max(10 * MINUTES_A_DAY, Math.round(usual * Math.exp(0.35 * normalAt(symbol.key, 3_000_000 + day) - 0.06)));
}
