import { atr } from './atr.ts';
import { bollinger } from './bollinger.ts';
import { change, momentum, percentChange, roc } from './change.ts';
import type { FunctionDefinition } from './definition.ts';
import { ema, smma } from './ema.ts';
import { highest, lowest } from './highest-lowest.ts';
import { macd } from './macd.ts';
import { rsi } from './rsi.ts';
import { sma } from './sma.ts';
import { stdev } from './stdev.ts';
import { stochastic } from './stochastic.ts';
import { trueRange } from './true-range.ts';
import { awesome } from './awesome.ts';
import { cci } from './cci.ts';
import { choppiness } from './choppiness.ts';
import { dema } from './dema.ts';
import { hma } from './hma.ts';
import { kama } from './kama.ts';
import { stochRsi } from './stoch-rsi.ts';
import { tema } from './tema.ts';
import { trix } from './trix.ts';
import { tsi } from './tsi.ts';
import { ultimate } from './ultimate.ts';
import { vwma } from './vwma.ts';
import { williamsR } from './williams-r.ts';
import { wma } from './wma.ts';
import { zScore } from './z-score.ts';
import { highestBars, lowestBars } from './bars-since-extreme.ts';
import { bearishEngulfing, bullishEngulfing, doji, eveningStar, hammer, insideBar, morningStar, shootingStar } from './candle-patterns.ts';
import { bearishDivergence, bullishDivergence } from './divergence.ts';
import { linreg } from './linreg.ts';
import { pivotHigh, pivotLow } from './pivot.ts';
import { swing } from './swing.ts';
import { volumeProfile } from './volume-profile.ts';
import { adl } from './adl.ts';
import { adx } from './adx.ts';
import { aroon } from './aroon.ts';
import { cmf } from './cmf.ts';
import { donchian } from './donchian.ts';
import { ichimoku } from './ichimoku.ts';
import { keltner } from './keltner.ts';
import { mfi } from './mfi.ts';
import { obv } from './obv.ts';
import { psar } from './psar.ts';
import { rollingVwap } from './rolling-vwap.ts';
import { supertrend } from './supertrend.ts';
import { vortex } from './vortex.ts';
import { vwap } from './vwap.ts';

/** Every indicator of the language. A new one is a file here and a row in this table. */
export const INDICATORS: readonly FunctionDefinition[] = [
  sma, ema, smma, rsi, macd, bollinger, stdev, atr, trueRange, stochastic, highest, lowest, change, momentum, roc,
  wma, vwma, hma, dema, tema, kama, stochRsi, cci, williamsR, awesome, trix, ultimate, tsi, zScore, percentChange, choppiness,
  linreg, volumeProfile, highestBars, lowestBars, pivotHigh, pivotLow, swing, bullishDivergence, bearishDivergence,
  doji, hammer, shootingStar, bullishEngulfing, bearishEngulfing, morningStar, eveningStar, insideBar,
  adx, aroon, vortex, supertrend, psar, ichimoku, keltner, donchian, obv, adl, cmf, mfi, vwap, rollingVwap,
];
