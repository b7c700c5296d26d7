import { intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { ByteNames } from './byte-names.ts';
import { isMarketTime, isTradeCount } from './candle-check.ts';
import { FrameTemplate } from './frame-template.ts';

/** What a frame was, as counted. `unasked` is a candle of a series that nobody wants (any more); `unknown` an event that we do not know. */
export const FRAME_KINDS = ['kline', 'miniTicker', 'trade', 'aggTrade', 'bookTicker', 'depthUpdate', 'answer', 'shutdown', 'unasked', 'unknown', 'malformed'] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** A wanted kline stream, with its newest candle written in place: apart from the closed ones, and not final. */
export interface KlineStream {
  readonly symbol: string;
  readonly interval: Interval;
  /** Open, high, low, close, volume, quote volume, trades, taker buy. */
  readonly values: Float64Array;
  openTime: number;
  closeTime: number;
  /** Of the newest frame. */
  eventTime: number;
  /** Candles that open before it have closed: what still comes of them as forming is late. */
  closedUntil: number;
}

/** A stream of which nothing has come yet. */
export function klineStream(symbol: string, interval: Interval): KlineStream {
  return { symbol, interval, values: new Float64Array(8), openTime: 0, closeTime: 0, eventTime: 0, closedUntil: 0 };
}

/** Whoever takes what the frames say. */
export interface FrameSink {
  /** A newer state of the candle under way, in the stream itself. */
  forming(stream: KlineStream): void;
  /** A candle's last word, in whatever order. */
  closed(stream: KlineStream, candle: Candle, eventTime: number): void;
  /** A price at which the symbol traded. */
  price(symbol: string, price: number, eventTime: number): void;
  /** Best bid and ask; the exchange gives no time with them. */
  book(symbol: string, bid: number, ask: number): void;
  answer(id: number, error: string | null): void;
  shutdown(): void;
}

const HEAD = '{"stream":"%s","data":';
const TICKER = '{"e":"24hrMiniTicker","E":%n,"s":"%s","c":"%d","o":"%d","h":"%d","l":"%d","v":"%d","q":"%d"}';
const COMMA = 0x2c;
const STREAM_AT = '{"stream":"'.length;

/**
 * Reads the frames of combined streams. Frames of known shape are read byte by byte, without building anything; whatever differs goes through
 * `JSON.parse` and comes out the same. Nothing throws: what cannot be read is `malformed`.
 */
export class FrameReader {
  readonly #streams: ReadonlyMap<string, KlineStream>;
  readonly #kline = new FrameTemplate(`${HEAD}{"e":"kline","E":%n,"s":"%s","k":{"t":%n,"T":%n,"s":"%s","i":"%s","f":%n,"L":%n,"o":"%d","c":"%d","h":"%d","l":"%d","v":"%d","n":%n,"x":%b,"q":"%d","V":"%d","Q":"%d","B":"%s"}}}`);
  readonly #trade = new FrameTemplate(`${HEAD}{"e":"trade","E":%n,"s":"%s","t":%n,"p":"%d","q":"%d","T":%n,"m":%b,"M":%b}}`);
  readonly #aggTrade = new FrameTemplate(`${HEAD}{"e":"aggTrade","E":%n,"s":"%s","a":%n,"p":"%d","q":"%d","f":%n,"l":%n,"T":%n,"m":%b,"M":%b}}`);
  readonly #bookTicker = new FrameTemplate(`${HEAD}{"u":%n,"s":"%s","b":"%d","B":"%d","a":"%d","A":"%d"}}`);
  readonly #miniTicker = new FrameTemplate(`${HEAD}${TICKER}}`);
  readonly #allTickers = new FrameTemplate('{"stream":"!miniTicker@arr","data":[');
  readonly #ticker = new FrameTemplate(TICKER);
  readonly #end = new FrameTemplate(']}');
  readonly #names = new ByteNames();
  readonly #symbols: string[] = [];
  readonly #figures: number[] = [];

  /** @param streams the wanted kline streams by name; it may change at any time */
  constructor(streams: ReadonlyMap<string, KlineStream>) {
    this.#streams = streams;
  }

  /** Takes one text frame in and answers what it was. */
  read(bytes: Buffer, sink: FrameSink): FrameKind {
    const known = this.#known(bytes, sink);
    return known ?? this.#parsed(bytes, sink);
  }

  /** The frame by its template; undefined when it has another shape. */
  #known(bytes: Buffer, sink: FrameSink): FrameKind | undefined {
    switch (kindLetter(bytes)) {
      case 'k': return this.#matches(this.#kline, bytes) ? this.#readKline(bytes, sink) : undefined;
      case 't': return this.#readPrice('trade', this.#trade, 2, bytes, sink);
      case 'a': return this.#readPrice('aggTrade', this.#aggTrade, 2, bytes, sink);
      case 'm': return this.#readPrice('miniTicker', this.#miniTicker, 1, bytes, sink);
      case 'b': {
        if (!this.#matches(this.#bookTicker, bytes) || !ofStream(this.#bookTicker, bytes, '@bookTicker')) return undefined;
        const { numbers } = this.#bookTicker;
        sink.book(this.#text(this.#bookTicker, 1, bytes), numbers[1]!, numbers[3]!);
        return 'bookTicker';
      }
      case '!': return this.#readAllTickers(bytes, sink);
      default: return undefined;
    }
  }

  #text(template: FrameTemplate, index: number, bytes: Buffer): string {
    return this.#names.of(bytes, template.starts[index]!, template.ends[index]!);
  }

  #matches(template: FrameTemplate, bytes: Buffer): boolean {
    return template.match(bytes, 0) === bytes.length;
  }

  #readKline(bytes: Buffer, sink: FrameSink): FrameKind | undefined {
    const kline = this.#kline;
    const stream = this.#streams.get(this.#text(kline, 0, bytes));
    // Let the slow way say whether the frame is right at all.
    if (!stream || !same(kline, 1, bytes, stream.symbol) || !same(kline, 2, bytes, stream.symbol) || !same(kline, 3, bytes, stream.interval)) return undefined;
    const n = kline.numbers;
    return take(stream, n[0]!, n[1]!, n[2]!, n[11] === 1, n[5]!, n[7]!, n[8]!, n[6]!, n[9]!, n[12]!, n[10]!, n[13]!, sink);
  }

  #readPrice(kind: 'trade' | 'aggTrade' | 'miniTicker', template: FrameTemplate, priceAt: number, bytes: Buffer, sink: FrameSink): FrameKind | undefined {
    if (!this.#matches(template, bytes) || !ofStream(template, bytes, `@${kind}`)) return undefined;
    const price = template.numbers[priceAt]!;
    if (!(price > 0 && price < Infinity) || !isMarketTime(template.numbers[0])) return 'malformed';
    sink.price(this.#text(template, 1, bytes), price, template.numbers[0]!);
    return kind;
  }

  /** All tickers or none: nothing of the frame is told before its end was seen. */
  #readAllTickers(bytes: Buffer, sink: FrameSink): FrameKind | undefined {
    const symbols = this.#symbols;
    const figures = this.#figures;
    symbols.length = figures.length = 0;
    const ticker = this.#ticker;
    for (let at = this.#allTickers.match(bytes, 0); at >= 0;) {
      at = ticker.match(bytes, at);
      if (at < 0) return undefined;
      symbols.push(this.#text(ticker, 0, bytes));
      figures.push(ticker.numbers[1]!, ticker.numbers[0]!);
      if (bytes[at] === COMMA) at++;
      else if (this.#end.match(bytes, at) === bytes.length) return tellPrices(symbols, figures, sink);
      else return undefined;
    }
    return undefined;
  }

  /** The frame by `JSON.parse`. */
  #parsed(bytes: Buffer, sink: FrameSink): FrameKind {
    let raw: RawFrame | null;
    try {
      raw = JSON.parse(bytes.toString('utf8')) as RawFrame | null;
    } catch {
      return 'malformed';
    }
    if (typeof raw !== 'object' || raw === null) return 'malformed';
    const { data, stream } = raw;
    if (data === undefined) return controlFrame(raw, sink);
    if (typeof data !== 'object' || data === null) return 'malformed';
    if (Array.isArray(data)) return stream === '!miniTicker@arr' ? tickersOf(data as RawEvent[], sink) : 'unknown';
    switch (data.e) {
      case 'kline': return this.#klineOf(stream, data, sink);
      case 'serverShutdown': sink.shutdown(); return 'shutdown';
      case 'trade': case 'aggTrade': return priceOf(data.e, stream, data, sink);
      case '24hrMiniTicker': return stream === nameOf(data.s, 'miniTicker') ? tickersOf([data], sink) : 'malformed';
      case 'depthUpdate': return 'depthUpdate';
      case undefined: return bookOf(stream, data, sink);
      default: return 'unknown';
    }
  }

  #klineOf(name: string | undefined, { E, s, k }: RawEvent, sink: FrameSink): FrameKind {
    if (typeof name !== 'string' || typeof s !== 'string' || typeof k !== 'object' || k === null) return 'malformed';
    if (!isMarketTime(E) || !Number.isSafeInteger(k.t) || !Number.isSafeInteger(k.T) || typeof k.x !== 'boolean' || typeof k.n !== 'number' || typeof k.i !== 'string' || k.s !== s || name !== `${s.toLowerCase()}@kline_${k.i}`) return 'malformed';
    const stream = this.#streams.get(name);
    if (!stream) return 'unasked';
    return take(stream, E, k.t as number, k.T as number, k.x, decimal(k.o), decimal(k.h), decimal(k.l), decimal(k.c), decimal(k.v), decimal(k.q), k.n, decimal(k.V), sink);
  }
}

interface RawKline { t: unknown; T: unknown; s: unknown; i: unknown; o: unknown; h: unknown; l: unknown; c: unknown; v: unknown; q: unknown; n: unknown; x: unknown; V: unknown }
interface RawEvent { e?: unknown; E?: unknown; s?: unknown; k?: RawKline | null; p?: unknown; c?: unknown; b?: unknown; a?: unknown; u?: unknown }
interface RawFrame { stream?: string; data?: RawEvent; e?: unknown; id?: unknown; result?: unknown; error?: { code?: unknown; msg?: unknown }; code?: unknown; msg?: unknown }

/** Lays a frame's figures into its stream and tells it. A candle that contradicts itself or its grid is malformed; one older than known is passed over. */
function take(
  stream: KlineStream, eventTime: number, openTime: number, lastMs: number, closed: boolean,
  open: number, high: number, low: number, close: number, volume: number, quoteVolume: number, trades: number, takerBuy: number, sink: FrameSink,
): FrameKind {
  if (!isMarketTime(eventTime)) return 'malformed';
  // Comparisons with NaN are false: one that is no number fails here.
  if (!(low > 0 && low <= open && low <= close && high >= open && high >= close && high < Infinity)) return 'malformed';
  if (!(volume >= 0 && quoteVolume >= 0 && takerBuy >= 0 && volume + quoteVolume + takerBuy < Infinity && isTradeCount(trades))) return 'malformed';
  const closeTime = lastMs + 1;
  if (openTime !== stream.openTime || closeTime !== stream.closeTime) {
    if (intervalOpen(stream.interval, openTime) !== openTime || intervalClose(stream.interval, openTime) !== closeTime) return 'malformed';
  }
  if (closed ? eventTime < lastMs : eventTime < openTime) return 'malformed';
  // From before what is known: two connections overlap, or a frame came late.
  const late = eventTime < stream.eventTime || openTime < stream.openTime || openTime < stream.closedUntil;
  if (closed) {
    stream.closedUntil = Math.max(stream.closedUntil, closeTime);
    sink.closed(stream, { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy }, eventTime);
  }
  if (late) return 'kline';
  stream.openTime = openTime;
  stream.closeTime = closeTime;
  stream.eventTime = eventTime;
  const { values } = stream;
  values[0] = open;
  values[1] = high;
  values[2] = low;
  values[3] = close;
  values[4] = volume;
  values[5] = quoteVolume;
  values[6] = trades;
  values[7] = takerBuy;
  if (!closed) sink.forming(stream);
  return 'kline';
}

/** The candle that a stream's newest frame told. */
export function candleOf({ openTime, values }: KlineStream): Candle {
  return {
    openTime, open: values[0]!, high: values[1]!, low: values[2]!, close: values[3]!,
    volume: values[4]!, quoteVolume: values[5]!, trades: values[6]!, takerBuy: values[7]!,
  };
}

function controlFrame(raw: RawFrame, sink: FrameSink): FrameKind {
  if (raw.e === 'serverShutdown') {
    sink.shutdown();
    return 'shutdown';
  }
  if (typeof raw.id !== 'number') return 'unknown';
  const error = typeof raw.error === 'object' && raw.error !== null ? raw.error : typeof raw.code === 'number' ? raw : undefined;
  // `String` of an object that came as JSON may throw.
  sink.answer(raw.id, error ? `${typeof error.msg === 'string' ? error.msg : 'refused'} (${typeof error.code === 'number' ? error.code : '?'})` : null);
  return 'answer';
}

function priceOf(kind: 'trade' | 'aggTrade', name: string | undefined, { s, E, p }: RawEvent, sink: FrameSink): FrameKind {
  const value = decimal(p);
  if (typeof s !== 'string' || name !== nameOf(s, kind) || !isMarketTime(E) || !(value > 0 && value < Infinity)) return 'malformed';
  sink.price(s, value, E);
  return kind;
}

function tickersOf(events: readonly (RawEvent | null)[], sink: FrameSink): FrameKind {
  const symbols: string[] = [];
  const figures: number[] = [];
  for (const event of events) {
    if (event?.e !== '24hrMiniTicker' || typeof event.s !== 'string') return 'malformed';
    symbols.push(event.s);
    figures.push(decimal(event.c), typeof event.E === 'number' ? event.E : Number.NaN);
  }
  return tellPrices(symbols, figures, sink);
}

function tellPrices(symbols: readonly string[], figures: readonly number[], sink: FrameSink): FrameKind {
  for (let index = 0; index < figures.length; index += 2) if (!(figures[index]! > 0 && figures[index]! < Infinity && isMarketTime(figures[index + 1]))) return 'malformed';
  for (let index = 0; index < symbols.length; index++) sink.price(symbols[index]!, figures[2 * index]!, figures[2 * index + 1]!);
  return 'miniTicker';
}

function bookOf(name: string | undefined, { u, s, b, a }: RawEvent, sink: FrameSink): FrameKind {
  if (typeof s !== 'string' || name !== nameOf(s, 'bookTicker')) return 'unknown';
  const [bid, ask] = [decimal(b), decimal(a)];
  if (typeof u !== 'number' || !Number.isFinite(bid + ask)) return 'malformed';
  sink.book(s, bid, ask);
  return 'bookTicker';
}

/** The letter after the stream name's `@`, which tells its kind; `!` for the streams of all symbols. */
function kindLetter(bytes: Buffer): string {
  if (bytes[STREAM_AT] === 0x21) return '!';
  for (let at = STREAM_AT; at < bytes.length && at < STREAM_AT + 32; at++) if (bytes[at] === 0x40) return String.fromCharCode(bytes[at + 1] ?? 0);
  return '';
}

function same(template: FrameTemplate, index: number, bytes: Buffer, wanted: string): boolean {
  const from = template.starts[index]!;
  if (template.ends[index]! - from !== wanted.length) return false;
  for (let at = 0; at < wanted.length; at++) if (bytes[from + at] !== wanted.charCodeAt(at)) return false;
  return true;
}

/** Whether the stream's name (the first text) is that of the symbol (the second): its lower case, and the suffix. */
function ofStream(template: FrameTemplate, bytes: Buffer, suffix: string): boolean {
  const [from, symbol] = [template.starts[0]!, template.starts[1]!];
  const length = template.ends[1]! - symbol;
  if (template.ends[0]! - from !== length + suffix.length) return false;
  for (let at = 0; at < length; at++) {
    const letter = bytes[symbol + at]!;
    if (bytes[from + at] !== (letter >= 0x41 && letter <= 0x5a ? letter + 0x20 : letter)) return false;
  }
  for (let at = 0; at < suffix.length; at++) if (bytes[from + length + at] !== suffix.charCodeAt(at)) return false;
  return true;
}

function nameOf(symbol: unknown, kind: string): string {
  return typeof symbol === 'string' ? `${symbol.toLowerCase()}@${kind}` : '';
}

/** Decimals come as text; whatever else is no number. */
function decimal(value: unknown): number {
  return typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
}
