import { formatUnits, type Candle } from '../market/candle.ts';
import { exchangeInfo } from './exchange-info.ts';
import { isInterval, stepOpen, type Interval } from '../market/intervals.ts';
import { ApiError, type Params } from './params.ts';
import { tickerRow, type Tickers } from '../market/ticker.ts';
import type { CandleLies } from '../faults/candle-lies.ts';
import type { Market } from '../market/open-market.ts';
import type { SymbolInfo } from '../market/source.ts';

/** What a route works with. `now` is the market time of this request, `skew` by how many ms the exchange's clock is told wrong. */
interface Context { market: Market; tickers: Tickers; lies: CandleLies; now: number; skew: number }

export interface Route {
  params: readonly string[];
  weight: (query: URLSearchParams, market: Market) => number;
  answer: (params: Params, context: Context) => unknown;
}

const KLINES: Route = {
  params: ['symbol', 'interval', 'startTime', 'endTime', 'timeZone', 'limit'],
  weight: () => 2,
  answer: klines,
};

/** The public market data of Binance Spot that the stand-in serves, with the weights of the real endpoints. */
export const ROUTES: Readonly<Record<string, Route>> = {
  '/api/v3/ping': { params: [], weight: () => 1, answer: () => ({}) },
  '/api/v3/time': { params: [], weight: () => 1, answer: (_, { now, skew }) => ({ serverTime: now + skew }) },
  '/api/v3/exchangeInfo': { params: ['symbol', 'symbols', 'permissions', 'showPermissionSets', 'symbolStatus'], weight: () => 20, answer: info },
  '/api/v3/klines': KLINES,
  '/api/v3/uiKlines': KLINES,
  '/api/v3/ticker/24hr': { params: ['symbol', 'symbols', 'type', 'symbolStatus'], weight: dayWeight, answer: day },
  '/api/v3/ticker/price': { params: ['symbol', 'symbols', 'symbolStatus'], weight: (query) => (query.has('symbol') ? 2 : 4), answer: price },
};

function klines(params: Params, { market, lies, now }: Context): unknown {
  const symbol = params.required('symbol');
  const { tick } = known(params.symbol() as string, market);
  const interval = params.required('interval');
  if (!isInterval(interval)) throw new ApiError(400, -1120, 'Invalid interval.');
  params.choice('timeZone', ['0', '+0', '00:00', '+00:00', '0:00', '+0:00']);
  const limit = params.number('limit') ?? 500;
  if (limit < 1) throw new ApiError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  const rows = market.book.klines(symbol, interval, now, { start: params.number('startTime'), end: params.number('endTime'), limit: Math.min(limit, 1000) });
  const finished = rows.filter((row) => stepOpen(interval, row.openTime) <= now);
  return [...lies.answered(symbol, interval, finished, tick), ...rows.slice(finished.length)].map((row) => klineRow(row, interval));
}

/** A row of GET /klines. */
export function klineRow(candle: Candle, interval: Interval): unknown[] {
  return [
    candle.openTime, formatUnits(candle.open), formatUnits(candle.high), formatUnits(candle.low), formatUnits(candle.close),
    formatUnits(candle.volume), stepOpen(interval, candle.openTime) - 1, formatUnits(candle.quoteVolume), candle.trades,
    formatUnits(candle.takerBase), formatUnits(candle.takerQuote), '0',
  ];
}

function info(params: Params, { market, now, skew }: Context): unknown {
  const asked = params.symbols();
  const permissions = params.text('permissions');
  if (asked && permissions !== undefined) throw new ApiError(400, -1128, 'Combination of optional parameters invalid.');
  const show = params.choice('showPermissionSets', ['true', 'false']) !== 'false';
  const wanted = new Set(permissions?.replace(/[[\]"\s]/g, '').split(','));
  const chosen = asked ? asked.names.map((name) => known(name, market))
    : withStatus(params, market, now).filter((symbol) => wanted.size === 0 || symbol.permissions.some((permission) => wanted.has(permission)));
  return exchangeInfo(chosen, now + skew, (symbol) => market.book.trades(symbol, now), show);
}

function day(params: Params, { market, tickers, now }: Context): unknown {
  const full = params.choice('type', ['FULL', 'MINI']) !== 'MINI';
  return forSymbols(params, market, now, (symbol) => {
    const ticker = tickers.at(symbol.symbol, now);
    return ticker && tickerRow(ticker, symbol.tick, symbol.step, full);
  });
}

/** 2 up to 20 symbols, 40 up to 100, 80 above and for all. */
function dayWeight(query: URLSearchParams): number {
  if (query.has('symbol')) return 2;
  const count = query.get('symbols')?.split(',').length ?? Infinity;
  return count <= 20 ? 2 : count <= 100 ? 40 : 80;
}

function price(params: Params, { market, tickers, now }: Context): unknown {
  return forSymbols(params, market, now, ({ symbol }) => {
    const ticker = tickers.at(symbol, now);
    return ticker && { symbol, price: formatUnits(ticker.day.close) };
  });
}

/** One object for `symbol`, otherwise a list; symbols that have never traded are left out. */
function forSymbols(params: Params, market: Market, now: number, row: (symbol: SymbolInfo) => unknown): unknown {
  const asked = params.symbols();
  const chosen = asked ? asked.names.map((name) => known(name, market)) : withStatus(params, market, now);
  const rows = chosen.map(row).filter((found) => found !== undefined);
  return asked && !asked.several ? rows[0] ?? {} : rows;
}

function withStatus(params: Params, market: Market, now: number): readonly SymbolInfo[] {
  const status = params.choice('symbolStatus', ['TRADING', 'HALT', 'BREAK']);
  if (status === undefined) return market.source.symbols;
  return market.source.symbols.filter(({ symbol }) => (market.book.trades(symbol, now) ? 'TRADING' : 'BREAK') === status);
}

function known(name: string, market: Market): SymbolInfo {
  const found = market.book.info(name);
  if (!found) throw new ApiError(400, -1121, 'Invalid symbol.');
  return found;
}
