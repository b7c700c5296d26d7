import { formatUnits, join, type Candle } from '../market/candle.ts';
import { isInterval, MINUTE, openOf, stepOpen, type Interval } from '../market/intervals.ts';
import { miniTickerEvent, type Ticker, type Tickers } from '../market/ticker.ts';
import type { CandleLies } from '../faults/candle-lies.ts';
import type { CandleBook } from '../market/aggregate.ts';
import type { MarketClock } from '../market/clock.ts';
import type { SymbolInfo } from '../market/source.ts';

/** One stream, shared by its subscribers. A channel is asked at every minute's end and whenever an update is due. */
export interface Channel {
  /** Least time between two updates, ms: of the market, and of the receiver's wall. */
  readonly everyMarket: number;
  readonly everyWall: number;
  /** The frame for the minute that ended at `boundary`, if this stream has one; asked once per boundary, in order. */
  closeAt(boundary: number, eventTime: number): string | null;
  /** The present state as a frame; null when there is nothing new to say. */
  update(now: number): string | null;
}

export interface ChannelContext { book: CandleBook; tickers: Tickers; clock: MarketClock; lies: CandleLies; symbols: readonly string[] }

/** Kline updates come every 2 s of market time, but at most ten times a second of the receiver's. */
const KLINE_PACE = { everyMarket: 2_000, everyWall: 100 };
const TICKER_PACE = { everyMarket: 1_000, everyWall: 1_000 };

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
  readonly everyMarket = KLINE_PACE.everyMarket;
  readonly everyWall = KLINE_PACE.everyWall;
  readonly #book: CandleBook;
  readonly #lies: CandleLies;
  readonly #symbol: string;
  readonly #interval: Interval;
  /** The candle in the making: its finished minutes, those before `#through`. */
  #open: number;
  #through: number;
  #candle: Candle | undefined;
  #said = '';

  constructor(symbol: string, interval: Interval, { book, lies }: ChannelContext, now: number) {
    this.#book = book;
    this.#lies = lies;
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
    if (!closed) return null;
    const { tick } = this.#book.info(this.#symbol) as SymbolInfo;
    const told = this.#lies.streamed(this.#symbol, this.#interval, { ...closed, openTime: open }, tick);
    return klinePayload(this.#symbol, this.#interval, told, true, eventTime);
  }

  update(now: number): string | null {
    if (!this.#book.trades(this.#symbol, now)) return null;
    const forming = this.#book.extend(this.#symbol, this.#candle, now);
    if (!forming) return null;
    const mark = `${this.#open} ${forming.volume} ${forming.close}`;
    if (mark === this.#said) return null;
    this.#said = mark;
    return klinePayload(this.#symbol, this.#interval, { ...forming, openTime: this.#open }, false, now);
  }
}

/** Trades are counted but have no ids: f and L are -1, as on Binance when there were none. */
export function klinePayload(symbol: string, interval: Interval, candle: Candle, closed: boolean, eventTime: number): string {
  const end = stepOpen(interval, candle.openTime) - 1;
  return `{"e":"kline","E":${eventTime},"s":"${symbol}","k":{"t":${candle.openTime},"T":${end},"s":"${symbol}","i":"${interval}","f":-1,"L":-1,`
    + `"o":"${formatUnits(candle.open)}","c":"${formatUnits(candle.close)}","h":"${formatUnits(candle.high)}","l":"${formatUnits(candle.low)}",`
    + `"v":"${formatUnits(candle.volume)}","n":${candle.trades},"x":${closed},"q":"${formatUnits(candle.quoteVolume)}",`
    + `"V":"${formatUnits(candle.takerBase)}","Q":"${formatUnits(candle.takerQuote)}","B":"0"}}`;
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
    ...TICKER_PACE,
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
    ...TICKER_PACE,
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
