import type { Column, Dag, Ref } from '../graph/dag.ts';
import { meanPriceOf } from '../indicators/mean-price.ts';

export interface SeriesDefinition {
  readonly name: string;
  readonly summary: string;
  build(dag: Dag): Ref;
}

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

/** Every series of a candle. */
export const SERIES: readonly SeriesDefinition[] = [
  ...(Object.entries(SUMMARIES) as [keyof typeof SUMMARIES, string][]).map(([name, summary]) => ({ name, summary, build: (dag: Dag): Ref => dag.column(name) })),
  { name: 'hl2', summary: '(high + low) / 2', build: (dag) => meanPriceOf(dag, 'high', 'low') },
  { name: 'hlc3', summary: '(high + low + close) / 3', build: (dag) => meanPriceOf(dag, 'high', 'low', 'close') },
  { name: 'ohlc4', summary: '(open + high + low + close) / 4', build: (dag) => meanPriceOf(dag, 'open', 'high', 'low', 'close') },
];
