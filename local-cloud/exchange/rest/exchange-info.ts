import { formatUnits } from '../market/candle.ts';
import { WEIGHT_LIMIT } from './weights.ts';
import type { SymbolInfo } from '../market/source.ts';

const ORDER_TYPES = ['LIMIT', 'LIMIT_MAKER', 'MARKET', 'STOP_LOSS', 'STOP_LOSS_LIMIT', 'TAKE_PROFIT', 'TAKE_PROFIT_LIMIT'];
const SELF_TRADE_PREVENTION = ['NONE', 'EXPIRE_TAKER', 'EXPIRE_MAKER', 'EXPIRE_BOTH', 'DECREMENT'];

/** The answer of GET /exchangeInfo. */
export function exchangeInfo(symbols: readonly SymbolInfo[], serverTime: number, status: (symbol: string) => string, showPermissionSets = true): unknown {
  return {
    timezone: 'UTC',
    serverTime,
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: WEIGHT_LIMIT },
      { rateLimitType: 'ORDERS', interval: 'SECOND', intervalNum: 10, limit: 100 },
      { rateLimitType: 'ORDERS', interval: 'DAY', intervalNum: 1, limit: 200_000 },
      { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 61_000 },
    ],
    exchangeFilters: [],
    symbols: symbols.map((info) => symbolEntry(info, status(info.symbol), showPermissionSets)),
  };
}

function symbolEntry(info: SymbolInfo, status: string, showPermissionSets: boolean): unknown {
  return {
    symbol: info.symbol, status,
    baseAsset: info.base, baseAssetPrecision: 8,
    quoteAsset: info.quote, quotePrecision: 8, quoteAssetPrecision: 8,
    baseCommissionPrecision: 8, quoteCommissionPrecision: 8,
    orderTypes: ORDER_TYPES,
    icebergAllowed: true, ocoAllowed: true, otoAllowed: true, opoAllowed: true, quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: true, cancelReplaceAllowed: true, amendAllowed: true, pegInstructionsAllowed: true,
    isSpotTradingAllowed: true, isMarginTradingAllowed: info.permissions.includes('MARGIN'),
    filters: filters(info),
    permissions: [],
    ...(showPermissionSets ? { permissionSets: [info.permissions] } : {}),
    defaultSelfTradePreventionMode: 'EXPIRE_MAKER',
    allowedSelfTradePreventionModes: SELF_TRADE_PREVENTION,
  };
}

function filters({ tick, step }: SymbolInfo): unknown[] {
  const [tickSize, stepSize] = [formatUnits(tick), formatUnits(step)];
  return [
    { filterType: 'PRICE_FILTER', minPrice: tickSize, maxPrice: formatUnits(tick * 100_000_000), tickSize },
    { filterType: 'LOT_SIZE', minQty: stepSize, maxQty: formatUnits(BigInt(step) * 900_000_000n), stepSize },
    { filterType: 'ICEBERG_PARTS', limit: 10 },
    { filterType: 'MARKET_LOT_SIZE', minQty: '0.00000000', maxQty: formatUnits(BigInt(step) * 10_000_000n), stepSize: '0.00000000' },
    { filterType: 'TRAILING_DELTA', minTrailingAboveDelta: 10, maxTrailingAboveDelta: 2000, minTrailingBelowDelta: 10, maxTrailingBelowDelta: 2000 },
    { filterType: 'PERCENT_PRICE_BY_SIDE', bidMultiplierUp: '5', bidMultiplierDown: '0.2', askMultiplierUp: '5', askMultiplierDown: '0.2', avgPriceMins: 5 },
    { filterType: 'NOTIONAL', minNotional: '5.00000000', applyMinToMarket: true, maxNotional: '9000000.00000000', applyMaxToMarket: false, avgPriceMins: 5 },
    { filterType: 'MAX_NUM_ORDERS', maxNumOrders: 200 },
    { filterType: 'MAX_NUM_ORDER_LISTS', maxNumOrderLists: 20 },
    { filterType: 'MAX_NUM_ALGO_ORDERS', maxNumAlgoOrders: 5 },
    { filterType: 'MAX_NUM_ORDER_AMENDS', maxNumOrderAmends: 10 },
  ];
}
