import { subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { emaOf } from './ema.ts';

/**
 * In: any series; out: its unit; the line has its first value after `slow` candles, signal and histogram after slow + signal − 1; settled
 * after 7 × the slower length, and 7 × signal more.
 */
export const macd: FunctionDefinition = {
  name: 'macd',
  summary: 'Moving average convergence divergence: line = ema(fast) − ema(slow), signal = an EMA of the line, histogram = line − signal.',
  arguments: [inputSeries, length('fast'), length('slow'), length('signal')],
  fields: ['line', 'signal', 'histogram'],
  returns: 'series',
  unit: 'that of the series',
  seed: 'each EMA with the mean of its first values, one after the other',
  source: 'G. Appel; seeds as in Stock.Indicators (TA-Lib starts the fast EMA late)',
  example: 'crossover(macd(12, 26, 9).line, macd(12, 26, 9).signal)',
  build: (dag, [x], [fast, slow, signal], field) => {
    const line = dag.node(subtract, [emaOf(dag, x!, fast!), emaOf(dag, x!, slow!)]);
    if (field === 'line') return line;
    const average = emaOf(dag, line, signal!);
    return field === 'signal' ? average : dag.node(subtract, [line, average]);
  },
};
