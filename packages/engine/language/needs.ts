import type { Interval } from '@trademind/core';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { Program } from '../graph/program.ts';
import type { CompiledTrader } from './compile-trader.ts';

/** What a trader costs to run. */
export interface TraderNeeds {
  /** Per interval the closed candles of a symbol until everything on it has its first value, and until it has settled and signals can be given. */
  readonly candles: readonly { readonly interval: Interval; readonly first: number; readonly settle: number }[];
  /** Distinct calculations; those that other traders need too are computed once for all. */
  readonly nodes: number;
  /** Running state of one symbol. */
  readonly bytesPerSymbol: number;
  /** Values of the graph, once for all symbols. */
  readonly bytesShared: number;
}

/** What a compiled trader needs. */
export function needsOf({ dag, interval, first, settle }: CompiledTrader): TraderNeeds {
  const { stateSize, slots } = new Program(dag);
  return {
    candles: [{ interval, first, settle }],
    nodes: dag.nodes.filter((node) => 'kind' in node).length,
    bytesPerSymbol: stateSize * Float64Array.BYTES_PER_ELEMENT,
    bytesShared: slots * (1 + MAX_BLOCK) * Float64Array.BYTES_PER_ELEMENT,
  };
}
