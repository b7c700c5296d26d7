import { MINUTE, openOf } from './intervals.ts';
import { hash, uniformAt } from './random.ts';
import type { CandleBook } from './aggregate.ts';
import type { SymbolInfo } from './source.ts';
import type { Tape } from './tape.ts';

/** The best prices of a book at one moment, in ticks and steps. `id` is the book's update id: it grows with every change and never else. */
export interface Touch { id: number; bid: number; ask: number; bidSteps: number; askSteps: number }

/** Deeper levels change on this grid of market time. */
export const CHURN_MS = 100;

/**
 * The touch of every book, told from the trades: a buyer's trade is at the best ask and a seller's at the best bid, and takes its quantity away
 * there; midway to the next trade the book moves to where that one will happen. So a quote never contradicts the trades around it, and is
 * the same whoever asks.
 */
export class Quotes {
  readonly #book: CandleBook;
  readonly #keys = new Map<string, number>();

  constructor(book: CandleBook) {
    this.#book = book;
  }

  /** Undefined as long as the symbol has never traded. */
  at(symbol: string, moment: number): Touch | undefined {
    const info = this.#book.info(symbol);
    if (!info) return undefined;
    const time = this.#book.lastOpen(symbol, moment);
    const minute = openOf('1m', time);
    const tape = this.#book.tape(symbol, minute);
    const done = tape?.countAt(time - minute) ?? 0;
    const before = this.#book.tradesBefore(symbol, minute) + done;
    if (tape && done < tape.count && time - minute >= movesAt(tape, done)) return this.#towards(info, tape, done, before, time);
    if (tape && done > 0) return this.#after(info, tape, done - 1, before, time);
    const last = this.#book.lastTrade(symbol, minute);
    return last && this.#after(info, last.tape, last.index, before, time);
  }

  /** Every touch in (from, to], in order: one for each trade and one for each move of the book. */
  *between(symbol: string, from: number, to: number): Generator<Touch & { time: number }> {
    const info = this.#book.info(symbol);
    if (!info) return;
    for (let minute = openOf('1m', from); minute <= to; minute += MINUTE) {
      const tape = this.#book.tape(symbol, minute);
      if (!tape) continue;
      const before = this.#book.tradesBefore(symbol, minute);
      for (let i = tape.countAt(from - minute); i < tape.count; i++) {
        const moves = minute + movesAt(tape, i);
        const trades = minute + (tape.columns.at[i] as number);
        if (moves > from && moves <= to) yield { ...this.#towards(info, tape, i, before + i, moves), time: moves };
        if (trades > to) return;
        yield { ...this.#after(info, tape, i, before + i + 1, trades), time: trades };
      }
    }
  }

  /** The book that trade `index` will find. */
  #towards(info: SymbolInfo, tape: Tape, index: number, before: number, time: number): Touch {
    const touch = this.#around(info, tape, index, before);
    const quantity = tape.columns.quantity[index] as number;
    const hit = tape.columns.buyerMaker[index] === 1 ? { bidSteps: touch.bidSteps + quantity } : { askSteps: touch.askSteps + quantity };
    return { ...touch, ...hit, id: updateId(info, time, 2 * before + 1) };
  }

  /** The book that trade `index` left behind. */
  #after(info: SymbolInfo, tape: Tape, index: number, done: number, time: number): Touch {
    return { ...this.#around(info, tape, index, done - 1), id: updateId(info, time, 2 * done) };
  }

  /** Prices and what rests at them beside the trade's own quantity. `number` counts the trade among all of the symbol. */
  #around(info: SymbolInfo, tape: Tape, index: number, number: number): Omit<Touch, 'id'> {
    const key = this.#key(info.symbol);
    const price = tape.columns.price[index] as number;
    const spread = Math.max(1, Math.round(info.spread * (0.5 + uniformAt(key, 3 * number))));
    const rests = (n: number) => 1 + Math.floor(-Math.log(1 - uniformAt(key, 3 * number + n)) * info.resting);
    const [bid, ask] = tape.columns.buyerMaker[index] === 1 ? [price, price + spread] : [Math.max(1, price - spread), price];
    return { bid, ask: Math.max(ask, bid + 1), bidSteps: rests(1), askSteps: rests(2) };
  }

  #key(symbol: string): number {
    let key = this.#keys.get(symbol);
    if (key === undefined) this.#keys.set(symbol, key = hash(`${symbol}/quotes`));
    return key;
  }
}

/** ms of the minute at which the book moves to where trade `index` will happen. */
function movesAt({ columns: { at } }: Tape, index: number): number {
  return index === 0 ? 0 : ((at[index - 1] as number) + (at[index] as number) + 1) >> 1;
}

const updateId = (info: SymbolInfo, time: number, changes: number) => 1 + Math.floor((time - info.first) / CHURN_MS) + changes;
