import { AGGREGATE_TRADES, DEPTH, HISTORICAL_TRADES, TRADES } from './book.ts';
import { exchangeInfo } from './exchange-info.ts';
import { KLINES } from './klines.ts';
import { ApiError, type Params } from './params.ts';
import { known, withStatus, type Context, type Route } from './route.ts';
import { AVERAGE_PRICE, BOOK_TICKER, DAY_TICKER, PRICE, TRADING_DAY, WINDOW_TICKER } from './tickers.ts';

/** The public market data of Binance Spot that the stand-in serves, with the weights of the real endpoints. */
export const ROUTES: Readonly<Record<string, Route>> = {
  '/api/v3/ping': { params: [], weight: () => 1, answer: () => ({}) },
  '/api/v3/time': { params: [], weight: () => 1, answer: (_, { now, skew }) => ({ serverTime: now + skew }) },
  '/api/v3/exchangeInfo': { params: ['symbol', 'symbols', 'permissions', 'showPermissionSets', 'symbolStatus'], weight: () => 20, answer: info },
  '/api/v3/depth': DEPTH,
  '/api/v3/trades': TRADES,
  '/api/v3/historicalTrades': HISTORICAL_TRADES,
  '/api/v3/aggTrades': AGGREGATE_TRADES,
  '/api/v3/klines': KLINES,
  '/api/v3/uiKlines': KLINES,
  '/api/v3/avgPrice': AVERAGE_PRICE,
  '/api/v3/ticker': WINDOW_TICKER,
  '/api/v3/ticker/24hr': DAY_TICKER,
  '/api/v3/ticker/tradingDay': TRADING_DAY,
  '/api/v3/ticker/price': PRICE,
  '/api/v3/ticker/bookTicker': BOOK_TICKER,
};

function info(params: Params, context: Context): unknown {
  const { market, now, skew } = context;
  const asked = params.symbols();
  const permissions = params.text('permissions');
  if (asked && permissions !== undefined) throw new ApiError(400, -1128, 'Combination of optional parameters invalid.');
  const show = params.choice('showPermissionSets', ['true', 'false']) !== 'false';
  const wanted = new Set(permissions?.replace(/[[\]"\s]/g, '').split(','));
  const chosen = asked ? asked.names.map((name) => known(name, context))
    : withStatus(params, context).filter((symbol) => wanted.size === 0 || symbol.permissions.some((permission) => wanted.has(permission)));
  return exchangeInfo(chosen, now + skew, (symbol) => market.book.status(symbol, now), show);
}
