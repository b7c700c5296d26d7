import { atr } from './atr.ts';
import { bollinger } from './bollinger.ts';
import { change, momentum, roc } from './change.ts';
import type { FunctionDefinition } from './definition.ts';
import { ema, smma } from './ema.ts';
import { highest, lowest } from './highest-lowest.ts';
import { macd } from './macd.ts';
import { rsi } from './rsi.ts';
import { sma } from './sma.ts';
import { stdev } from './stdev.ts';
import { stochastic } from './stochastic.ts';
import { trueRange } from './true-range.ts';
import { highestBars, lowestBars } from './bars-since-extreme.ts';
import { bearishEngulfing, bullishEngulfing, doji, eveningStar, hammer, insideBar, morningStar, shootingStar } from './candle-patterns.ts';
import { bearishDivergence, bullishDivergence } from './divergence.ts';
import { linreg } from './linreg.ts';
import { pivotHigh, pivotLow } from './pivot.ts';
import { swing } from './swing.ts';
import { volumeProfile } from './volume-profile.ts';

/** Every indicator of the language. A new one is a file here and a row in this table. */
export const INDICATORS: readonly FunctionDefinition[] = [
  sma, ema, smma, rsi, macd, bollinger, stdev, atr, trueRange, stochastic, highest, lowest, change, momentum, roc,
  linreg, volumeProfile, highestBars, lowestBars, pivotHigh, pivotLow, swing, bullishDivergence, bearishDivergence,
  doji, hammer, shootingStar, bullishEngulfing, bearishEngulfing, morningStar, eveningStar, insideBar,
];
