import { notional, type Candle } from './candle.ts';
import { DAY, MINUTE } from './intervals.ts';
import { hash, mix, normalAt } from './random.ts';
import { generator, MINUTES_A_DAY, simulateDay, type SimulatedDay } from './simulated-day.ts';
import { simulatedSymbols, type SimulatedSymbol } from './simulated-symbols.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

/** How fast a price is drawn back to its listing price, a day: keeps every price plausible for years. */
const REVERSION = 0.01;

interface Playing { symbol: SimulatedSymbol; levels: Float64Array; known: number; days: Map<number, SimulatedDay> }

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
    this.#playing = new Map(symbols.map((symbol) => [symbol.info.symbol, { symbol, levels: new Float64Array(64), known: 1, days: new Map() }]));
  }

  minute(name: string, openTime: number): Candle | undefined {
    const playing = this.#playing.get(name);
    if (!playing || openTime < playing.symbol.info.first) return undefined;
    const number = Math.floor(openTime / DAY);
    const day = playing.days.get(number) ?? this.#make(playing, number);
    const i = (openTime - number * DAY) / MINUTE;
    const { tick, step } = playing.symbol.info;
    const price = (ticks: Int32Array) => (ticks[i] as number) * tick;
    const size = (steps: Float64Array) => BigInt(steps[i] as number) * BigInt(step);
    const [open, high, low, close] = [price(day.open), price(day.high), price(day.low), price(day.close)];
    const typical = BigInt(Math.round((high + low + close) / 3));
    const [volume, takerBase] = [size(day.volume), size(day.takerVolume)];
    return {
      openTime, open, high, low, close, volume, quoteVolume: notional(volume, typical),
      trades: day.trades[i] as number, takerBase, takerQuote: notional(takerBase, typical),
    };
  }

  #make(playing: Playing, number: number): SimulatedDay {
    const [from, to] = [this.#level(playing, number), this.#level(playing, number + 1)];
    const day = simulateDay(playing.symbol, this.#marketKey, this.#market(number), number, from, to);
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

  /** Logarithm of the price at the start of a day, relative to the listing price: a walk, one cheap step a day. */
  #level(playing: Playing, number: number): number {
    const { symbol } = playing;
    const listed = symbol.info.first / DAY;
    const wanted = number - listed;
    if (wanted >= playing.levels.length) {
      const larger = new Float64Array(wanted * 2);
      larger.set(playing.levels);
      playing.levels = larger;
    }
    const own = Math.sqrt(1 - symbol.marketShare ** 2);
    for (; playing.known <= wanted; playing.known++) {
      const before = listed + playing.known - 1;
      const shock = symbol.marketShare * normalAt(this.#marketKey, before) + own * normalAt(symbol.key, 1_000_000 + before);
      playing.levels[playing.known] = (1 - REVERSION) * (playing.levels[playing.known - 1] as number) + symbol.dailyVolatility * shock;
    }
    return playing.levels[wanted] as number;
  }
}
