import { formatUnits, join, type Candle } from '../market/candle.ts';
import { isInterval, MINUTE, openOf, stepOpen, type Interval } from '../market/intervals.ts';
import { miniTickerEvent, type Ticker, type Tickers } from '../market/ticker.ts';
import type { CandleBook } from '../market/aggregate.ts';

/** One stream, shared by its subscribers. A channel is asked at every minute's end and whenever an update is due. */
export interface Channel {
  /** Least wall time between two updates, ms. */
  readonly every: number;
  /** The frame for the minute that ended at `boundary`, if this stream has one; asked once per boundary, in order. */
  closeAt(boundary: number, eventTime: number): string | null;
  /** The present state as a frame; null when there is nothing new to say. */
  update(now: number): string | null;
}

export interface ChannelContext { book: CandleBook; tickers: Tickers; speed: number; symbols: readonly string[] }

/** Kline updates come every 2 s of market time, but at most ten times a second of the receiver's. */
const KLINE_EVERY_MARKET = 2_000;
const KLINE_EVERY_WALL = 100;
const TICKER_EVERY_WALL = 1_000;

/** The channel of a stream name; null for a name that has no data (Binance accepts such a subscription and stays silent). */
export function openChannel(stream: string, context: ChannelContext, now: number): Channel | null {
  if (stream === '!miniTicker@arr') return allMiniTickers(context);
  const [name = '', kind = '', ...rest] = stream.split('@');
  const symbol = name.toUpperCase();
  if (rest.length > 0 || name !== name.toLowerCase() || !context.book.info(symbol)) return null;
  if (kind === 'miniTicker') return miniTicker(symbol, context);
  const interval = kind.startsWith('kline_') ? kind.slice('kline_'.length) : '';
  return isInterval(interval) ? new KlineChannel(symbol, interval, context, now) : null;
}

class KlineChannel implements Channel {
  readonly every: number;
  readonly #book: CandleBook;
  readonly #symbol: string;
  readonly #interval: Interval;
  /** The candle in the making: its finished minutes, those before `#through`. */
  #open: number;
  #through: number;
  #candle: Candle | undefined;
  #said = '';

  constructor(symbol: string, interval: Interval, { book, speed }: ChannelContext, now: number) {
    this.every = Math.max(KLINE_EVERY_MARKET / speed, KLINE_EVERY_WALL);
    this.#book = book;
    this.#symbol = symbol;
    this.#interval = interval;
    this.#through = openOf('1m', now);
    this.#open = openOf(interval, now);
    this.#candle = book.fold(symbol, this.#open, this.#through);
  }

  closeAt(boundary: number, eventTime: number): string | null {
    const minute = this.#book.fold(this.#symbol, this.#through, boundary);
    if (minute) this.#candle = this.#candle ? join(this.#candle, minute) : minute;
    this.#through = boundary;
    const next = stepOpen(this.#interval, this.#open);
    if (boundary < next) return null;
    const closed = this.#candle;
    const open = this.#open;
    this.#open = next;
    this.#candle = undefined;
    return closed ? this.#frame(closed, open, true, eventTime) : null;
  }

  update(now: number): string | null {
    if (!this.#book.trades(this.#symbol, now)) return null;
    const forming = this.#book.extend(this.#symbol, this.#candle, now);
    if (!forming) return null;
    const mark = `${this.#open} ${forming.volume} ${forming.close}`;
    if (mark === this.#said) return null;
    this.#said = mark;
    return this.#frame(forming, this.#open, false, now);
  }

  /** Trades are counted but have no ids: f and L are -1, as on Binance when there were none. */
  #frame(candle: Candle, open: number, closed: boolean, eventTime: number): string {
    const end = stepOpen(this.#interval, open) - 1;
    return `{"e":"kline","E":${eventTime},"s":"${this.#symbol}","k":{"t":${open},"T":${end},"s":"${this.#symbol}","i":"${this.#interval}","f":-1,"L":-1,`
      + `"o":"${formatUnits(candle.open)}","c":"${formatUnits(candle.close)}","h":"${formatUnits(candle.high)}","l":"${formatUnits(candle.low)}",`
      + `"v":"${formatUnits(candle.volume)}","n":${candle.trades},"x":${closed},"q":"${formatUnits(candle.quoteVolume)}",`
      + `"V":"${formatUnits(candle.takerBase)}","Q":"${formatUnits(candle.takerQuote)}","B":"0"}}`;
  }
}

/** Says only what changed since it was last asked. */
function changes(context: ChannelContext): (symbol: string, now: number) => Ticker | null {
  const said = new Map<string, string>();
  return (symbol, now) => {
    const ticker = context.book.trades(symbol, now) ? context.tickers.at(symbol, now) : undefined;
    const mark = ticker ? `${ticker.day.close} ${ticker.day.volume} ${ticker.openTime}` : '';
    if (!ticker || said.get(symbol) === mark) return null;
    said.set(symbol, mark);
    return ticker;
  };
}

function miniTicker(symbol: string, context: ChannelContext): Channel {
  const changed = changes(context);
  return {
    every: TICKER_EVERY_WALL,
    closeAt: () => null,
    update: (now) => {
      const ticker = changed(symbol, now);
      return ticker && JSON.stringify(miniTickerEvent(ticker, now));
    },
  };
}

function allMiniTickers(context: ChannelContext): Channel {
  const changed = changes(context);
  return {
    every: TICKER_EVERY_WALL,
    closeAt: () => null,
    update: (now) => {
      const events = context.symbols.map((symbol) => changed(symbol, now)).filter((ticker) => ticker !== null);
      return events.length > 0 ? JSON.stringify(events.map((ticker) => miniTickerEvent(ticker, now))) : null;
    },
  };
}

/** The ends of the minutes in (from, to], in order. */
export function boundaries(from: number, to: number): number[] {
  const ends: number[] = [];
  for (let end = openOf('1m', from) + MINUTE; end <= to; end += MINUTE) ends.push(end);
  return ends;
}
