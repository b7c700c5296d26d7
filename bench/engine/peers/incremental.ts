import type { Candle } from '@trademind/core';
import { ATR, BollingerBands, EMA, MACD, MOM, Period, ROC, RSI, SMA, StochasticOscillator, TR, WSMA } from 'trading-signals';
import { TRADERS, type BenchTrader } from '../traders.ts';
import { INDICATORS, noReadings, type IndicatorName, type ReadingName, type Readings } from './readings.ts';

/** Takes a candle into one indicator and writes what it is worth now. */
type Update = (candle: Candle, now: Readings, before: Readings) => void;

/** An indicator over the closes that gives one number. */
const ofClose = (indicator: { add(value: number): number | null }, name: ReadingName, factor = 1): Update => (candle, now) => {
  now[name] = (indicator.add(candle.close) ?? NaN) * factor;
};
const ofCandle = (indicator: { add(candle: Candle): number | null }, name: ReadingName): Update => (candle, now) => {
  now[name] = indicator.add(candle) ?? NaN;
};
const extreme = (period: number, column: 'high' | 'low', of: 'highest' | 'lowest', name: ReadingName): Update => {
  const indicator = new Period(period);
  return (candle, now) => {
    now[name] = indicator.add(candle[column])?.[of] ?? NaN;
  };
};

/** Each indicator with trading-signals. What follows from another is taken from it: the middle band is sma(20), half its span the deviation. */
const CREATE: Readonly<Record<IndicatorName, () => Update>> = {
  ema9: () => ofClose(new EMA(9), 'ema9'), ema21: () => ofClose(new EMA(21), 'ema21'), ema50: () => ofClose(new EMA(50), 'ema50'), ema200: () => ofClose(new EMA(200), 'ema200'),
  sma50: () => ofClose(new SMA(50), 'sma50'), sma200: () => ofClose(new SMA(200), 'sma200'),
  volumeSma20: () => {
    const indicator = new SMA(20);
    return (candle, now) => {
      now.volumeSma20 = indicator.add(candle.volume) ?? NaN;
    };
  },
  smma30: () => ofClose(new WSMA(30), 'smma30'), rsi7: () => ofClose(new RSI(7), 'rsi7'), rsi14: () => ofClose(new RSI(14), 'rsi14'),
  macd: () => {
    const indicator = new MACD(new EMA(12), new EMA(26), new EMA(9));
    return (candle, now) => {
      const result = indicator.add(candle.close);
      if (result === null) return;
      now.macdLine = result.macd;
      now.macdSignal = result.signal;
      now.macdHistogram = result.histogram;
    };
  },
  stoch: () => {
    const indicator = new StochasticOscillator({ kPeriod: 14, kSlowingPeriod: 3, dPeriod: 3 });
    return (candle, now) => {
      const result = indicator.add(candle);
      if (result === null) return;
      now.stochK = result.stochK;
      now.stochD = result.stochD;
    };
  },
  bollinger: () => {
    const indicator = new BollingerBands(20, 2);
    return (candle, now) => {
      const bands = indicator.add(candle.close);
      if (bands === null) return;
      now.sma20 = bands.middle;
      now.bbUpper = bands.upper;
      now.bbLower = bands.lower;
      now.percentB = (candle.close - bands.lower) / (bands.upper - bands.lower);
      now.stdev20 = (bands.upper - bands.middle) / 2;
    };
  },
  sma20: () => () => {},
  stdev20: () => () => {},
  atr14: () => ofCandle(new ATR(14), 'atr14'), trueRange: () => ofCandle(new TR(), 'trueRange'),
  highest20: () => extreme(20, 'high', 'highest', 'highest20'), highest50: () => extreme(50, 'high', 'highest', 'highest50'), lowest20: () => extreme(20, 'low', 'lowest', 'lowest20'),
  roc12: () => ofClose(new ROC(12), 'roc12', 100), momentum10: () => ofClose(new MOM(10), 'momentum10'),
  steps: () => (candle, now, before) => {
    now.risen = candle.close > before.close ? before.risen + 1 : 0;
    now.fallen = candle.close < before.close ? before.fallen + 1 : 0;
  },
};

/** Traders over one set of indicators. */
class Screen {
  readonly #traders: readonly BenchTrader[];
  readonly #held: boolean[];
  readonly #updates: readonly Update[];
  now = noReadings();
  #before = noReadings();

  constructor(traders: readonly BenchTrader[], needs: readonly IndicatorName[]) {
    this.#traders = traders;
    this.#held = traders.map(() => false);
    this.#updates = needs.map((name) => CREATE[name]());
  }

  update(candle: Candle, matched: (trader: BenchTrader) => void): void {
    const now = this.#before;
    const before = this.now;
    this.now = now;
    this.#before = before;
    now.open = candle.open;
    now.high = candle.high;
    now.low = candle.low;
    now.close = candle.close;
    now.volume = candle.volume;
    for (const update of this.#updates) update(candle, now, before);
    const held = this.#held;
    for (let index = 0; index < held.length; index++) {
      const trader = this.#traders[index]!;
      const holds = trader.holds(now, before);
      if (holds && !held[index]) matched(trader);
      held[index] = holds;
    }
  }
}

/**
 * One symbol screened with trading-signals, candle by candle, conditions being comparisons written by hand. `shared`: as a careful programmer would, every distinct
 * indicator once for all traders. Otherwise each trader has its own, as the strategies of a trading bot do.
 */
export class IncrementalSymbol {
  readonly #screens: readonly Screen[];

  constructor(shared: boolean) {
    // The deviation and the mean of 20 come with the bands.
    const needsOf = (names: readonly IndicatorName[]): IndicatorName[] => [...new Set(names.map((name) => (name === 'stdev20' || name === 'sma20' ? 'bollinger' : name)))];
    this.#screens = shared ? [new Screen(TRADERS, needsOf(INDICATORS))] : TRADERS.map((trader) => new Screen([trader], needsOf(trader.needs)));
  }

  /** Takes a closed candle in; the traders that hold now and did not before, undefined for none. */
  update(candle: Candle): BenchTrader[] | undefined {
    let matches: BenchTrader[] | undefined;
    for (const screen of this.#screens) screen.update(candle, (trader) => { (matches ??= []).push(trader); });
    return matches;
  }

  /** What is read on the last candle, where traders share. */
  get now(): Readings {
    return this.#screens[0]!.now;
  }
}
