import type { Candle, Interval } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import { readMatch, type Match } from './match.ts';
import type { ActiveTrader, ScreeningGraph } from './screening-graph.ts';

/** Candles that a warm-up runs at a time: many enough to keep its loops tight, few enough to stay in the cache. */
const BLOCK = 64;

/** One symbol and interval being screened: the running state of its graph and what each trader last said. */
export class Lane {
  readonly symbol: string;
  readonly interval: Interval;
  readonly graph: ScreeningGraph;
  /** Values of the last candle. */
  readonly v: Float64Array;
  readonly s: Float64Array;
  /** Candles taken in. */
  count = 0;
  /** Per trader: `count` when its nodes began, and whether it held on the last candle. */
  readonly #since: Float64Array;
  readonly #held: Uint8Array;

  constructor(symbol: string, interval: Interval, graph: ScreeningGraph) {
    this.symbol = symbol;
    this.interval = interval;
    this.graph = graph;
    this.v = graph.program.newValues(1);
    this.s = graph.program.newState();
    this.#since = new Float64Array(graph.traders.length);
    this.#held = new Uint8Array(graph.traders.length);
  }

  /** Takes the next closed candle in; the matches it gives, undefined for none. */
  push(candle: Candle): Match[] | undefined {
    const { v } = this;
    v[0] = candle.open;
    v[1] = candle.high;
    v[2] = candle.low;
    v[3] = candle.close;
    v[4] = candle.volume;
    v[5] = candle.quoteVolume;
    v[6] = candle.trades;
    v[7] = candle.takerBuy;
    this.graph.program.run(v, this.s, 1, 1);
    return this.#judge(v, 1, 0, candle.openTime, undefined);
  }

  /** Runs over stored candles, from the oldest on; the matches found on the way. */
  warmUp(series: CandleSeries): Match[] {
    const { program } = this.graph;
    const block = program.newValues(BLOCK);
    let matches: Match[] | undefined;
    for (let from = 0; from < series.size; from += BLOCK) {
      const count = Math.min(BLOCK, series.size - from);
      series.fill(block, BLOCK, from, count);
      program.run(block, this.s, BLOCK, count);
      for (let i = 0; i < count; i++) matches = this.#judge(block, BLOCK, i, series.openTime(from + i)!, matches);
      if (from + count === series.size) for (let slot = 0; slot < program.slots; slot++) this.v[slot] = block[slot * BLOCK + count - 1]!;
    }
    return matches ?? [];
  }

  /**
   * The edge: a trader matches where it holds and did not on the candle before, both after its nodes had settled; so the signals are the same
   * wherever the candles began.
   */
  #judge(v: Float64Array, stride: number, i: number, openTime: number, matches: Match[] | undefined): Match[] | undefined {
    const { when, settle, everyCandle } = this.graph;
    const count = ++this.count;
    for (let t = 0; t < when.length; t++) {
      if (v[when[t]! * stride + i] !== 1) this.#held[t] = 0;
      else {
        if ((this.#held[t] === 0 || everyCandle[t] === 1) && count - this.#since[t]! > settle[t]!) {
          (matches ??= []).push(readMatch(this.graph.traders[t]!, this.symbol, this.interval, openTime, v[3 * stride + i]!, v, stride, i));
        }
        this.#held[t] = 1;
      }
    }
    return matches;
  }

  /** Candles that a trader's nodes have seen here. */
  seen(index: number): number {
    return this.count - this.#since[index]!;
  }

  /** Whether a trader's nodes have settled here. */
  ready(index: number): boolean {
    return this.seen(index) >= this.graph.settle[index]!;
  }

  /** Whether a settled trader holds on the last candle. */
  holds(index: number): boolean {
    return this.#held[index] === 1 && this.ready(index);
  }

  indexOf(trader: ActiveTrader): number {
    return this.graph.traders.findIndex((linked) => linked.trader === trader);
  }

  /**
   * Takes over from lanes of the same series: state and verdicts of all nodes and traders that were there. An earlier lane wins over a later
   * one, so that who was already running notices nothing of who is new.
   */
  takeOver(lanes: readonly Lane[]): void {
    this.count = Math.max(...lanes.map((lane) => lane.count));
    for (const lane of lanes.toReversed()) {
      const refs = lane.graph.program.matchesIn(this.graph.program);
      lane.graph.program.carry(refs, lane, { v: this.v, s: this.s, program: this.graph.program });
      this.v.set(lane.v.subarray(0, 8));
      for (const [index, { trader }] of lane.graph.traders.entries()) {
        const here = this.indexOf(trader);
        if (here < 0) continue;
        this.#since[here] = this.count - lane.seen(index);
        this.#held[here] = lane.#held[index]!;
      }
    }
  }
}
