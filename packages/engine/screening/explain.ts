import { intervalClose, type ConditionReading, type Interval, type Side } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import type { CompiledCondition } from '../language/compile-trader.ts';
import type { CandleSource } from './frame-lane.ts';
import { Lane } from './lane.ts';
import { MarketTrader } from './market-trader.ts';
import { readCondition } from './match.ts';
import { readsOf } from './link-frames.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';

/** A number that has not settled: the candles of an interval that it has seen, and how many it needs. */
export interface Missing { readonly expression: string; readonly interval: Interval; readonly has: number; readonly needs: number }

/** A condition as it stands on the last closed candle, and what it still waits for. */
export interface ExplainedCondition extends ConditionReading {
  /** Whether all that it reads has settled. */
  readonly ready: boolean;
  /** What has not: each number with the candles it has and needs. */
  readonly missing: readonly Missing[];
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

/** Where to look: the stored candles, the symbols that the trader screens, and which of the symbol's candles (by index, the oldest is 0). */
interface ExplainAt {
  readonly candles: CandleSource;
  readonly universe: ReadonlySet<string>;
  readonly series: CandleSeries | undefined;
  readonly index: number;
}

/** Explains a trader on one symbol by running its graph once more over the stored candles, up to the one asked for: the same runs that screen. */
export function explain(trader: ActiveTrader, symbol: string, at: ExplainAt): Explanation {
  const { compiled } = trader;
  const { interval, document } = compiled;
  const { universe, series, index } = at;
  const candle = series?.at(index);
  const known = {
    traderId: trader.id, traderVersion: trader.version, traderName: document.name, side: document.side, symbol, interval, needs: compiled.settle,
    candle: candle === undefined ? null : { openTime: candle.openTime, closeTime: intervalClose(interval, candle.openTime), close: candle.close },
  };
  if (!universe.has(symbol)) return { ...known, seen: 0, verdict: 'not in the universe', conditions: [], sentence: `${document.name} does not screen ${symbol}.` };
  if (series === undefined || candle === undefined) {
    return { ...known, seen: 0, verdict: 'no candles', conditions: [], sentence: `${document.name} on ${symbol}: no closed ${interval} candle has come yet.` };
  }
  const lane = replay(trader, symbol, at, series.oldest + index, known.candle!.closeTime);
  const seen = lane.book.seen(0);
  const { graph } = lane;
  const { slots } = graph.traders[0]!;
  const { values } = graph.program;
  const conditions = compiled.conditions.map((condition): ExplainedCondition => {
    const missing = missingOf(condition, lane, seen);
    return { ...readCondition(condition, slots, values, 1, 0), ready: missing.length === 0, missing };
  });
  const unanswered = Number.isNaN(values[slots[compiled.when]!]!);
  const verdict = !lane.book.ready(0) || unanswered ? 'not ready' : lane.book.holds(0) ? 'matching' : 'not matching';
  return { ...known, seen, verdict, conditions, sentence: sentenceOf(document.name, symbol, interval, verdict, conditions, seen, compiled.settle) };
}

/** A lane of its own that has screened the stored candles up to the one of this ordinal, whose values its program holds. */
function replay(trader: ActiveTrader, symbol: string, { candles, universe, series }: ExplainAt, ordinal: number, closeTime: number): Lane {
  const { interval, waits } = trader.compiled;
  if (waits) {
    // The values are those of the symbol that is screened last.
    const market = new MarketTrader(trader, new Set([...[...universe].filter((other) => other !== symbol), symbol]), candles, 0);
    market.warmUp(closeTime);
    return market.lane(symbol)!;
  }
  const lane = new Lane(symbol, interval, new ScreeningGraph([trader]), candles, series!.oldest);
  lane.warmUp(series!, ordinal);
  lane.advance(series!, ordinal + 1);
  return lane;
}

/** What a condition waits for: numbers of its own candles, or of those that it looks at elsewhere. */
function missingOf(condition: CompiledCondition, lane: Lane, seen: number): Missing[] {
  const { graph, interval } = lane;
  const { trader: { compiled }, slots } = graph.traders[0]!;
  const missing: Missing[] = [];
  for (const { slot, frame, index } of readsOf(graph.program.dag, [slots[condition.ref]!], graph.own.externals)) {
    const source = lane.source(frame)!;
    if (source.settled(index)) continue;
    const expression = condition.readings.find(({ ref }) => slots[ref] === slot)?.expression ?? condition.expression;
    missing.push({ expression, interval: source.graph.interval, has: source.seen(index), needs: source.graph.exports[index]!.settle });
  }
  if (missing.length > 0) return missing;
  const { settle } = compiled.dag;
  for (const { expression, ref } of condition.readings) if (seen < settle[ref]!) missing.push({ expression, interval, has: seen, needs: settle[ref]! });
  // The condition itself may look further back than its numbers, as a crossing does.
  if (missing.length === 0 && seen < settle[condition.ref]!) missing.push({ expression: condition.expression, interval, has: seen, needs: settle[condition.ref]! });
  return missing;
}

function sentenceOf(name: string, symbol: string, interval: Interval, verdict: Explanation['verdict'], conditions: readonly ExplainedCondition[], seen: number, needs: number): string {
  const parts = conditions.map((condition) => {
    const numbers = condition.values.map(({ expression, value }) => `${expression} ${value === null ? 'has no value' : `is ${format(value)}`}`).join(', ');
    const wait = condition.missing.map((one) => `${one.expression} has seen ${one.has} of the ${one.needs} ${one.interval === interval ? '' : `${one.interval} `}candles it needs`).join(', ');
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
