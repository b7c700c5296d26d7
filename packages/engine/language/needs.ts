import type { Interval } from '@trademind/core';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { Program } from '../graph/program.ts';
import type { CompiledTrader } from './compile-trader.ts';

/** What a trader costs to run. */
export interface TraderNeeds {
  /** Per interval (and other symbol that it names) the closed candles until everything on it has its first value, and until it has settled and signals can be given. */
  readonly candles: readonly { readonly symbol?: string | undefined; readonly interval: Interval; readonly first: number; readonly settle: number }[];
  /** Distinct calculations; those that other traders need too are computed once for all. */
  readonly nodes: number;
  /** Running state of one symbol. */
  readonly bytesPerSymbol: number;
  /** Values of the graph, once for all symbols. */
  readonly bytesShared: number;
}

/** What a compiled trader needs. */
export function needsOf({ frames, interval, first, settle, elsewhere }: CompiledTrader): TraderNeeds {
  const programs = frames.map(({ dag }) => new Program(dag));
  return {
    candles: [{ interval, first, settle }, ...elsewhere.map((other) => ({ ...other, first: other.settle }))],
    nodes: frames.reduce((sum, { dag }) => sum + dag.nodes.filter((node) => 'kind' in node).length, 0),
    bytesPerSymbol: programs.reduce((sum, { stateSize }) => sum + stateSize, 0) * Float64Array.BYTES_PER_ELEMENT,
    bytesShared: programs.reduce((sum, { slots }) => sum + slots, 0) * (1 + MAX_BLOCK) * Float64Array.BYTES_PER_ELEMENT,
  };
}
