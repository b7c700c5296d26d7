import type { Candle } from '@trademind/core';
import { ATR, BollingerBands, EMA, Highest, Lowest, MACD, ROC, RSI, SD, SMA, Stochastic, TrueRange, WEMA } from 'technicalindicators';
import { TRADERS } from '../traders.ts';
import { INDICATORS, noReadings, type IndicatorName, type ReadingName, type Readings } from './readings.ts';

/** The last candles of a symbol, a list a column. */
interface History { open: number[]; high: number[]; low: number[]; close: number[]; volume: number[] }

type Compute = (history: History, write: (name: ReadingName | 'risen' | 'fallen', values: readonly (number | undefined)[]) => void) => void;

const ema = (name: ReadingName, period: number): Compute => ({ close }, write) => write(name, EMA.calculate({ period, values: close }));
const sma = (name: ReadingName, period: number, column: 'close' | 'volume' = 'close'): Compute => (history, write) => write(name, SMA.calculate({ period, values: history[column] }));
const rsi = (name: ReadingName, period: number): Compute => ({ close }, write) => write(name, RSI.calculate({ period, values: close }));

/** Each indicator over the whole history with technicalindicators. It has no slow stochastic (its %K is smoothed by its SMA) and no momentum (a subtraction). */
const COMPUTE: Readonly<Record<IndicatorName, Compute>> = {
  ema9: ema('ema9', 9), ema21: ema('ema21', 21), ema50: ema('ema50', 50), ema200: ema('ema200', 200),
  sma20: sma('sma20', 20), sma50: sma('sma50', 50), sma200: sma('sma200', 200), volumeSma20: sma('volumeSma20', 20, 'volume'),
  smma30: ({ close }, write) => write('smma30', WEMA.calculate({ period: 30, values: close })),
  rsi7: rsi('rsi7', 7), rsi14: rsi('rsi14', 14),
  macd: ({ close }, write) => {
    const values = MACD.calculate({ fastPeriod: 12, slowPeriod: 26, signalPeriod: 9, SimpleMAOscillator: false, SimpleMASignal: false, values: close });
    write('macdLine', values.map((value) => value.MACD));
    write('macdSignal', values.map((value) => value.signal));
    write('macdHistogram', values.map((value) => value.histogram));
  },
  stoch: ({ high, low, close }, write) => {
    const fast = Stochastic.calculate({ high, low, close, period: 14, signalPeriod: 3 });
    const k = SMA.calculate({ period: 3, values: fast.map((value) => value.k) });
    write('stochK', k);
    write('stochD', SMA.calculate({ period: 3, values: k }));
  },
  bollinger: ({ close }, write) => {
    const bands = BollingerBands.calculate({ period: 20, stdDev: 2, values: close });
    write('bbUpper', bands.map((band) => band.upper));
    write('bbLower', bands.map((band) => band.lower));
    write('percentB', bands.map((band) => band.pb));
  },
  stdev20: ({ close }, write) => write('stdev20', SD.calculate({ period: 20, values: close })),
  atr14: ({ high, low, close }, write) => write('atr14', ATR.calculate({ period: 14, high, low, close })),
  trueRange: ({ high, low, close }, write) => write('trueRange', TrueRange.calculate({ high, low, close })),
  highest20: ({ high }, write) => write('highest20', Highest.calculate({ period: 20, values: high })),
  highest50: ({ high }, write) => write('highest50', Highest.calculate({ period: 50, values: high })),
  lowest20: ({ low }, write) => write('lowest20', Lowest.calculate({ period: 20, values: low })),
  roc12: ({ close }, write) => write('roc12', ROC.calculate({ period: 12, values: close })),
  momentum10: ({ close }, write) => write('momentum10', close.slice(10).map((value, index) => value - close[index]!)),
  steps: ({ close }, write) => {
    let risen = 0;
    let fallen = 0;
    const up: number[] = [];
    const down: number[] = [];
    for (let index = 1; index < close.length; index++) {
      risen = close[index]! > close[index - 1]! ? risen + 1 : 0;
      fallen = close[index]! < close[index - 1]! ? fallen + 1 : 0;
      up.push(risen);
      down.push(fallen);
    }
    write('risen', up);
    write('fallen', down);
  },
};

/**
 * One symbol screened as freqtrade and many a screener do it: on each candle every indicator is computed anew over the last `length` candles, for each trader its own
 * (`shared`: each distinct one once for all traders).
 */
export class RecomputeSymbol {
  readonly #history: History = { open: [], high: [], low: [], close: [], volume: [] };
  readonly #length: number;
  readonly #shared: boolean;
  readonly #held = TRADERS.map(() => false);
  readonly now: Readings = noReadings();
  readonly #before: Readings = noReadings();

  constructor(length: number, shared: boolean) {
    this.#length = length;
    this.#shared = shared;
  }

  /** Takes a candle into the history; nothing is computed. */
  take(candle: Candle): void {
    for (const column of ['open', 'high', 'low', 'close', 'volume'] as const) {
      const values = this.#history[column];
      values.push(candle[column]);
      if (values.length > this.#length) values.shift();
      this.now[column] = candle[column];
      this.#before[column] = values.at(-2) ?? NaN;
    }
  }

  /** Takes a closed candle in; indices of the traders that hold now and did not before. */
  update(candle: Candle): number[] {
    this.take(candle);
    const matches: number[] = [];
    if (this.#shared) this.compute(INDICATORS);
    for (const [index, trader] of TRADERS.entries()) {
      if (!this.#shared) this.compute(trader.needs);
      const holds = trader.holds(this.now, this.#before);
      if (holds && !this.#held[index]) matches.push(index);
      this.#held[index] = holds;
    }
    return matches;
  }

  /** Computes these indicators over the history. */
  compute(indicators: readonly IndicatorName[]): void {
    for (const name of indicators) {
      COMPUTE[name](this.#history, (reading, values) => {
        this.now[reading] = values.at(-1) ?? NaN;
        this.#before[reading] = values.at(-2) ?? NaN;
      });
    }
  }
}
