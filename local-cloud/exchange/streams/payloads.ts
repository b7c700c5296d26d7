import { formatUnits, type Candle } from '../market/candle.ts';
import { stepOpen, type Interval } from '../market/intervals.ts';
import { average, percent, touchTexts } from '../rest/ticker-rows.ts';
import { levelTexts } from '../rest/book.ts';
import type { Change, Snapshot } from '../market/depth.ts';
import type { Touch } from '../market/quotes.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { Ticker } from '../market/ticker.ts';
import type { NumberedTrade } from '../market/trade-log.ts';
import type { Views } from '../market/views.ts';

/** `firstTrade` is the number of the candle's first trade; without trades there is none, and both ids are -1. */
export function klinePayload(symbol: string, interval: Interval, candle: Candle, firstTrade: number, closed: boolean, eventTime: number): string {
  const end = stepOpen(interval, candle.openTime) - 1;
  const [f, l] = candle.trades > 0 ? [firstTrade, firstTrade + candle.trades - 1] : [-1, -1];
  return `{"e":"kline","E":${eventTime},"s":"${symbol}","k":{"t":${candle.openTime},"T":${end},"s":"${symbol}","i":"${interval}","f":${f},"L":${l},`
    + `"o":"${formatUnits(candle.open)}","c":"${formatUnits(candle.close)}","h":"${formatUnits(candle.high)}","l":"${formatUnits(candle.low)}",`
    + `"v":"${formatUnits(candle.volume)}","n":${candle.trades},"x":${closed},"q":"${formatUnits(candle.quoteVolume)}",`
    + `"V":"${formatUnits(candle.takerBase)}","Q":"${formatUnits(candle.takerQuote)}","B":"0"}}`;
}

/** `<symbol>@miniTicker`: the last 24 h in short. Times in ms. */
export function miniTickerPayload({ symbol, day }: Ticker, eventTime: number): string {
  return `{"e":"24hrMiniTicker","E":${eventTime},"s":"${symbol}","c":"${formatUnits(day.close)}","o":"${formatUnits(day.open)}",`
    + `"h":"${formatUnits(day.high)}","l":"${formatUnits(day.low)}","v":"${formatUnits(day.volume)}","q":"${formatUnits(day.quoteVolume)}"}`;
}

/** `<symbol>@ticker`: the last 24 h, with the best prices as they stand. */
export function dayTickerPayload(ticker: Ticker, info: SymbolInfo, { tickers, quotes }: Views, now: number): string {
  const { bidPrice, bidQty, askPrice, askQty } = touchTexts(quotes.at(ticker.symbol, now), info);
  return JSON.stringify({
    e: '24hrTicker', E: now, s: ticker.symbol, ...changes(ticker), x: formatUnits(tickers.closeBefore(ticker.symbol, ticker.openTime) ?? ticker.day.open),
    Q: formatUnits(tickers.lastTrade(ticker.symbol, now)?.quantity ?? 0n), b: bidPrice, B: bidQty, a: askPrice, A: askQty,
  });
}

/** `<symbol>@ticker_<window>`: the last `1h`, `4h` or `1d`, without best prices. */
export function windowTickerPayload(ticker: Ticker, window: string, now: number): string {
  return JSON.stringify({ e: `${window}Ticker`, E: now, s: ticker.symbol, ...changes(ticker) });
}

function changes({ day, openTime, closeTime, firstId, lastId }: Ticker): Record<string, unknown> {
  return {
    p: formatUnits(day.close - day.open), P: percent(day), w: average(day), c: formatUnits(day.close), o: formatUnits(day.open), h: formatUnits(day.high), l: formatUnits(day.low),
    v: formatUnits(day.volume), q: formatUnits(day.quoteVolume), O: openTime, C: closeTime, F: firstId, L: lastId, n: day.trades,
  };
}

/** `<symbol>@trade`: one trade; its own time is `T`, that of the event `E`. */
export function tradePayload(symbol: string, { id, price, quantity, time, buyerMaker }: NumberedTrade, eventTime: number): string {
  return `{"e":"trade","E":${eventTime},"s":"${symbol}","t":${id},"p":"${formatUnits(price)}","q":"${formatUnits(quantity)}","T":${time},"m":${buyerMaker},"M":true}`;
}

/** Every trade is an order of its own here, so an aggregate holds one trade and carries its number. */
export function aggregateTradePayload(symbol: string, { id, price, quantity, time, buyerMaker }: NumberedTrade, eventTime: number): string {
  return `{"e":"aggTrade","E":${eventTime},"s":"${symbol}","a":${id},"p":"${formatUnits(price)}","q":"${formatUnits(quantity)}","f":${id},"l":${id},"T":${time},"m":${buyerMaker},"M":true}`;
}

/** `<symbol>@bookTicker`: the best prices; as the exchange, without a time. */
export function bookTickerPayload(info: SymbolInfo, touch: Touch): string {
  const { bidPrice, bidQty, askPrice, askQty } = touchTexts(touch, info);
  return `{"u":${touch.id},"s":"${info.symbol}","b":"${bidPrice}","B":"${bidQty}","a":"${askPrice}","A":"${askQty}"}`;
}

/** `<symbol>@depth`: the levels that have changed between two update ids, both included; a quantity of zero is a level that is gone. */
export function depthPayload(info: SymbolInfo, { firstId, lastId, bids, asks }: Change, eventTime: number): string {
  return `{"e":"depthUpdate","E":${eventTime},"s":"${info.symbol}","U":${firstId},"u":${lastId},"b":${JSON.stringify(levelTexts(bids, info))},"a":${JSON.stringify(levelTexts(asks, info))}}`;
}

/** `<symbol>@depth<levels>`: the best levels as they stand, whole. */
export function partialDepthPayload(info: SymbolInfo, { id, bids, asks }: Snapshot): string {
  return `{"lastUpdateId":${id},"bids":${JSON.stringify(levelTexts(bids, info))},"asks":${JSON.stringify(levelTexts(asks, info))}}`;
}
