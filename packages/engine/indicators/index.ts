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
import { supertrend } from './supertrend.ts';
import { vortex } from './vortex.ts';
import { vwap } from './vwap.ts';

/** Every indicator of the language. A new one is a file here and a row in this table. */
export const INDICATORS: readonly FunctionDefinition[] = [
  sma, ema, smma, rsi, macd, bollinger, stdev, atr, trueRange, stochastic, highest, lowest, change, momentum, roc,
  adx, aroon, vortex, supertrend, psar, ichimoku, keltner, donchian, obv, adl, cmf, mfi, vwap,
];
