import type { Candle } from '@trademind/core';
import { ADX, Aroon, ATR, BollingerBands, CCI, DonchianChannels, EMA, KeltnerChannels, MACD, MFI, OBV, ROC, RSI, SMA, StochasticOscillator, StochasticRSI, SuperTrend, TradingSignal, WilliamsR, WSMA } from 'trading-signals';
import { TRADERS, type BenchTrader } from '../traders.ts';
import { INDICATORS, noReadings, type IndicatorName, type ReadingName, type Readings } from './readings.ts';

/** Takes a candle into one indicator and writes what it is worth now. */
type Update = (candle: Candle, now: Readings, before: Readings) => void;

const ofClose = (indicator: { add(value: number): number | null }, name: ReadingName, factor = 1): Update => (candle, now) => {
  now[name] = (indicator.add(candle.close) ?? NaN) * factor;
};
const ofCandle = (indicator: { add(candle: Candle): number | null }, name: ReadingName): Update => (candle, now) => {
  now[name] = indicator.add(candle) ?? NaN;
};
/** An indicator that gives several numbers at once. */
const several = <Result extends object>(indicator: { add(candle: Candle): Result | null }, write: (result: Result, now: Readings, candle: Candle) => void): Update => (candle, now) => {
  const result = indicator.add(candle);
  if (result !== null) write(result, now, candle);
};
const severalOfClose = <Result extends object>(indicator: { add(value: number): Result | null }, write: (result: Result, now: Readings, candle: Candle) => void): Update =>
  several({ add: (candle) => indicator.add(candle.close) }, write);

/** Each indicator with trading-signals, and by hand what follows from it. */
const CREATE: Readonly<Record<IndicatorName, () => Update>> = {
  ema9: () => ofClose(new EMA(9), 'ema9'), ema21: () => ofClose(new EMA(21), 'ema21'), ema50: () => ofClose(new EMA(50), 'ema50'), ema200: () => ofClose(new EMA(200), 'ema200'),
  sma200: () => ofClose(new SMA(200), 'sma200'),
  volumeSma20: () => {
    const indicator = new SMA(20);
    return (candle, now) => {
      now.volumeSma20 = indicator.add(candle.volume) ?? NaN;
    };
  },
  rsi14: () => ofClose(new RSI(14), 'rsi14'),
  stochRsi: () => {
    const smoothing = { k: new SMA(3), d: new SMA(3) };
    const indicator = new StochasticRSI(14, WSMA, smoothing);
    return (candle, now) => {
      indicator.add(candle.close);
      if (smoothing.k.isStable) now.stochRsiK = smoothing.k.getResultOrThrow() * 100;
    };
  },
  stoch: () => several(new StochasticOscillator({ kPeriod: 14, kSlowingPeriod: 3, dPeriod: 3 }), (result, now) => {
    now.stochK = result.stochK;
    now.stochD = result.stochD;
  }),
  macd: () => severalOfClose(new MACD(new EMA(12), new EMA(26), new EMA(9)), (result, now) => {
    now.macdLine = result.macd;
    now.macdSignal = result.signal;
    now.macdHistogram = result.histogram;
  }),
  bollinger: () => severalOfClose(new BollingerBands(20, 2), (bands, now, candle) => {
    now.bbUpper = bands.upper;
    now.bbLower = bands.lower;
    now.percentB = (candle.close - bands.lower) / (bands.upper - bands.lower);
  }),
  atr14: () => ofCandle(new ATR(14), 'atr14'),
  adx14: () => {
    const indicator = new ADX(14);
    return (candle, now) => {
      now.adx = indicator.add(candle) ?? NaN;
      now.plusDi = (indicator.pdi ?? NaN) * 100;
      now.minusDi = (indicator.mdi ?? NaN) * 100;
    };
  },
  cci20: () => ofCandle(new CCI(20), 'cci20'), mfi14: () => ofCandle(new MFI(14), 'mfi14'), williamsR14: () => ofCandle(new WilliamsR(14), 'williamsR14'),
  obv: () => {
    const indicator = new OBV(2);
    const last = new Float64Array(8);
    let n = 0;
    return (candle, now) => {
      const value = indicator.add(candle) ?? 0;
      now.obvChange5 = value - last[(n - 5) & 7]!;
      last[n++ & 7] = value;
    };
  },
  roc12: () => ofClose(new ROC(12), 'roc12', 100),
  supertrend: () => several(new SuperTrend({ interval: 10, multiplier: 3 }), (result, now) => {
    now.direction = result.trend === TradingSignal.BULLISH ? 1 : -1;
  }),
  keltner: () => several(new KeltnerChannels({ emaInterval: 20, multiplier: 2, atrInterval: 10 }), (result, now) => {
    now.keltnerUpper = result.upper;
  }),
  donchian20: () => several(new DonchianChannels(20), (result, now) => {
    now.donchianUpper = result.upper;
    now.donchianLower = result.lower;
  }),
  aroon25: () => several(new Aroon(25), (result, now) => {
    now.aroonUp = result.aroonUp;
    now.aroonDown = result.aroonDown;
  }),
  steps: () => (candle, now, before) => {
    now.risen = candle.close > before.close ? before.risen + 1 : 0;
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
    this.#screens = shared ? [new Screen(TRADERS, INDICATORS)] : TRADERS.map((trader) => new Screen([trader], trader.needs));
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
