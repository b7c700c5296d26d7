import type { Candle, Interval } from '@trademind/core';
import { openTimeOf, ordinalFrom, ordinalOf, type Range } from '../archive/calendar.ts';
import type { Log } from '../log.ts';
import { OVERLAP, planAsks } from './ask-plan.ts';
import { askPage, askRows, type AskOptions, type Page } from './ask-rows.ts';
import { KLINES_PER_CALL } from './binance-rest.ts';
import { sameCandle } from './candle-check.ts';
import type { MarketClock } from './market-clock.ts';

/** Closed candles that lie on this computer. */
export interface StoredCandles {
  /**
   * The sound ones of a series that open in [from, until), ms, oldest first, and the stretches (by ordinals) of which the exchange had said that it has none. Never throws: what cannot be read is
   * not there.
   */
  read(symbol: string, interval: Interval, range: { from: number; until: number }): { candles: Candle[]; gaps: Range[] };
}

/** Fewer are not worth a look at the disk's word. */
const LEAST = 2 * OVERLAP;
/** So many series that differ, and none that agrees, are another market's. */
const FOREIGN = 3;

type HistoryAsk = AskOptions & { clock: Pick<MarketClock, 'now' | 'isAhead'> };
interface Plan { used: Candle[]; asks: Range[] }

/**
 * History out of what is stored and what the exchange says: only what is not stored is asked for, together with the candles around it. Where the exchange says
 * otherwise of those, nothing stored of that series counts: a file may be of another exchange, another market, or a user's own. What is laid is therefore always joined to the exchange's own
 * word, and the audit looks at it like at any other candle.
 */
export class StoredHistory {
  /** Candles that came from the disk, and from the exchange. */
  readonly counts = { stored: 0, asked: 0 };
  readonly #candles: StoredCandles;
  readonly #log: Log;
  #agreed = 0;
  #differed = 0;

  constructor(options: { candles: StoredCandles; log: Log }) {
    this.#candles = options.candles;
    this.#log = options.log;
  }

  /** The rows of a series from `from` on, as `askPage` gives them, but as many as are stored and one page. Throws as `askRows`. */
  async page(options: HistoryAsk, from: number): Promise<Page> {
    const plan = this.#plan(options, from);
    const page = plan && await this.#join(options, plan);
    if (page) return page;
    const asked = await askPage(options, from);
    this.counts.asked += asked.rows.length;
    return asked;
  }

  /** Undefined where it is no help. */
  #plan({ symbol, interval, clock }: HistoryAsk, from: number): Plan | undefined {
    if (this.#agreed === 0 && this.#differed >= FOREIGN) return undefined;
    // The candle under way is nowhere but at the exchange.
    const open = ordinalOf(interval, clock.now());
    const whole = { from: ordinalFrom(interval, from), to: open + 1 };
    if (open - whole.from < LEAST) return undefined;
    const { candles, gaps } = this.#candles.read(symbol, interval, { from, until: openTimeOf(interval, open) });
    const asks = planAsks(whole, [...gaps, ...candles.map((candle) => only(ordinalOf(interval, candle.openTime)))]);
    const used = candles.filter(({ openTime }) => !asks.some((ask) => isWithin(ask, ordinalOf(interval, openTime))));
    return used.length < LEAST ? undefined : { used, asks };
  }

  /** Asks for what is not stored, the newest first; undefined when the exchange says something else of what is. */
  async #join(options: HistoryAsk, { used, asks }: Plan): Promise<Page | undefined> {
    const { symbol, interval } = options;
    const rows = new Map(used.map((candle) => [candle.openTime, candle]));
    const said = new Set<number>();
    const take = (answer: readonly Candle[], known: readonly Candle[]): boolean => {
      const told = new Map(answer.map((row) => [row.openTime, row]));
      const other = known.find((candle) => !told.has(candle.openTime) || !sameCandle(told.get(candle.openTime)!, candle));
      if (other) this.#differs(symbol, interval, other.openTime);
      for (const row of answer) {
        rows.set(row.openTime, row);
        said.add(row.openTime);
      }
      return other === undefined;
    };
    let more = false;
    for (const ask of asks.toReversed()) {
      const around = used.filter(({ openTime }) => isWithin({ from: ask.from - OVERLAP, to: ask.to + OVERLAP }, ordinalOf(interval, openTime)));
      const first = Math.min(ask.from, ...around.map(({ openTime }) => ordinalOf(interval, openTime)));
      const end = Math.max(ask.to, ...around.map(({ openTime }) => ordinalOf(interval, openTime) + 1));
      if (ask === asks.at(-1)) {
        const answer = await askRows({ ...options, held: around }, openTimeOf(interval, first));
        more = answer.length >= KLINES_PER_CALL;
        if (!take(answer, around)) return undefined;
        continue;
      }
      for (let at = first; at < end; at += KLINES_PER_CALL) {
        const part = { from: at, to: Math.min(end, at + KLINES_PER_CALL) };
        const known = around.filter(({ openTime }) => isWithin(part, ordinalOf(interval, openTime)));
        if (!take(await askRows({ ...options, held: known }, openTimeOf(interval, part.from), openTimeOf(interval, part.to - 1)), known)) return undefined;
      }
    }
    this.#agreed += 1;
    this.counts.asked += said.size;
    this.counts.stored += rows.size - said.size;
    return { rows: [...rows.values()].toSorted((a, b) => a.openTime - b.openTime), more };
  }

  #differs(symbol: string, interval: Interval, openTime: number): void {
    this.#differed += 1;
    if (this.#agreed === 0 && this.#differed > FOREIGN) return;
    const foreign = this.#agreed === 0 && this.#differed === FOREIGN ? ' So it was of others: the archive is of another market, and left aside until the next start.' : '';
    // Nothing is wrong with a machine that looks at another market than the archive.
    this.#log(this.#agreed > 0 || foreign !== '' ? 'warn' : 'info', 'archive_differs', `What the archive holds of ${symbol} ${interval} is not what this exchange says (at ${new Date(openTime).toISOString()}): all of it is asked of the exchange.${foreign}`);
  }
}

const only = (ordinal: number): Range => ({ from: ordinal, to: ordinal + 1 });
const isWithin = ({ from, to }: Range, ordinal: number): boolean => ordinal >= from && ordinal < to;
