import type { Candle, KeyLevels, Side } from '@trademind/core';

/** Distances from the entry in units of ATR. */
const STOP = 1.5;
const TARGETS = [2, 3, 5] as const;
/** Candles in which swings are looked for, and on how many candles at each side of a swing nothing may go beyond it. */
const SWING_CANDLES = 50;
const SWING_SIDE = 2;
const KEPT_SWINGS = 3;

export interface Levels extends KeyLevels {
  /** Gain at the middle target over the loss at the stop. */
  riskReward: number;
}

/**
 * Stop, targets, supports and resistances of a trade that enters at `entry` (quote asset), by the last candles (oldest first) and their ATR. Undefined where they would make no sense:
 * the ATR is not above 0, or the stop or the nearest target would not be a price above 0.
 */
export function levelsOf(side: Side, entry: number, atr: number, candles: readonly Candle[]): Levels | undefined {
  if (!(atr > 0) || !(entry > 0) || !Number.isFinite(atr + entry)) return undefined;
  const way = side === 'long' ? 1 : -1;
  const stopLoss = tidy(entry - way * STOP * atr);
  // The farthest targets of a short may lie below 0.
  const takeProfit = TARGETS.map((units) => tidy(entry + way * units * atr)).filter((price) => price > 0);
  const middle = takeProfit[1] ?? takeProfit[0];
  if (!(stopLoss > 0) || middle === undefined || stopLoss === tidy(entry)) return undefined;
  const { lows, highs } = swings(candles.slice(-SWING_CANDLES));
  return {
    entry: tidy(entry), stopLoss, takeProfit,
    support: nearest(lows.filter((price) => price < entry), (a, b) => b - a),
    resistance: nearest(highs.filter((price) => price > entry), (a, b) => a - b),
    riskReward: Number((Math.abs(middle - entry) / Math.abs(entry - stopLoss)).toFixed(2)),
  };
}

/** Lows and highs that no candle near them goes beyond; the extremes of the whole stretch belong to them. */
function swings(candles: readonly Candle[]): { lows: number[]; highs: number[] } {
  const lows: number[] = [];
  const highs: number[] = [];
  for (let at = SWING_SIDE; at < candles.length - SWING_SIDE; at++) {
    const { low, high } = candles[at]!;
    const around = candles.slice(at - SWING_SIDE, at + SWING_SIDE + 1);
    if (around.every((candle) => candle.low >= low)) lows.push(low);
    if (around.every((candle) => candle.high <= high)) highs.push(high);
  }
  if (candles.length > 0) {
    lows.push(Math.min(...candles.map(({ low }) => low)));
    highs.push(Math.max(...candles.map(({ high }) => high)));
  }
  return { lows, highs };
}

function nearest(prices: readonly number[], order: (a: number, b: number) => number): number[] {
  return [...new Set(prices.filter((price) => price > 0).map(tidy))].sort(order).slice(0, KEPT_SWINGS);
}

/** Eight digits: beyond them a price is noise of the arithmetic. */
const tidy = (price: number): number => Number(price.toPrecision(8));
