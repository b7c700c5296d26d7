import { CHURN_MS, type Quotes, type Touch } from './quotes.ts';
import { hash, mix, uniformAt } from './random.ts';
import type { CandleBook } from './aggregate.ts';
import type { SymbolInfo } from './source.ts';

/** [price in ticks, quantity in steps]; a quantity of 0 says that the level is gone. Best price first. */
export type Level = [price: number, steps: number];
export interface Sides { bids: Level[]; asks: Level[] }
export interface Snapshot extends Sides { id: number }
export interface Change extends Sides { firstId: number; lastId: number }

/** Behind the touch one order may rest in every cell of this share of the price, and so many cells are shown on either side. */
const CELL_SHARE = 1e-5;
const CELLS = 250;

/** How many ticks wide the cells of a symbol are, from a price that it once had. */
export const cellOf = (price: number, tick: number) => Math.max(1, Math.round((price / tick) * CELL_SHARE));

/** Each level changes on its own beat, of so many to so many steps of CHURN_MS; now and then it is empty. */
const SLOWEST = 600;
const FASTEST = 10;
const EMPTY = 0.12;

interface Ladder { info: SymbolInfo; key: number }
type Touched = Touch & { time: number };

/**
 * The whole book of a symbol, as a function of time: the touch from its trades, and behind it levels that come, change and go by themselves.
 * Nothing is remembered, so a snapshot and a stream of changes agree whenever either begins.
 */
export class Depth {
  readonly #book: CandleBook;
  readonly #quotes: Quotes;
  readonly #ladders = new Map<string, Ladder>();

  constructor(book: CandleBook, quotes: Quotes) {
    this.#book = book;
    this.#quotes = quotes;
  }

  /** At most `limit` levels of either side. Undefined as long as the symbol has never traded. */
  snapshot(symbol: string, moment: number, limit: number): Snapshot | undefined {
    const time = this.#book.lastOpen(symbol, moment);
    const touch = this.#quotes.at(symbol, time);
    const ladder = this.#ladder(symbol);
    if (!touch || !ladder) return undefined;
    const bids: Level[] = [[touch.bid, touch.bidSteps]];
    const asks: Level[] = [[touch.ask, touch.askSteps]];
    const state = { ...touch, time };
    const bidCell = placeOf(ladder, touch.bid);
    const askCell = placeOf(ladder, touch.ask);
    for (let i = 0; i <= CELLS; i++) {
      if (bids.length < limit) pushLevel(bids, ladder, 'bids', bidCell - i, state);
      if (asks.length < limit) pushLevel(asks, ladder, 'asks', askCell + i, state);
    }
    return { id: touch.id, bids, asks };
  }

  /** Every level that changed in (since, until], with what it is at the end; undefined when the book stands as it stood. */
  changes(symbol: string, since: number, until: number): Change | undefined {
    const [from, to] = [this.#book.lastOpen(symbol, since), this.#book.lastOpen(symbol, until)];
    const ladder = this.#ladder(symbol);
    const before = this.#quotes.at(symbol, from);
    const after = this.#quotes.at(symbol, to);
    if (!ladder || !after || before?.id === after.id) return undefined;
    if (!before) {
      // The first trade of all was in between: everything is new.
      const { bids, asks } = this.snapshot(symbol, to, Infinity) as Snapshot;
      return { firstId: 1, lastId: after.id, bids, asks };
    }
    const state = { ...after, time: to };
    let [lowBid, highBid, lowAsk, highAsk] = [Math.min(before.bid, after.bid), Math.max(before.bid, after.bid), Math.min(before.ask, after.ask), Math.max(before.ask, after.ask)];
    const prices = new Set([before.bid, before.ask, after.bid, after.ask]);
    for (const { bid, ask } of this.#quotes.between(symbol, from, to)) {
      prices.add(bid).add(ask);
      [lowBid, highBid, lowAsk, highAsk] = [Math.min(lowBid, bid), Math.max(highBid, bid), Math.min(lowAsk, ask), Math.max(highAsk, ask)];
    }
    const bids = new Map<number, number>();
    const asks = new Map<number, number>();
    const tell = (price: number, cell: number) => {
      bids.set(price, stepsAt(ladder, 'bids', price, cell, state));
      asks.set(price, stepsAt(ladder, 'asks', price, cell, state));
    };
    for (const price of prices) tell(price, placeOf(ladder, price));
    // Levels that no touch has passed and that were in sight all the time have changed only if their own beat says so; all others may have come or gone.
    const [bidsFrom, asksTo] = [placeOf(ladder, highBid) - CELLS, placeOf(ladder, lowAsk) + CELLS];
    for (let cell = placeOf(ladder, lowBid) - CELLS; cell <= placeOf(ladder, highAsk) + CELLS; cell++) {
      const price = priceOf(ladder, cell);
      const steady = (price < lowBid && cell >= bidsFrom) || (price > highAsk && cell <= asksTo);
      if (!steady) tell(price, cell);
      else if (beat(ladder, cell, from) !== beat(ladder, cell, to)) (price < lowBid ? bids : asks).set(price, levelSteps(ladder, cell, to));
    }
    return {
      firstId: before.id + 1, lastId: after.id,
      bids: [...bids].toSorted((a, b) => b[0] - a[0]), asks: [...asks].toSorted((a, b) => a[0] - b[0]),
    };
  }

  #ladder(symbol: string): Ladder | undefined {
    let ladder = this.#ladders.get(symbol);
    const info = this.#book.info(symbol);
    if (!ladder && info) this.#ladders.set(symbol, ladder = { info, key: hash(`${symbol}/depth`) });
    return ladder;
  }
}

const placeOf = ({ info }: Ladder, price: number) => Math.floor(price / info.cell);

/** Each cell has one price at which an order may rest; never the same twice. */
function priceOf({ key, info: { cell: width } }: Ladder, cell: number): number {
  return cell * width + (width === 1 ? 0 : Math.floor(uniformAt(key, cell) * width));
}

/** Counts the changes of a cell's level. */
function beat({ key, info }: Ladder, cell: number, time: number): number {
  const every = FASTEST + Math.floor(uniformAt(key ^ 0x3c6ef372, cell) * (SLOWEST - FASTEST));
  const phase = Math.floor(uniformAt(key ^ 0x1b873593, cell) * every);
  return Math.floor((Math.floor((time - info.first) / CHURN_MS) + phase) / every);
}

function levelSteps(ladder: Ladder, cell: number, time: number): number {
  const draw = uniformAt(ladder.key ^ mix(beat(ladder, cell, time)), cell);
  return draw < EMPTY ? 0 : 1 + Math.floor(-Math.log((draw - EMPTY) / (1 - EMPTY) || 1e-9) * ladder.info.resting);
}

function stepsAt(ladder: Ladder, side: 'bids' | 'asks', price: number, cell: number, state: Touched): number {
  if (price === (side === 'bids' ? state.bid : state.ask)) return side === 'bids' ? state.bidSteps : state.askSteps;
  const behind = side === 'bids' ? price < state.bid && cell >= placeOf(ladder, state.bid) - CELLS : price > state.ask && cell <= placeOf(ladder, state.ask) + CELLS;
  return behind && price > 0 && price === priceOf(ladder, cell) ? levelSteps(ladder, cell, state.time) : 0;
}

function pushLevel(onto: Level[], ladder: Ladder, side: 'bids' | 'asks', cell: number, state: Touched): void {
  const price = priceOf(ladder, cell);
  if (price === (side === 'bids' ? state.bid : state.ask)) return;
  const steps = stepsAt(ladder, side, price, cell, state);
  if (steps > 0) onto.push([price, steps]);
}
