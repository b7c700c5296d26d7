import { HOUR, DAY } from '../market/intervals.ts';
import { averagePrice } from '../rest/tickers.ts';
import { NOTHING, type Channel, type ChannelContext } from './channel.ts';
import { dayTickerPayload, miniTickerPayload, windowTickerPayload } from './payloads.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { Ticker } from '../market/ticker.ts';

const PACE = { everyMarket: 1_000, everyWall: 1_000 };
export const WINDOWS: Readonly<Record<string, number>> = { '1h': HOUR, '4h': 4 * HOUR, '1d': DAY };

/** The tickers of these symbols that changed since they were last asked for. */
function changed({ views: { book, tickers } }: ChannelContext, symbols: readonly string[], size?: number): (now: number) => Ticker[] {
  const said = new Map<string, string>();
  return (now) => symbols.flatMap((symbol) => {
    const ticker = book.trades(symbol, now) ? tickers.at(symbol, now, size) : undefined;
    const mark = ticker ? `${ticker.day.close} ${ticker.lastId} ${ticker.openTime}` : '';
    if (!ticker || said.get(symbol) === mark) return [];
    said.set(symbol, mark);
    return [ticker];
  });
}

/** `<symbol>@miniTicker` */
export function miniTicker(info: SymbolInfo, context: ChannelContext): Channel {
  const news = changed(context, [info.symbol]);
  return { ...PACE, update: (now) => news(now).map((ticker) => miniTickerPayload(ticker, now)) };
}

/** `!miniTicker@arr` */
export function allMiniTickers(context: ChannelContext): Channel {
  const news = changed(context, context.symbols);
  return { ...PACE, update: (now) => list(news(now).map((ticker) => miniTickerPayload(ticker, now))) };
}

/** `<symbol>@ticker` */
export function dayTicker(info: SymbolInfo, context: ChannelContext): Channel {
  const news = changed(context, [info.symbol]);
  return { ...PACE, update: (now) => news(now).map((ticker) => dayTickerPayload(ticker, info, context.views, now)) };
}

/** `<symbol>@ticker_<window>` and `!ticker_<window>@arr` */
export function windowTicker(symbols: readonly string[], window: string, context: ChannelContext, all: boolean): Channel {
  const news = changed(context, symbols, WINDOWS[window]);
  return {
    ...PACE,
    update: (now) => {
      const payloads = news(now).map((ticker) => windowTickerPayload(ticker, window, now));
      return all ? list(payloads) : payloads;
    },
  };
}

/** `<symbol>@avgPrice` */
export function averagePrices({ symbol }: SymbolInfo, { views }: ChannelContext): Channel {
  let said = '';
  return {
    ...PACE,
    update: (now) => {
      const { mins, price, closeTime } = averagePrice(symbol, { views, now });
      if (said === `${price} ${closeTime}`) return NOTHING;
      said = `${price} ${closeTime}`;
      return [JSON.stringify({ e: 'avgPrice', E: now, s: symbol, i: `${mins}m`, w: price, T: closeTime })];
    },
  };
}

const list = (payloads: readonly string[]) => (payloads.length > 0 ? [`[${payloads.join(',')}]`] : NOTHING);
