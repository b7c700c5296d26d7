import { formatUnits, type Candle } from '../market/candle.ts';
import { isInterval, stepOpen, type Interval } from '../market/intervals.ts';
import { ApiError } from './params.ts';
import { limitOf, requiredSymbol, type Route } from './route.ts';

export const KLINES: Route = {
  params: ['symbol', 'interval', 'startTime', 'endTime', 'timeZone', 'limit'],
  weight: () => 2,
  answer: (params, context) => {
    const { market, lies, now } = context;
    const { symbol, tick } = requiredSymbol(params, context);
    const interval = params.required('interval');
    if (!isInterval(interval)) throw new ApiError(400, -1120, 'Invalid interval.');
    params.choice('timeZone', ['0', '+0', '00:00', '+00:00', '0:00', '+0:00']);
    const limit = limitOf(params, 500, 1000);
    const end = params.number('endTime');
    const rows = market.book.klines(symbol, interval, now, { start: params.number('startTime'), end, limit });
    const finished = rows.filter((row) => stepOpen(interval, row.openTime) <= now);
    const answered = lies.answered(symbol, interval, finished, tick).filter(({ openTime }) => openTime <= (end ?? Infinity));
    return [...answered, ...rows.slice(finished.length)].map((row) => klineRow(row, interval));
  },
};

/** A row of GET /klines. */
export function klineRow(candle: Candle, interval: Interval): unknown[] {
  return [
    candle.openTime, formatUnits(candle.open), formatUnits(candle.high), formatUnits(candle.low), formatUnits(candle.close),
    formatUnits(candle.volume), stepOpen(interval, candle.openTime) - 1, formatUnits(candle.quoteVolume), candle.trades,
    formatUnits(candle.takerBase), formatUnits(candle.takerQuote), '0',
  ];
}
