import { ApiError, type Params } from './params.ts';
import type { CandleLies } from '../faults/candle-lies.ts';
import type { Market } from '../market/open-market.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { Views } from '../market/views.ts';

/** What a route works with. `now` is the market time of this request, `skew` by how many ms the exchange's clock is told wrong. */
export interface Context { market: Market; views: Views; lies: CandleLies; now: number; skew: number }

export interface Route {
  params: readonly string[];
  weight: (query: URLSearchParams) => number;
  answer: (params: Params, context: Context) => unknown;
}

/** The symbol of this name. Throws −1121 for a stranger. */
export function known(name: string, { market }: Context): SymbolInfo {
  const found = market.book.info(name);
  if (!found) throw new ApiError(400, -1121, 'Invalid symbol.');
  return found;
}

/** The mandatory `symbol`. */
export function requiredSymbol(params: Params, context: Context): SymbolInfo {
  params.required('symbol');
  return known(params.symbol() as string, context);
}

/** `limit`, cut to the most that the endpoint gives. Throws −1130 below 1. */
export function limitOf(params: Params, usual: number, most: number): number {
  const limit = params.number('limit') ?? usual;
  if (limit < 1) throw new ApiError(400, -1130, "Data sent for parameter 'limit' is not valid.");
  return Math.min(limit, most);
}

/** The symbols, or those of `symbolStatus` as it is at the moment. Throws ApiError for another status. */
export function withStatus(params: Params, { market, now }: Context): readonly SymbolInfo[] {
  const status = params.choice('symbolStatus', ['TRADING', 'HALT', 'BREAK']);
  if (status === undefined) return market.source.symbols;
  return market.source.symbols.filter(({ symbol }) => market.book.status(symbol, now) === status);
}

/** One object for `symbol`, otherwise a list; symbols that have never traded are left out. */
export function forSymbols(params: Params, context: Context, row: (symbol: SymbolInfo) => unknown): unknown {
  const asked = params.symbols();
  const chosen = asked ? asked.names.map((name) => known(name, context)) : withStatus(params, context);
  const rows = chosen.map(row).filter((found) => found !== undefined);
  return asked && !asked.several ? rows[0] ?? {} : rows;
}
