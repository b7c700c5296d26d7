import type { Interval } from '@trademind/core';
import type { ActiveTrader } from './screening-graph.ts';
import { readStanding } from './explain.ts';
import { stand, type Market } from './standing.ts';

/** On how many symbols a condition holds on their last closed candle, does not, and is not ready or has no answer. */
export interface FunnelCondition {
  readonly name: string;
  readonly expression: string;
  readonly holds: number;
  readonly fails: number;
  readonly notReady: number;
  /** Symbols on which it and all conditions before it hold. */
  readonly together: number;
}

/** Where the symbols of a trader are lost, from its universe to its matches. */
export interface Funnel {
  readonly traderId: string;
  readonly traderVersion: number;
  readonly traderName: string;
  readonly interval: Interval;
  /** Symbols in its universe, those of which candles are stored, those on which it has settled. */
  readonly symbols: number;
  readonly withCandles: number;
  readonly ready: number;
  readonly conditions: readonly FunnelCondition[];
  /** Symbols on which it holds on the last closed candle, and those of them on which that candle gave a signal; by name. */
  readonly matching: readonly string[];
  readonly matched: readonly string[];
  /** All of it in words, a line for each condition. */
  readonly sentence: string;
}

/** Symbols named in the sentence. */
const NAMED = 10;

/** Runs a trader once more over the stored candles of every symbol that it screens: one run for each symbol. */
export function funnel(trader: ActiveTrader, market: Market): Funnel {
  const { interval, document, conditions: compiled } = trader.compiled;
  const upTo = new Map<string, number>();
  for (const symbol of market.universe.now) {
    const series = market.candles.series(symbol, interval);
    if (series !== undefined && series.size > 0) upTo.set(symbol, series.total - 1);
  }
  const conditions = compiled.map(({ name, expression }) => ({ name, expression, holds: 0, fails: 0, notReady: 0, together: 0 }));
  const matching: string[] = [];
  const matched: string[] = [];
  let ready = 0;
  if (upTo.size > 0) {
    stand(trader, market, upTo, (symbol, lane, matches) => {
      const standing = readStanding(trader, lane, lane.next - market.candles.series(symbol, interval)!.oldest);
      if (lane.book.ready(0)) ready++;
      if (standing.verdict === 'matching') matching.push(symbol);
      if (matches.length > 0) matched.push(symbol);
      let together = true;
      for (const [at, { ready: settled, holds }] of standing.conditions.entries()) {
        const counted = conditions[at]!;
        together &&= settled && holds === true;
        if (!settled || holds === null) counted.notReady++;
        else if (holds) counted.holds++;
        else counted.fails++;
        if (together) counted.together++;
      }
    });
  }
  const counts = { symbols: market.universe.now.size, withCandles: upTo.size, ready, conditions, matching: matching.sort(), matched: matched.sort() };
  return { traderId: trader.id, traderVersion: trader.version, traderName: document.name, interval, ...counts, sentence: sentenceOf(document.name, interval, counts) };
}

function sentenceOf(name: string, interval: Interval, { symbols, withCandles, ready, conditions, matching, matched }: Pick<Funnel, 'symbols' | 'withCandles' | 'ready' | 'conditions' | 'matching' | 'matched'>): string {
  const without = symbols - withCandles;
  const head = `${name} screens ${symbols} ${symbols === 1 ? 'symbol' : 'symbols'} on ${interval} candles: ${ready} ready, ${symbols - ready} not yet${without > 0 ? ` (${without} without a candle)` : ''}.`;
  const width = Math.max(0, ...conditions.map((one) => one.name.length));
  const lines = conditions.map((one) => `  ${one.name.padEnd(width)}  holds on ${one.holds}, not on ${one.fails}${one.notReady > 0 ? `, not ready on ${one.notReady}` : ''}; with all above it on ${one.together}`);
  const names = (list: readonly string[]): string => `${list.slice(0, NAMED).join(', ')}${list.length > NAMED ? ` and ${list.length - NAMED} more` : ''}`;
  return [head, ...lines, `It matches ${matching.length === 0 ? 'none' : names(matching)}; the last candle gave ${matched.length === 0 ? 'no signal' : `a signal on ${names(matched)}`}.`].join('\n');
}
