import { MINUTE, openOf } from './intervals.ts';
import type { CandleBook } from './aggregate.ts';
import type { Tape, Trade } from './tape.ts';

export interface NumberedTrade extends Trade { id: number }

/** How many minutes without a trade are walked before the next trade is looked up by its number. */
const PATIENCE = 60;

/** Past trades by number and by time. A symbol's trades are numbered from 1 without a gap. */
export class TradeLog {
  readonly #book: CandleBook;

  constructor(book: CandleBook) {
    this.#book = book;
  }

  /** The number of the last trade up to `time`; 0 before the first. */
  lastId(symbol: string, time: number): number {
    const minute = openOf('1m', time);
    return this.#book.tradesBefore(symbol, minute) + (this.#book.tape(symbol, minute)?.countAt(time - minute) ?? 0);
  }

  /** At most `limit` trades from number `id` on, none after `until`. */
  from(symbol: string, id: number, until: number, limit: number): NumberedTrade[] {
    const last = Math.min(this.lastId(symbol, until), Math.max(1, id) + limit - 1);
    const found: NumberedTrade[] = [];
    let next = Math.max(1, id);
    if (next > last) return found;
    let minute = this.#book.minuteOfTrade(symbol, next, until);
    let idle = 0;
    while (next <= last) {
      const tape = this.#book.tape(symbol, minute);
      if (tape) {
        const before = this.#book.tradesBefore(symbol, minute);
        for (let i = next - 1 - before; i < tape.count && next <= last; i++) found.push(numbered(tape, i, next++));
      }
      idle = tape && tape.count > 0 ? 0 : idle + 1;
      minute = idle > PATIENCE && next <= last ? this.#book.minuteOfTrade(symbol, next, until) : minute + MINUTE;
    }
    return found;
  }

  /** Every trade in (from, to]: what a stream tells next. */
  *between(symbol: string, from: number, to: number): Generator<NumberedTrade> {
    for (let minute = openOf('1m', from); minute <= to; minute += MINUTE) {
      const tape = this.#book.tape(symbol, minute);
      if (!tape) continue;
      const before = this.#book.tradesBefore(symbol, minute);
      const end = tape.countAt(to - minute);
      for (let i = tape.countAt(from - minute); i < end; i++) yield numbered(tape, i, before + i + 1);
    }
  }
}

function numbered(tape: Tape, index: number, id: number): NumberedTrade {
  return { id, ...tape.trade(index) };
}
