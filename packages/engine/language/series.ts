import { add, divide } from '../graph/arithmetic.ts';
import type { Column, Dag, Ref } from '../graph/dag.ts';

export interface SeriesDefinition {
  readonly name: string;
  readonly summary: string;
  build(dag: Dag): Ref;
}

const mean = (columns: readonly ('open' | 'high' | 'low' | 'close')[]) => (dag: Dag): Ref =>
  dag.node(divide, [columns.map((column) => dag.column(column)).reduce((sum, column) => dag.node(add, [sum, column])), dag.constant(columns.length)]);

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
  { name: 'hl2', summary: '(high + low) / 2', build: mean(['high', 'low']) },
  { name: 'hlc3', summary: '(high + low + close) / 3', build: mean(['high', 'low', 'close']) },
  { name: 'ohlc4', summary: '(open + high + low + close) / 4', build: mean(['open', 'high', 'low', 'close']) },
];
