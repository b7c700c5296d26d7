import { intervalClose, type ConditionReading, type Interval, type Side } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import type { CompiledCondition } from '../language/compile-trader.ts';
import { Lane } from './lane.ts';
import { readCondition } from './match.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';

/** A condition as it stands on the last closed candle, and what it still waits for. */
export interface ExplainedCondition extends ConditionReading {
  /** Whether all that it reads has settled. */
  readonly ready: boolean;
  /** What has not: each number with the candles it has and needs. */
  readonly missing: readonly { readonly expression: string; readonly has: number; readonly needs: number }[];
}

/** Why a trader holds on a symbol, or why not. Times in ms of market time. */
export interface Explanation {
  readonly traderId: string;
  readonly traderVersion: number;
  readonly traderName: string;
  readonly side: Side;
  readonly symbol: string;
  readonly interval: Interval;
  /** The candle spoken of; null before the first. */
  readonly candle: { readonly openTime: number; readonly closeTime: number; readonly close: number } | null;
  /** Candles the trader has seen of this symbol, and how many it needs to settle. */
  readonly seen: number;
  readonly needs: number;
  readonly verdict: 'matching' | 'not matching' | 'not ready' | 'not in the universe' | 'no candles';
  readonly conditions: readonly ExplainedCondition[];
  /** All of it in words. */
  readonly sentence: string;
}

/**
 * Explains a trader on one symbol by running its graph once more over the stored candles, up to the index-th oldest: the same runs that screen.
 * Undefined series: no candle has come yet.
 */
export function explain(trader: ActiveTrader, symbol: string, at: { included: boolean; series: CandleSeries | undefined; index: number }): Explanation {
  const { compiled } = trader;
  const { interval, document } = compiled;
  const { included, series, index } = at;
  const candle = series?.at(index);
  const known = {
    traderId: trader.id, traderVersion: trader.version, traderName: document.name, side: document.side, symbol, interval, needs: compiled.settle,
    candle: candle === undefined ? null : { openTime: candle.openTime, closeTime: intervalClose(interval, candle.openTime), close: candle.close },
  };
  if (!included) return { ...known, seen: 0, verdict: 'not in the universe', conditions: [], sentence: `${document.name} does not screen ${symbol}.` };
  if (series === undefined || candle === undefined) {
    return { ...known, seen: 0, verdict: 'no candles', conditions: [], sentence: `${document.name} on ${symbol}: no closed ${interval} candle has come yet.` };
  }
  const graph = new ScreeningGraph([trader]);
  const lane = new Lane(symbol, interval, graph, series.total - series.size);
  lane.warmUp(series, index + 1);
  const seen = lane.seen(0);
  const { slots } = graph.traders[0]!;
  const values = graph.program.blockValues;
  const column = index % MAX_BLOCK;
  const conditions = compiled.conditions.map((condition): ExplainedCondition => {
    const missing = missingOf(condition, compiled.dag.settle, seen);
    return { ...readCondition(condition, slots, values, MAX_BLOCK, column), ready: missing.length === 0, missing };
  });
  const unanswered = Number.isNaN(values[slots[compiled.when]! * MAX_BLOCK + column]!);
  const verdict = !lane.ready(0) || unanswered ? 'not ready' : lane.holds(0) ? 'matching' : 'not matching';
  return { ...known, seen, verdict, conditions, sentence: sentenceOf(document.name, symbol, interval, verdict, conditions, seen, compiled.settle) };
}

function missingOf(condition: CompiledCondition, settle: readonly number[], seen: number): { expression: string; has: number; needs: number }[] {
  const missing = condition.readings.map(({ expression, ref }) => ({ expression, has: seen, needs: settle[ref]! })).filter(({ has, needs }) => has < needs);
  // The condition itself may look further back than its numbers, as a crossing does.
  if (missing.length === 0 && seen < settle[condition.ref]!) missing.push({ expression: condition.expression, has: seen, needs: settle[condition.ref]! });
  return missing;
}

function sentenceOf(name: string, symbol: string, interval: Interval, verdict: Explanation['verdict'], conditions: readonly ExplainedCondition[], seen: number, needs: number): string {
  const parts = conditions.map((condition) => {
    const numbers = condition.values.map(({ expression, value }) => `${expression} ${value === null ? 'has no value' : `is ${format(value)}`}`).join(', ');
    const wait = condition.missing.map((one) => `${one.expression} has seen ${one.has} of the ${one.needs} candles it needs`).join(', ');
    const state = condition.ready ? (condition.holds === null ? 'has no answer' : condition.holds ? 'holds' : 'does not hold') : `waits (${wait})`;
    return `${condition.name} ${state}${condition.ready && numbers !== '' ? ` (${condition.expression}: ${numbers})` : ''}`;
  });
  const opening = {
    matching: 'holds', 'not matching': 'does not hold', 'not ready': seen < needs ? `is not ready (${seen} of ${needs} candles)` : 'has no answer', 'not in the universe': '', 'no candles': '',
  }[verdict];
  return `${name} ${opening} on ${symbol} ${interval}: ${parts.join('; ')}.`;
}

/** Six digits that matter; no exponent where a person would not write one. */
function format(value: number): string {
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-6 || size >= 1e12) ? value.toPrecision(6) : String(size >= 1e6 ? Math.round(value) : Number(value.toPrecision(6)));
}
