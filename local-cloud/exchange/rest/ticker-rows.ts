import { formatUnits, UNITS, type Candle } from '../market/candle.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { Ticker } from '../market/ticker.ts';
import type { Touch } from '../market/quotes.ts';
import type { Views } from '../market/views.ts';

/** The change of a price in percent, with three decimals. */
export const percent = ({ open, close }: Candle) => (((close - open) / open) * 100).toFixed(3);

/** The volume-weighted average price, with eight decimals; zero when nothing traded. */
export const average = ({ volume, quoteVolume }: Candle) => (volume > 0n ? formatUnits((quoteVolume * BigInt(UNITS)) / volume) : '0.00000000');

/** Best prices as the exchange writes them; zeros while the book is empty. */
export function touchTexts(touch: Touch | undefined, { tick, step }: SymbolInfo): { bidPrice: string; bidQty: string; askPrice: string; askQty: string } {
  if (!touch) return { bidPrice: '0.00000000', bidQty: '0.00000000', askPrice: '0.00000000', askQty: '0.00000000' };
  const size = (steps: number) => formatUnits(BigInt(steps) * BigInt(step));
  return { bidPrice: formatUnits(touch.bid * tick), bidQty: size(touch.bidSteps), askPrice: formatUnits(touch.ask * tick), askQty: size(touch.askSteps) };
}

/** A row of GET /ticker/24hr with type=MINI. */
export function miniRow({ symbol, openTime, closeTime, day, firstId, lastId }: Ticker): Record<string, unknown> {
  return {
    symbol, openPrice: formatUnits(day.open), highPrice: formatUnits(day.high), lowPrice: formatUnits(day.low), lastPrice: formatUnits(day.close),
    volume: formatUnits(day.volume), quoteVolume: formatUnits(day.quoteVolume), openTime, closeTime, firstId, lastId, count: day.trades,
  };
}

/** A row of GET /ticker and /ticker/tradingDay, type FULL. */
export function windowRow(ticker: Ticker): Record<string, unknown> {
  const { day } = ticker;
  return { ...miniRow(ticker), priceChange: formatUnits(day.close - day.open), priceChangePercent: percent(day), weightedAvgPrice: average(day) };
}

/** A row of GET /ticker/24hr, type FULL. */
export function dayRow(ticker: Ticker, info: SymbolInfo, { tickers, quotes }: Views, now: number): Record<string, unknown> {
  return {
    ...windowRow(ticker),
    prevClosePrice: formatUnits(tickers.closeBefore(ticker.symbol, ticker.openTime) ?? ticker.day.open),
    lastQty: formatUnits(tickers.lastTrade(ticker.symbol, now)?.quantity ?? 0n),
    ...touchTexts(quotes.at(ticker.symbol, now), info),
  };
}
