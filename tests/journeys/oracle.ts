/**
 * An oracle: recomputes with plain loops, from candle files alone and without a line of the engine, which signals the three template
 * traders must give. Definitions: facts of the field (TA-Lib, Wilder), written down again on purpose.
 */
import type { RecordedRow } from '../support/recordings.ts';

export interface ExpectedSignal { trader: string; symbol: string; closeTime: number; price: number; side: 'long' | 'short' }

const MINUTE = 60_000;

/** EMA seeded with the mean of its first n values; NaN before. */
function ema(values: readonly number[], n: number): number[] {
  const out: number[] = Array.from({ length: values.length }, () => Number.NaN);
  let average = 0;
  for (let i = 0; i < values.length; i += 1) {
    if (i < n) average += values[i]! / n;
    else average = (values[i]! * 2 + average * (n - 1)) / (n + 1);
    if (i >= n - 1) out[i] = average;
  }
  return out;
}

/** Mean of the last n values; exactly the value where all are equal. */
function mean(values: readonly number[], i: number, n: number): number {
  let sum = 0;
  for (let k = i - n + 1; k <= i; k += 1) sum += values[k]!;
  return isFlat(values, i, n) ? values[i]! : sum / n;
}

function isFlat(values: readonly number[], i: number, n: number): boolean {
  for (let k = i - n + 1; k <= i; k += 1) if (values[k] !== values[i]) return false;
  return true;
}

/** Population standard deviation of the last n values, in two passes; 0 on a flat window. */
function deviation(values: readonly number[], i: number, n: number): number {
  if (isFlat(values, i, n)) return 0;
  const centre = mean(values, i, n);
  let squares = 0;
  for (let k = i - n + 1; k <= i; k += 1) squares += (values[k]! - centre) ** 2;
  return Math.sqrt(squares / n);
}

/** a < b beyond rounding: prices are decimals, and a high that equals the band to the last decimal is not below it. */
const isBelow = (a: number, b: number): boolean => b - a > 1e-12 * Math.abs(b);

/** Wilder's RSI, seeded with plain means of the first n changes; 50 where nothing moved. */
function rsi(values: readonly number[], n: number): number[] {
  const out: number[] = Array.from({ length: values.length }, () => Number.NaN);
  let gain = 0;
  let loss = 0;
  for (let i = 1; i < values.length; i += 1) {
    const change = values[i]! - values[i - 1]!;
    if (i <= n) {
      gain += Math.max(change, 0) / n;
      loss += Math.max(-change, 0) / n;
    } else {
      gain = (gain * (n - 1) + Math.max(change, 0)) / n;
      loss = (loss * (n - 1) + Math.max(-change, 0)) / n;
    }
    if (i >= n) out[i] = gain + loss === 0 ? 50 : (100 * gain) / (gain + loss);
  }
  return out;
}

/**
 * Every signal on one symbol, over the whole file, in the file's own time. One-minute candles without a hole; a signal's close time is the
 * next candle's open time.
 */
export function expectedSignals(symbol: string, rows: readonly RecordedRow[]): ExpectedSignal[] {
  const close = rows.map((row) => row.close);
  const high = rows.map((row) => row.high);
  const volume = rows.map((row) => row.volume);
  const fast = ema(close, 5);
  const slow = ema(close, 13);
  const strength = rsi(close, 7);
  const upper = close.map((_, i) => (i < 19 ? Number.NaN : mean(close, i, 20) + 1.9 * deviation(close, i, 20)));
  const found: ExpectedSignal[] = [];
  const give = (trader: string, side: 'long' | 'short', i: number) => {
    found.push({ trader, symbol, side, closeTime: rows[i]!.openTime + MINUTE, price: close[i]! });
  };
  for (let i = 20; i < rows.length; i += 1) {
    if (fast[i]! > slow[i]! && fast[i - 1]! <= slow[i - 1]! && volume[i]! > mean(volume, i, 20)) give('EMA cross with volume', 'long', i);
    if (strength[i]! > 30 && strength[i - 1]! <= 30) give('RSI oversold turn', 'long', i);
    if (isBelow(high[i]!, upper[i]!) && !isBelow(high[i - 1]!, upper[i - 1]!)) give('Bollinger rejection', 'short', i);
  }
  return found;
}
