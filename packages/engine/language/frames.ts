import { intervalMs, type Interval } from '@trademind/core';
import { Dag, type FrameRefs, type Ref } from '../graph/dag.ts';

/**
 * Where an expression is computed: the symbol being screened or a named one, and an interval. Each frame has a graph of its own; what it gives to others they read as
 * external values. `market` is the symbol being screened, before the symbols are ranked against each other.
 */
export interface Frame {
  readonly key: string;
  /** Undefined: the symbol being screened. */
  readonly symbol: string | undefined;
  readonly interval: Interval;
  readonly dag: Dag;
}

/** Key of the frame of the trader itself, and of what is computed of every symbol before it is ranked. */
export const OWN = 'own';
export const MARKET = 'market';
/** Pseudo-frames: places of the values of the market frame among all symbols. */
export const RANK = 'rank';
export const PERCENTILE = 'percentile';

/** Frames of one trader while it is compiled. */
export class Frames {
  readonly own: Frame;
  readonly #frames = new Map<string, Frame>();

  constructor(interval: Interval) {
    this.own = { key: OWN, symbol: undefined, interval, dag: new Dag(interval) };
    this.#frames.set(OWN, this.own);
  }

  /** The frame of a symbol (undefined: the one being screened) and an interval. */
  of(symbol: string | undefined, interval: Interval): Frame {
    if (symbol === undefined && interval === this.own.interval) return this.own;
    const on = interval === this.own.interval ? [] : [`on ${interval}`];
    return this.#get([...(symbol === undefined ? [] : [`of ${symbol}`]), ...on].join(' '), symbol, interval);
  }

  get market(): Frame {
    return this.#get(MARKET, undefined, this.own.interval);
  }

  /** Every frame after those that it reads; the trader's own is the last. */
  all(): Frame[] {
    return sortFrames([...this.#frames.values()]);
  }

  get nodes(): number {
    let nodes = 0;
    for (const { dag } of this.#frames.values()) nodes += dag.nodes.length;
    return nodes;
  }

  #get(key: string, symbol: string | undefined, interval: Interval): Frame {
    let frame = this.#frames.get(key);
    if (frame === undefined) this.#frames.set(key, (frame = { key, symbol, interval, dag: new Dag(interval) }));
    return frame;
  }
}

/** Frames in an order in which each comes after those that it reads: higher intervals, longest first, then other symbols, the market, the trader's own. */
export function sortFrames(frames: readonly Frame[]): Frame[] {
  const order = ({ key }: Frame): number => (key === OWN ? 3 : key === MARKET ? 2 : key.includes('on ') ? 0 : 1);
  return frames.toSorted((a, b) => order(a) - order(b) || intervalMs(b.interval) - intervalMs(a.interval));
}

/** Where the nodes of frames went, the pseudo-frames included: they are named by nodes of the market frame. */
export function withPlaces(refs: Map<string, Int32Array>): FrameRefs {
  const market = refs.get(MARKET);
  return market === undefined ? refs : new Map([...refs, [RANK, market], [PERCENTILE, market]]);
}

/** Of each frame the nodes that other frames read, by the frame's key. */
export function exportsOf(frames: readonly Frame[]): Map<string, Set<Ref>> {
  const exported = new Map<string, Set<Ref>>(frames.map(({ key }) => [key, new Set<Ref>()]));
  for (const { dag } of frames) {
    for (const node of dag.nodes) if ('frame' in node) exported.get(node.frame === RANK || node.frame === PERCENTILE ? MARKET : node.frame)!.add(node.ref);
  }
  return exported;
}

/** The same frames with only what `roots` of the trader's own frame need; names that nothing uses, and what folding left behind, cost nothing. */
export function prune(frames: Frames, roots: Iterable<Ref>): { frames: Frame[]; refs: Int32Array } {
  const drafts = frames.all();
  const wanted = new Map<string, Set<Ref>>(drafts.map(({ key }) => [key, new Set<Ref>()]));
  for (const root of roots) wanted.get(OWN)!.add(root);
  for (const { key, dag } of drafts.toReversed()) {
    const reached = wanted.get(key)!;
    for (let ref = dag.nodes.length - 1; ref >= 0; ref--) {
      const node = dag.nodes[ref]!;
      if (!reached.has(ref)) continue;
      if ('kind' in node) for (const input of node.inputs) reached.add(input);
      if ('frame' in node) wanted.get(node.frame === RANK || node.frame === PERCENTILE ? MARKET : node.frame)!.add(node.ref);
    }
  }
  const refs = new Map<string, Int32Array>();
  const kept: Frame[] = [];
  for (const { key, symbol, interval, dag } of drafts) {
    if (key !== OWN && wanted.get(key)!.size === 0) continue;
    const smaller = new Dag(interval);
    refs.set(key, smaller.merge(dag, wanted.get(key)!, withPlaces(refs)));
    kept.push({ key, symbol, interval, dag: smaller });
  }
  return { frames: kept, refs: refs.get(OWN)! };
}
