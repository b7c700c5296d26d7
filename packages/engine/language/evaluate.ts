import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { CandleFold } from '../candles/candle-fold.ts';
import { CandleSeries } from '../candles/candle-series.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { FrameLane, type CandleSource } from '../screening/frame-lane.ts';
import { linkFrames, type FrameGraph } from '../screening/link-frames.ts';
import { warnAboutAge } from './check-sizes.ts';
import { compileExpression } from './compile-expression.ts';
import { Frames, MARKET, OWN, prune } from './frames.ts';
import { errorAt } from './parse.ts';
import { scopeOf } from './scope.ts';

/** What an expression is worth on each candle: numbers, true or false; null where there is no value (yet). */
export interface Evaluation {
  readonly values: (number | boolean | null)[];
  readonly type: 'number' | 'series' | 'condition';
  /** Candles until the first value, and until it has settled, once what it reads on other intervals has. */
  readonly first: number;
  readonly settle: number;
  readonly warnings: readonly string[];
}

export interface EvaluateOptions {
  /** Interval of the candles; 1m unless given. */
  interval?: Interval;
  params?: Record<string, number>;
  let?: Record<string, string>;
  /** How many candles run at a time, at most MAX_BLOCK; the answer does not depend on it. */
  block?: number;
}

/**
 * Evaluates one expression over closed candles of one symbol, oldest first, with the same graph that screens. Higher intervals are made of them. Throws LanguageError, also for
 * what needs other symbols.
 */
export function evaluateExpression(text: string, candles: readonly Candle[], options: EvaluateOptions = {}): Evaluation {
  const { interval = '1m', params = {}, block = MAX_BLOCK } = options;
  const drafts = new Frames(interval);
  const warnings: string[] = [];
  const source = { text, field: 'expression' };
  const typed = compileExpression(source, scopeOf(params, options.let ?? {}, drafts, warnings), drafts.own, drafts, warnings);
  const { frames: kept, refs } = prune(drafts, [typed.ref]);
  warnAboutAge(source.field, kept, warnings);
  const { frames, refs: [linked] } = linkFrames([kept]);
  if (candles.length > 0 && frames.some(({ key, symbol }) => key === MARKET || symbol !== undefined)) {
    throw errorAt(source, 'not_allowed', { start: 0, end: text.length }, 'it looks at other symbols, and here are the candles of one.', 'Run it in a trader, or without of, rank and percentile.');
  }
  const { program, externals } = frames.at(-1)!;
  const slot = linked!.get(OWN)![refs[typed.ref]!]!;
  const { own, lanes } = layOut(candles, interval, frames);

  const state = program.newState();
  const width = block === 1 ? 1 : MAX_BLOCK;
  const v = width === 1 ? program.values : program.blockValues;
  const values: (number | boolean | null)[] = [];
  for (let from = 0; from < candles.length; from += block) {
    const count = Math.min(block, candles.length - from);
    own.fill(v, width, from, count);
    for (let i = 0; i < count && externals.length > 0; i++) {
      const time = intervalClose(interval, candles[from + i]!.openTime);
      for (const { slot: to, frame, index } of externals) {
        lanes[frame]!.advanceTo(time);
        v[to * width + i] = lanes[frame]!.valueAt(index, time);
      }
    }
    if (width === 1) program.run(state, from);
    else program.runBlock(state, count, from);
    for (let i = 0; i < count; i++) {
      const value = v[slot * width + i]!;
      values.push(Number.isNaN(value) ? null : typed.type === 'condition' ? value === 1 : value);
    }
  }
  return { values, type: typed.type, first: program.dag.first[slot]!, settle: program.dag.settle[slot]!, warnings };
}

/** The candles as series, those of longer intervals made of them, and a lane for each frame that reads them. */
function layOut(candles: readonly Candle[], interval: Interval, frames: readonly FrameGraph[]): { own: CandleSeries; lanes: FrameLane[] } {
  const seriesOf = (all: readonly Candle[]): CandleSeries => {
    const series = new CandleSeries(Math.max(1, all.length));
    for (const candle of all) series.push(candle);
    return series;
  };
  const own = seriesOf(candles);
  const longer = new Map<Interval, CandleSeries>();
  for (const frame of frames) {
    if (frame.interval === interval || longer.has(frame.interval)) continue;
    const fold = new CandleFold(interval, frame.interval);
    longer.set(frame.interval, seriesOf(candles.flatMap((candle) => fold.push(candle))));
  }
  const source: CandleSource = { series: (_symbol, one) => (one === interval ? own : longer.get(one)) };
  const lanes: FrameLane[] = [];
  for (const frame of frames.slice(0, -1)) lanes.push(new FrameLane(frame, '', source, [...lanes]));
  return { own, lanes };
}
