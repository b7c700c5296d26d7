import type { Candle } from '@trademind/core';
import { ADX, ATR, BollingerBands, CCI, EMA, Highest, KeltnerChannels, Lowest, MACD, MFI, OBV, ROC, RSI, SMA, Stochastic, StochasticRSI, WilliamsR } from 'technicalindicators';
import { TRADERS } from '../traders.ts';
import { INDICATORS, noReadings, supertrendStep, type IndicatorName, type ReadingName, type Readings } from './readings.ts';

/** The last candles of a symbol, a list a column. */
interface History { open: number[]; high: number[]; low: number[]; close: number[]; volume: number[] }

type Compute = (history: History, write: (name: ReadingName | 'risen', values: readonly (number | undefined)[]) => void) => void;

const ema = (name: ReadingName, period: number): Compute => ({ close }, write) => write(name, EMA.calculate({ period, values: close }));

/** Each indicator over the whole history with technicalindicators. By hand what it lacks: SuperTrend (over its ATR), Aroon, the smoothing of a slow stochastic's %K. */
const COMPUTE: Readonly<Record<IndicatorName, Compute>> = {
  ema9: ema('ema9', 9), ema21: ema('ema21', 21), ema50: ema('ema50', 50), ema200: ema('ema200', 200),
  sma200: ({ close }, write) => write('sma200', SMA.calculate({ period: 200, values: close })),
  volumeSma20: ({ volume }, write) => write('volumeSma20', SMA.calculate({ period: 20, values: volume })),
  rsi14: ({ close }, write) => write('rsi14', RSI.calculate({ period: 14, values: close })),
  stochRsi: ({ close }, write) => write('stochRsiK', StochasticRSI.calculate({ rsiPeriod: 14, stochasticPeriod: 14, kPeriod: 3, dPeriod: 3, values: close }).map((value) => value.k)),
  stoch: ({ high, low, close }, write) => {
    const fast = Stochastic.calculate({ high, low, close, period: 14, signalPeriod: 3 });
    const k = SMA.calculate({ period: 3, values: fast.map((value) => value.k) });
    write('stochK', k);
    write('stochD', SMA.calculate({ period: 3, values: k }));
  },
  macd: ({ close }, write) => {
    const values = MACD.calculate({ fastPeriod: 12, slowPeriod: 26, signalPeriod: 9, SimpleMAOscillator: false, SimpleMASignal: false, values: close });
    write('macdLine', values.map((value) => value.MACD));
    write('macdSignal', values.map((value) => value.signal));
    write('macdHistogram', values.map((value) => value.histogram));
  },
  bollinger: ({ close }, write) => {
    const bands = BollingerBands.calculate({ period: 20, stdDev: 2, values: close });
    write('bbUpper', bands.map((band) => band.upper));
    write('bbLower', bands.map((band) => band.lower));
    write('percentB', bands.map((band) => band.pb));
  },
  atr14: ({ high, low, close }, write) => write('atr14', ATR.calculate({ period: 14, high, low, close })),
  adx14: ({ high, low, close }, write) => {
    const values = ADX.calculate({ period: 14, high, low, close });
    write('adx', values.map((value) => value.adx));
    write('plusDi', values.map((value) => value.pdi));
    write('minusDi', values.map((value) => value.mdi));
  },
  cci20: ({ high, low, close }, write) => write('cci20', CCI.calculate({ period: 20, high, low, close })),
  mfi14: ({ high, low, close, volume }, write) => write('mfi14', MFI.calculate({ period: 14, high, low, close, volume })),
  obv: ({ close, volume }, write) => {
    const values = OBV.calculate({ close, volume });
    write('obvChange5', values.slice(5).map((value, index) => value - values[index]!));
  },
  williamsR14: ({ high, low, close }, write) => write('williamsR14', WilliamsR.calculate({ period: 14, high, low, close })),
  roc12: ({ close }, write) => write('roc12', ROC.calculate({ period: 12, values: close })),
  supertrend: ({ high, low, close }, write) => {
    const ranges = ATR.calculate({ period: 10, high, low, close });
    const skipped = close.length - ranges.length;
    const state = { upper: NaN, lower: NaN, close: NaN, direction: 0 };
    write('direction', ranges.map((range, index) => {
      const at = skipped + index;
      supertrendStep(state, high[at]!, low[at]!, close[at]!, range, 3);
      return state.direction;
    }));
  },
  keltner: ({ high, low, close }, write) => {
    const channels = KeltnerChannels.calculate({ maPeriod: 20, atrPeriod: 10, multiplier: 2, useSMA: false, high, low, close });
    write('keltnerUpper', channels.map((channel) => channel.upper));
  },
  donchian20: ({ high, low }, write) => {
    write('donchianUpper', Highest.calculate({ period: 20, values: high }));
    write('donchianLower', Lowest.calculate({ period: 20, values: low }));
  },
  aroon25: ({ high, low }, write) => {
    const recency = (values: readonly number[], sign: 1 | -1): number[] => values.slice(25).map((_, index) => {
      let best = index;
      for (let at = index + 1; at <= index + 25; at++) if (values[at]! * sign >= values[best]! * sign) best = at;
      return (100 * (best - index)) / 25;
    });
    write('aroonUp', recency(high, 1));
    write('aroonDown', recency(low, -1));
  },
  steps: ({ close }, write) => {
    let risen = 0;
    write('risen', close.slice(1).map((value, index) => (risen = value > close[index]! ? risen + 1 : 0)));
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
