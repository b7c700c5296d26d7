import { length, type FunctionDefinition } from './definition.ts';
import { meanPriceOf } from './mean-price.ts';
import { weightedMeanOf } from './vwma.ts';

/** In: high, low, close, volume; out: price; first value after n candles, settled after n. Not ready where nothing was traded in n candles. */
export const rollingVwap: FunctionDefinition = {
  name: 'rollingVwap',
  summary: 'Volume-weighted average price of the last n candles: Σ (hlc3 × volume) / Σ volume.',
  arguments: [length()],
  returns: 'series',
  unit: 'price',
  seed: 'none: a full window',
  source: 'definition',
  example: 'close > rollingVwap(96)',
  build: (dag, _series, [n]) => weightedMeanOf(dag, meanPriceOf(dag, 'high', 'low', 'close'), dag.column('volume'), n!),
};
