import type { Candle } from './candle.ts';
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
    const playing = this.#playing.get(name);
    if (!playing || openTime < playing.symbol.info.first) return undefined;
    const number = Math.floor(openTime / DAY);
    const day = this.#day(playing, number);
    const i = (openTime - number * DAY) / MINUTE;
    const { info } = playing.symbol;
    const [high, low, close] = [day.high[i] as number, day.low[i] as number, day.close[i] as number];
    const [volume, taker] = [day.volume[i] as number, day.takerVolume[i] as number];
    // Both sides trade at the mean of high, low and close: a third of the range from either end at least.
    const mean = (high - low + close - low) / 3;
    const takerWorth = Math.round(taker * mean);
    const worth = takerWorth + Math.round((volume - taker) * mean);
    const units = (steps: number, above: number) => worthInUnits(BigInt(low) * BigInt(steps) + BigInt(above), info);
    return {
      openTime, open: (day.open[i] as number) * info.tick, high: high * info.tick, low: low * info.tick, close: close * info.tick,
      volume: BigInt(volume) * BigInt(info.step), quoteVolume: units(volume, worth),
      trades: (day.tradesBefore[i + 1] as number) - (day.tradesBefore[i] as number),
      takerBase: BigInt(taker) * BigInt(info.step), takerQuote: units(taker, takerWorth),
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
