import type { Candle } from '@trademind/core';
import { CandleSeries } from '../candles/candle-series.ts';
import { Dag } from '../graph/dag.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { Program } from '../graph/program.ts';
import { compileExpression } from './compile-expression.ts';
import { scopeOf } from './scope.ts';

/** What an expression is worth on each candle: numbers, true or false; null where there is no value (yet). */
export interface Evaluation {
  readonly values: (number | boolean | null)[];
  readonly type: 'number' | 'series' | 'condition';
  /** Candles until the first value, and until it has settled. */
  readonly first: number;
  readonly settle: number;
  readonly warnings: readonly string[];
}

/**
 * Evaluates one expression over closed candles, oldest first, with the same graph that screens. Throws LanguageError.
 * @param block how many candles run at a time, at most MAX_BLOCK; the answer does not depend on it.
 */
export function evaluateExpression(text: string, candles: readonly Candle[], options: { params?: Record<string, number>; let?: Record<string, string>; block?: number } = {}): Evaluation {
  const { params = {}, block = MAX_BLOCK } = options;
  const dag = new Dag();
  const warnings: string[] = [];
  const typed = compileExpression({ text, field: 'expression' }, scopeOf(params, options.let ?? {}, dag, warnings), dag, warnings);
  const program = new Program(dag);
  const state = program.newState();
  const width = block === 1 ? 1 : MAX_BLOCK;
  const v = width === 1 ? program.values : program.blockValues;
  const series = new CandleSeries(Math.max(1, candles.length));
  for (const candle of candles) series.push(candle);

  const values: (number | boolean | null)[] = [];
  for (let from = 0; from < candles.length; from += block) {
    const count = Math.min(block, candles.length - from);
    series.fill(v, width, from, count);
    if (width === 1) program.run(state, from);
    else program.runBlock(state, count, from);
    for (let i = 0; i < count; i++) {
      const value = v[typed.ref * width + i]!;
      values.push(Number.isNaN(value) ? null : typed.type === 'condition' ? value === 1 : value);
    }
  }
  return { values, type: typed.type, first: dag.first[typed.ref]!, settle: dag.settle[typed.ref]!, warnings };
}
