import { join, type Candle } from '../market/candle.ts';
import { MINUTE, openOf, SECOND, stepOpen, type Interval } from '../market/intervals.ts';
import { NOTHING, type Channel, type ChannelContext } from './channel.ts';
import { klinePayload } from './payloads.ts';
import type { CandleLies } from '../faults/candle-lies.ts';
import type { CandleBook } from '../market/aggregate.ts';
import type { SymbolInfo } from '../market/source.ts';

/** Updates come every 2 s of market time (1 s for seconds), but at most ten times a second of the receiver's. */
const EVERY_MARKET = 2_000;
const EVERY_WALL = 100;

/** `<symbol>@kline_<interval>`: the candle in the making, and each that has closed once. A candle without a trade is not told of. */
export class KlineChannel implements Channel {
  readonly everyMarket = EVERY_MARKET;
  readonly everyWall = EVERY_WALL;
  readonly #book: CandleBook;
  readonly #lies: CandleLies;
  readonly #info: SymbolInfo;
  readonly #interval: Interval;
  /** The candle in the making: its finished minutes, those before `#through`, and the number of its first trade. */
  #open: number;
  #through: number;
  #candle: Candle | undefined;
  #firstTrade: number;
  #said = '';

  constructor(info: SymbolInfo, interval: Interval, { views: { book }, lies }: ChannelContext, now: number) {
    this.#book = book;
    this.#lies = lies;
    this.#info = info;
    this.#interval = interval;
    this.#through = openOf('1m', now);
    this.#open = openOf(interval, now);
    this.#candle = book.fold(info.symbol, this.#open, this.#through);
    this.#firstTrade = book.tradesBefore(info.symbol, this.#open) + 1;
  }

  closeAt(boundary: number, eventTime: number): readonly string[] {
    const minute = this.#book.fold(this.#info.symbol, this.#through, boundary);
    if (minute) this.#candle = this.#candle ? join(this.#candle, minute) : minute;
    this.#through = boundary;
    const next = stepOpen(this.#interval, this.#open);
    if (boundary < next) return NOTHING;
    const [closed, open, firstTrade] = [this.#candle, this.#open, this.#firstTrade];
    this.#open = next;
    this.#candle = undefined;
    this.#firstTrade += closed?.trades ?? 0;
    return closed ? closing(this.#info, this.#interval, { ...closed, openTime: open }, firstTrade, this.#lies, eventTime) : NOTHING;
  }

  update(now: number): readonly string[] {
    if (!this.#book.trades(this.#info.symbol, now)) return NOTHING;
    const forming = this.#book.extend(this.#info.symbol, this.#candle, now);
    if (!forming || forming.trades === 0) return NOTHING;
    const mark = `${this.#open} ${forming.trades}`;
    if (mark === this.#said) return NOTHING;
    this.#said = mark;
    return [klinePayload(this.#info.symbol, this.#interval, { ...forming, openTime: this.#open }, this.#firstTrade, false, now)];
  }
}

function closing(info: SymbolInfo, interval: Interval, candle: Candle, firstTrade: number, lies: CandleLies, eventTime: number): readonly string[] {
  if (candle.trades === 0) return NOTHING;
  return [klinePayload(info.symbol, interval, lies.streamed(info.symbol, interval, candle, info.tick), firstTrade, true, eventTime)];
}

/** `<symbol>@kline_1s`: told from the trades, each second as it closes. */
export function secondsChannel(info: SymbolInfo, { views: { book, tradeLog }, lies }: ChannelContext): Channel {
  const told = (open: number, now: number) => {
    const candle = book.candle(info.symbol, '1s', open, now);
    return candle && { candle, firstTrade: tradeLog.lastId(info.symbol, open - 1) + 1 };
  };
  return {
    everyMarket: SECOND, everyWall: EVERY_WALL, bySecond: true,
    closeAt: (boundary, eventTime) => {
      const found = told(boundary - SECOND, boundary - 1);
      return found ? closing(info, '1s', found.candle, found.firstTrade, lies, eventTime) : NOTHING;
    },
    update: (now) => {
      const found = told(openOf('1s', now), now);
      return found && found.candle.trades > 0 ? [klinePayload(info.symbol, '1s', found.candle, found.firstTrade, false, now)] : NOTHING;
    },
  };
}

/** The ends of the minutes (or seconds) in (from, to], in order. */
export function* boundaries(from: number, to: number, size = MINUTE): Generator<number> {
  for (let end = (Math.floor(from / size) + 1) * size; end <= to; end += size) yield end;
}
