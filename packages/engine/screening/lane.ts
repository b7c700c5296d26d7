import type { Candle, Interval } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { readMatch, type Match } from './match.ts';
import type { ActiveTrader, ScreeningGraph } from './screening-graph.ts';

/** One symbol and interval being screened: the running state of its graph and what each trader last said. */
export class Lane {
  readonly symbol: string;
  readonly interval: Interval;
  readonly graph: ScreeningGraph;
  readonly s: Float64Array;
  /** Ordinal in the series of the candle that comes next. */
  #next: number;
  /** Per trader: ordinal of the first candle that its nodes saw, and whether it held on the last candle. */
  readonly #since: Float64Array;
  readonly #held: Uint8Array;

  /** @param next ordinal in its series of the first candle that the lane will take in. */
  constructor(symbol: string, interval: Interval, graph: ScreeningGraph, next: number) {
    this.symbol = symbol;
    this.interval = interval;
    this.graph = graph;
    this.s = graph.program.newState();
    this.#next = next;
    this.#since = new Float64Array(graph.traders.length).fill(next);
    this.#held = new Uint8Array(graph.traders.length);
  }

  /** Takes the next closed candle in; the matches it gives, undefined for none. */
  push(candle: Candle): Match[] | undefined {
    const { program, when, settle, everyCandle } = this.graph;
    const v = program.values;
    v[0] = candle.open;
    v[1] = candle.high;
    v[2] = candle.low;
    v[3] = candle.close;
    v[4] = candle.volume;
    v[5] = candle.quoteVolume;
    v[6] = candle.trades;
    v[7] = candle.takerBuy;
    v[8] = candle.openTime;
    program.run(this.s, this.#next);
    const since = this.#since;
    const held = this.#held;
    const next = ++this.#next;
    let matches: Match[] | undefined;
    for (let k = 0; k < when.length; k++) {
      if (v[when[k]!] !== 1) held[k] = 0;
      else {
        if ((held[k] === 0 || everyCandle[k] === 1) && next - since[k]! > settle[k]!) (matches ??= []).push(this.#match(k, candle.openTime, v, 1, 0));
        held[k] = 1;
      }
    }
    return matches;
  }

  /**
   * Runs over stored candles, from the oldest on, all or the first `size`; the matches found on the way, in the order of candles. The same edges as `push`, trader by
   * trader over each block.
   */
  warmUp(series: CandleSeries, size = series.size): Match[] {
    const { program, when, settle, everyCandle } = this.graph;
    const block = program.blockValues;
    const found: { match: Match; trader: number }[] = [];
    for (let from = 0; from < size; from += MAX_BLOCK) {
      const count = Math.min(MAX_BLOCK, size - from);
      series.fill(block, MAX_BLOCK, from, count);
      program.runBlock(this.s, count, this.#next);
      for (let k = 0; k < when.length; k++) {
        const row = when[k]! * MAX_BLOCK;
        const first = settle[k]! - (this.#next - this.#since[k]!);
        let held = this.#held[k]!;
        for (let i = 0; i < count; i++) {
          if (block[row + i] !== 1) held = 0;
          else {
            if ((held === 0 || everyCandle[k] === 1) && i >= first) found.push({ match: this.#match(k, series.openTime(from + i)!, block, MAX_BLOCK, i), trader: k });
            held = 1;
          }
        }
        this.#held[k] = held;
      }
      this.#next += count;
    }
    return found.sort((a, b) => a.match.openTime - b.match.openTime || a.trader - b.trader).map(({ match }) => match);
  }

  /** A trader matches where it holds and did not on the candle before, both after its nodes had settled: the same wherever the candles began. */
  #match(k: number, openTime: number, v: Float64Array, stride: number, i: number): Match {
    return readMatch(this.graph.traders[k]!, this.symbol, this.interval, openTime, v[3 * stride + i]!, v, stride, i);
  }

  /** Candles that a trader's nodes have seen here. */
  seen(index: number): number {
    return this.#next - this.#since[index]!;
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

  /** Ordinal of the candle that comes next. */
  get next(): number {
    return this.#next;
  }

  /**
   * Takes over from lanes of the same series that have come as far: state and verdicts of all nodes and traders that were there. An earlier lane wins over a later
   * one, so that who was already running notices nothing of who is new.
   */
  takeOver(lanes: readonly Lane[]): void {
    const { program } = this.graph;
    for (const lane of lanes.toReversed()) {
      lane.graph.program.carry(lane.graph.refsIn(this.graph), lane.s, this.s, program, this.#next);
      for (const [index, { trader }] of lane.graph.traders.entries()) {
        const here = this.indexOf(trader);
        if (here < 0) continue;
        this.#since[here] = lane.#since[index]!;
        this.#held[here] = lane.#held[index]!;
      }
    }
    program.recount(this.s, this.#next);
  }
}
