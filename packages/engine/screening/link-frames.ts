import type { Interval } from '@trademind/core';
import { Dag, type Ref } from '../graph/dag.ts';
import { Program } from '../graph/program.ts';
import { exportsOf, MARKET, OWN, PERCENTILE, RANK, sortFrames, withPlaces, type Frame } from '../language/frames.ts';

/** A slot that is filled from outside before a run: with an exported value of a frame, or with that value's place among all symbols. */
export interface ExternalSlot {
  readonly slot: number;
  /** Index of the frame, and of the value among its exports. */
  readonly frame: number;
  readonly index: number;
  readonly as: 'value' | typeof RANK | typeof PERCENTILE;
}

/** A slot that other frames read, the candles until it has settled, and the external slots that it reads itself. */
export interface FrameExport {
  readonly slot: number;
  readonly settle: number;
  readonly reads: readonly ExternalSlot[];
}

/** What is computed on one symbol and interval, ready to run. */
export interface FrameGraph {
  readonly key: string;
  /** Undefined: the symbol being screened. */
  readonly symbol: string | undefined;
  readonly interval: Interval;
  readonly program: Program;
  readonly exports: readonly FrameExport[];
  readonly externals: readonly ExternalSlot[];
}

/**
 * Joins the frames of several compilations: those of one key become one graph, in which equal nodes are there once. Every frame comes after those that it reads, the own
 * one last; `refs` says for each compilation where the nodes of its frames went.
 * @param idle which nodes of the own frame are not to be computed (1), given where those of each compilation went.
 */
export function linkFrames(compilations: readonly (readonly Frame[])[], idle?: (own: Dag, refs: readonly ReadonlyMap<string, Int32Array>[]) => Uint8Array, lasting = false): { frames: FrameGraph[]; refs: Map<string, Int32Array>[] } {
  const joined = new Map<string, Frame>();
  const refs = compilations.map(() => new Map<string, Int32Array>());
  for (const { key, symbol, interval } of sortFrames([...new Map(compilations.flat().map((frame) => [frame.key, frame])).values()])) {
    const dag = new Dag(interval);
    joined.set(key, { key, symbol, interval, dag });
    for (const [index, frames] of compilations.entries()) {
      const frame = frames.find((one) => one.key === key);
      if (frame !== undefined) refs[index]!.set(key, dag.merge(frame.dag, undefined, withPlaces(refs[index]!)));
    }
  }
  const exported = new Map([...exportsOf([...joined.values()])].map(([key, slots]) => [key, [...slots]]));
  const keys = [...joined.keys()];
  const frames = [...joined.values()].map(({ key, symbol, interval, dag }): FrameGraph => {
    const externals = dag.nodes.flatMap((node, slot): ExternalSlot[] => {
      if (!('frame' in node)) return [];
      const place = node.frame === RANK || node.frame === PERCENTILE;
      const source = place ? MARKET : node.frame;
      return [{ slot, frame: keys.indexOf(source), index: exported.get(source)!.indexOf(node.ref), as: place ? (node.frame as typeof RANK | typeof PERCENTILE) : 'value' }];
    });
    const exports = exported.get(key)!.map((slot): FrameExport => ({ slot, settle: dag.settle[slot]!, reads: readsOf(dag, [slot], externals) }));
    return { key, symbol, interval, program: new Program(dag, key === OWN ? idle?.(dag, refs) : undefined, lasting), exports, externals };
  });
  return { frames, refs };
}

/** The external slots that nodes read, near or far. */
export function readsOf(dag: Dag, slots: Iterable<Ref>, externals: readonly ExternalSlot[]): ExternalSlot[] {
  if (externals.length === 0) return [];
  const reached = new Set(slots);
  for (let ref = dag.nodes.length - 1; ref >= 0; ref--) {
    const node = dag.nodes[ref]!;
    if (reached.has(ref) && 'kind' in node) for (const input of node.inputs) reached.add(input);
  }
  return externals.filter(({ slot }) => reached.has(slot));
}
