import { formatUnits } from '../market/candle.ts';
import { DAY, HOUR, MINUTE, openOf } from '../market/intervals.ts';
import { ApiError, type Params } from './params.ts';
import { forSymbols, requiredSymbol, type Context, type Route } from './route.ts';
import { average, dayRow, miniRow, touchTexts, windowRow } from './ticker-rows.ts';
import type { Ticker } from '../market/ticker.ts';

const SYMBOLS = ['symbol', 'symbols', 'symbolStatus'];
const MOST_SYMBOLS = 100;
const isFull = (params: Params) => params.choice('type', ['FULL', 'MINI']) !== 'MINI';
const count = (query: URLSearchParams) => (query.has('symbol') ? 1 : query.get('symbols')?.split(',').length ?? Infinity);

/** 2 up to 20 symbols, 40 up to 100, 80 above and for all. */
export const DAY_TICKER: Route = {
  params: [...SYMBOLS, 'type'],
  weight: (query) => (count(query) <= 20 ? 2 : count(query) <= 100 ? 40 : 80),
  answer: (params, context) => {
    const full = isFull(params);
    const { views, now } = context;
    return forSymbols(params, context, (info) => {
      const ticker = views.tickers.at(info.symbol, now);
      return ticker && (full ? dayRow(ticker, info, views, now) : miniRow(ticker));
    });
  },
};

/** 4 for each symbol, at most 200. */
const severalWeight = (query: URLSearchParams) => Math.min(200, 4 * count(query));

export const WINDOW_TICKER: Route = {
  params: [...SYMBOLS, 'windowSize', 'type'],
  weight: severalWeight,
  answer: (params, context) => {
    const size = windowSize(params.text('windowSize') ?? '1d');
    return window(params, context, (symbol) => context.views.tickers.at(symbol, context.now, size));
  },
};

export const TRADING_DAY: Route = {
  params: [...SYMBOLS, 'timeZone', 'type'],
  weight: severalWeight,
  answer: (params, context) => {
    params.choice('timeZone', ['0', '+0', '00:00', '+00:00', '0:00', '+0:00']);
    return window(params, context, (symbol) => context.views.tickers.since(symbol, context.now, openOf('1d', context.now), 0));
  },
};

function window(params: Params, context: Context, ticker: (symbol: string) => Ticker | undefined): unknown {
  const asked = params.symbols();
  if (!asked) throw new ApiError(400, -1128, 'Combination of optional parameters invalid.');
  if (asked.names.length > MOST_SYMBOLS) throw new ApiError(400, -1101, `Too many values sent for parameter 'symbols', maximum allowed up to ${MOST_SYMBOLS}.`);
  const full = isFull(params);
  return forSymbols(params, context, ({ symbol }) => {
    const found = ticker(symbol);
    return found && (full ? windowRow(found) : miniRow(found));
  });
}

/** 1m to 59m, 1h to 23h, 1d to 7d, in ms. */
function windowSize(text: string): number {
  const [, digits = '0', unit = ''] = /^(\d{1,2})([mhd])$/.exec(text) ?? [];
  const [size, most] = { m: [MINUTE, 59], h: [HOUR, 23], d: [DAY, 7] }[unit] ?? [0, 0];
  const number = Number(digits);
  if (number < 1 || number > (most as number)) throw new ApiError(400, -1130, "Data sent for parameter 'windowSize' is not valid.");
  return number * (size as number);
}

export const PRICE: Route = {
  params: SYMBOLS,
  weight: (query) => (query.has('symbol') ? 2 : 4),
  answer: (params, context) => forSymbols(params, context, ({ symbol }) => {
    const last = context.views.tickers.lastTrade(symbol, context.now);
    return last && { symbol, price: formatUnits(last.price) };
  }),
};

export const BOOK_TICKER: Route = {
  params: SYMBOLS,
  weight: (query) => (query.has('symbol') ? 2 : 4),
  answer: (params, context) => forSymbols(params, context, (info) => ({ symbol: info.symbol, ...touchTexts(context.views.quotes.at(info.symbol, context.now), info) })),
};

const AVERAGE_MINUTES = 5;

export const AVERAGE_PRICE: Route = {
  params: ['symbol'],
  weight: () => 2,
  answer: (params, context) => {
    const { symbol } = requiredSymbol(params, context);
    const { mins, price, closeTime } = averagePrice(symbol, context);
    return { mins, price, closeTime };
  },
};

/** The average price of the last five minutes, weighted by volume; the last price when nothing traded. */
export function averagePrice(symbol: string, { views: { tickers }, now }: Pick<Context, 'views' | 'now'>): { mins: number; price: string; closeTime: number } {
  const ticker = tickers.at(symbol, now, AVERAGE_MINUTES * MINUTE);
  const last = tickers.lastTrade(symbol, now);
  const price = ticker && ticker.day.volume > 0n ? average(ticker.day) : formatUnits(last?.price ?? 0);
  return { mins: AVERAGE_MINUTES, price, closeTime: last?.time ?? now };
}
