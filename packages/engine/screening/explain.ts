import { intervalClose, type ExplainedCondition, type Explanation, type Missing } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import type { CompiledCondition } from '../language/compile-trader.ts';
import type { Lane } from './lane.ts';
import { readCondition } from './match.ts';
import { readsOf } from './link-frames.ts';
import type { ActiveTrader } from './screening-graph.ts';
import { conditionSentence, sayExplanation } from './say-explanation.ts';
import { clausesFor, stand, type Market } from './standing.ts';

/** Where to look: which of the symbol's stored candles, by index; the oldest is 0. */
interface ExplainAt extends Market { readonly series: CandleSeries | undefined; readonly index: number; /** Who was in then. */ readonly members: ReadonlySet<string> }

/** Explains a trader on one symbol by running its graph once more over the stored candles, up to the one asked for: the same runs that screen. */
export function explain(trader: ActiveTrader, symbol: string, at: ExplainAt): Explanation {
  const { compiled } = trader;
  const { interval, document } = compiled;
  const { series, index } = at;
  const candle = series?.at(index);
  const known = {
    traderId: trader.id, traderVersion: trader.version, traderName: document.name, side: document.side, symbol, interval, seen: 0, needs: compiled.settle, conditions: [],
    candle: candle === undefined ? null : { openTime: candle.openTime, closeTime: intervalClose(interval, candle.openTime), close: candle.close },
  };
  if (!at.members.has(symbol)) return sayExplanation({ ...known, verdict: 'not in the universe' }, document.when);
  if (series === undefined || candle === undefined) return sayExplanation({ ...known, verdict: 'no candles' }, document.when);
  let told: Omit<Explanation, 'headline' | 'sentence'> | undefined;
  stand(trader, at, new Map([[symbol, series.oldest + index]]), (_symbol, lane) => {
    told = { ...known, ...readStanding(trader, lane, index + 1) };
  });
  return sayExplanation(told!, document.when);
}

/** How a trader stands on the candle that a lane has just screened, the `candles`-th that it took in. */
export function readStanding(trader: ActiveTrader, lane: Lane, candles: number): Pick<Explanation, 'seen' | 'verdict' | 'conditions'> {
  const { compiled } = trader;
  const [{ slots }, parts] = lane.graph.traders as [Lane['graph']['traders'][number], Lane['graph']['traders'][number]];
  const { values } = lane.graph.program;
  const { clauses } = clausesFor(trader);
  const conditions = compiled.conditions.map((condition, at): ExplainedCondition => {
    const reading = readCondition(condition, slots, values, 1, 0);
    const missing = missingOf(condition, compiled.dag.settle, lane, candles);
    const stood = { ...reading, ready: missing.length === 0, missing };
    return { ...stood, sentence: conditionSentence(stood, compiled, clauses[at], (ref) => values[parts.slots[ref]!]!) };
  });
  const unanswered = Number.isNaN(values[slots[compiled.when]!]!);
  return { seen: lane.book.seen(0), conditions, verdict: !lane.book.ready(0) || unanswered ? 'not ready' : lane.book.holds(0) ? 'matching' : 'not matching' };
}

/** What a condition waits for: numbers of its own candles, or of those that it looks at elsewhere. */
function missingOf(condition: CompiledCondition, settle: readonly number[], lane: Lane, candles: number): Missing[] {
  const { graph, interval } = lane;
  const { slots } = graph.traders[0]!;
  const missing: Missing[] = [];
  const reads = readsOf(graph.program.dag, [slots[condition.ref]!], graph.own.externals);
  for (const { slot, frame, index } of reads) {
    const source = lane.source(frame)!;
    if (source.settled(index)) continue;
    const expression = condition.readings.find(({ ref }) => slots[ref] === slot)?.expression ?? condition.expression;
    missing.push({ expression, interval: source.graph.interval, elsewhere: true, has: source.seen(index), needs: source.graph.exports[index]!.settle });
  }
  if (missing.length > 0) return missing;
  // What looks elsewhere begins to count when that has settled; what looks at no candle but the last has nothing to count.
  const seen = reads.length > 0 ? lane.book.seen(0) : candles;
  const lacks = (ref: number): boolean => settle[ref]! > 1 && seen < settle[ref]!;
  for (const { expression, ref } of condition.readings) if (lacks(ref)) missing.push({ expression, interval, elsewhere: false, has: seen, needs: settle[ref]! });
  // The condition itself may look further back than its numbers, as a crossing does.
  if (missing.length === 0 && lacks(condition.ref)) missing.push({ expression: condition.expression, interval, elsewhere: false, has: seen, needs: settle[condition.ref]! });
  return missing;
}
