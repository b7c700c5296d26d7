import type { Interval } from '@trademind/core';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import type { CompiledTrader } from './compile-trader.ts';

/** What a trader costs to run. */
export interface TraderNeeds {
  /** Closed candles until everything on them has settled and signals can be given, by symbol (null: each that is screened) and interval; the trader's own interval first. */
  readonly candles: readonly { readonly symbol: string | null; readonly interval: Interval; readonly settle: number }[];
  /** Candles of its own interval until everything has its first value. */
  readonly first: number;
  /** Distinct calculations; those that other traders need too are computed once for all. */
  readonly nodes: number;
  /** Running state of one symbol, on all intervals. */
  readonly bytesPerSymbol: number;
  /** What is kept once for all symbols: values of the graphs, and the state of symbols that the trader names. */
  readonly bytesShared: number;
}

/** What a compiled trader needs. */
export function needsOf({ frames, interval, first, settle, elsewhere }: CompiledTrader): TraderNeeds {
  const candles = new Map<string, TraderNeeds['candles'][number]>();
  for (const one of [{ symbol: undefined, interval, settle }, ...elsewhere]) {
    const key = `${one.symbol ?? ''} ${one.interval}`;
    candles.set(key, { symbol: one.symbol ?? null, interval: one.interval, settle: Math.max(one.settle, candles.get(key)?.settle ?? 0) });
  }
  let [nodes, own, shared] = [0, 0, 0];
  for (const { dag, symbol } of frames) {
    nodes += dag.nodes.filter((node) => 'kind' in node).length;
    shared += dag.nodes.length * (1 + MAX_BLOCK);
    if (symbol === undefined) own += dag.stateSize;
    else shared += dag.stateSize;
  }
  return { candles: [...candles.values()], first, nodes, bytesPerSymbol: own * Float64Array.BYTES_PER_ELEMENT, bytesShared: shared * Float64Array.BYTES_PER_ELEMENT };
}
