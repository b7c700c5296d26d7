import { formatUnits, notional } from '../market/candle.ts';
import { ApiError } from './params.ts';
import { limitOf, requiredSymbol, type Route } from './route.ts';
import type { Level } from '../market/depth.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { NumberedTrade } from '../market/trade-log.ts';

const MOST_LEVELS = 5_000;
const MOST_TRADES = 1_000;

/** [price, quantity] as the exchange writes them. */
export function levelTexts(levels: readonly Level[], { tick, step }: SymbolInfo): [string, string][] {
  return levels.map(([price, steps]) => [formatUnits(price * tick), formatUnits(BigInt(steps) * BigInt(step))]);
}

export const DEPTH: Route = {
  params: ['symbol', 'limit', 'symbolStatus'],
  weight: (query) => {
    const limit = Number(query.get('limit') ?? 100);
    return limit <= 100 ? 5 : limit <= 500 ? 25 : limit <= 1_000 ? 50 : 250;
  },
  answer: (params, context) => {
    const info = requiredSymbol(params, context);
    const found = context.views.depth.snapshot(info.symbol, context.now, limitOf(params, 100, MOST_LEVELS));
    return { lastUpdateId: found?.id ?? 0, bids: levelTexts(found?.bids ?? [], info), asks: levelTexts(found?.asks ?? [], info) };
  },
};

function tradeRow({ id, price, quantity, time, buyerMaker }: NumberedTrade): unknown {
  return { id, price: formatUnits(price), qty: formatUnits(quantity), quoteQty: formatUnits(notional(quantity, BigInt(price))), time, isBuyerMaker: buyerMaker, isBestMatch: true };
}

export const TRADES: Route = {
  params: ['symbol', 'limit'],
  weight: () => 25,
  answer: (params, context) => {
    const { symbol } = requiredSymbol(params, context);
    const limit = limitOf(params, 500, MOST_TRADES);
    const { tradeLog } = context.views;
    return tradeLog.from(symbol, tradeLog.lastId(symbol, context.now) - limit + 1, context.now, limit).map(tradeRow);
  },
};

export const HISTORICAL_TRADES: Route = {
  params: ['symbol', 'limit', 'fromId'],
  weight: () => 25,
  answer: (params, context) => {
    const { symbol } = requiredSymbol(params, context);
    const limit = limitOf(params, 500, MOST_TRADES);
    const { tradeLog } = context.views;
    const from = params.number('fromId') ?? tradeLog.lastId(symbol, context.now) - limit + 1;
    return tradeLog.from(symbol, from, context.now, limit).map(tradeRow);
  },
};

/** Every trade is an order of its own here, so an aggregate holds one trade and carries its number. */
export const AGGREGATE_TRADES: Route = {
  params: ['symbol', 'fromId', 'startTime', 'endTime', 'limit'],
  weight: () => 4,
  answer: (params, context) => {
    const { symbol } = requiredSymbol(params, context);
    const limit = limitOf(params, 500, MOST_TRADES);
    const { tradeLog } = context.views;
    const [fromId, start, end] = [params.number('fromId'), params.number('startTime'), params.number('endTime')];
    if (fromId !== undefined && (start !== undefined || end !== undefined)) throw new ApiError(400, -1128, 'Combination of optional parameters invalid.');
    const until = Math.min(end ?? context.now, context.now);
    const first = fromId ?? (start === undefined ? tradeLog.lastId(symbol, until) - limit + 1 : tradeLog.lastId(symbol, start - 1) + 1);
    return tradeLog.from(symbol, first, until, limit).map(({ id, price, quantity, time, buyerMaker }) => ({
      a: id, p: formatUnits(price), q: formatUnits(quantity), f: id, l: id, T: time, m: buyerMaker, M: true,
    }));
  },
};
