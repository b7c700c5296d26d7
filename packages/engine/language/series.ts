import { intervalMs } from '@trademind/core';
import { dayOfWeekOf, hourOf, minuteOf } from '../graph/calendar.ts';
import type { Column, Dag, Ref } from '../graph/dag.ts';
import { meanPriceOf } from '../indicators/mean-price.ts';
import { sumOf } from '../indicators/sma.ts';
import type { NodeKind } from '../graph/node-kind.ts';

export interface SeriesDefinition {
  readonly name: string;
  readonly summary: string;
  /** Undefined where the graph's interval has no such series. */
  build(dag: Dag): Ref | undefined;
}

const calendar = (kind: NodeKind) => (dag: Dag): Ref => dag.node(kind, [dag.column('openTime')]);

const SUMMARIES: Record<Exclude<Column, 'openTime'>, string> = {
  open: 'Price of the first trade.',
  high: 'Highest price.',
  low: 'Lowest price.',
  close: 'Price of the last trade.',
  volume: 'Volume in the base asset.',
  quoteVolume: 'Volume in the quote asset.',
  trades: 'Number of trades.',
  takerBuy: 'Base volume bought by takers.',
};

/** Sums the candles that make up 24 h: closed candles alone, so that it is the same live and in a backtest. */
function dayVolume(dag: Dag): Ref | undefined {
  const candles = DAY_MS / intervalMs(dag.interval);
  return candles >= 1 ? sumOf(dag, dag.column('quoteVolume'), candles) : undefined;
}

const DAY_MS = 86_400_000;

/** Every series of a candle. */
export const SERIES: readonly SeriesDefinition[] = [
  ...(Object.entries(SUMMARIES) as [keyof typeof SUMMARIES, string][]).map(([name, summary]) => ({ name, summary, build: (dag: Dag): Ref => dag.column(name) })),
  { name: 'hl2', summary: '(high + low) / 2', build: (dag) => meanPriceOf(dag, 'high', 'low') },
  { name: 'hlc3', summary: '(high + low + close) / 3', build: (dag) => meanPriceOf(dag, 'high', 'low', 'close') },
  { name: 'ohlc4', summary: '(open + high + low + close) / 4', build: (dag) => meanPriceOf(dag, 'open', 'high', 'low', 'close') },
  { name: 'quoteVolume24h', summary: 'Volume in the quote asset over the closed candles of the last 24 h.', build: dayVolume },
  { name: 'hour', summary: 'Hour of the day in which the candle opened, 0 to 23, UTC.', build: calendar(hourOf) },
  { name: 'minute', summary: 'Minute of the hour in which the candle opened, 0 to 59, UTC.', build: calendar(minuteOf) },
  { name: 'dayOfWeek', summary: 'Day of the week on which the candle opened, 0 = Sunday to 6 = Saturday, UTC.', build: calendar(dayOfWeekOf) },
];
