import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readDailyCandles, recordings } from '../../../tests/support/recordings.ts';
import { evaluateExpression } from '../language/evaluate.ts';

const folder = recordings('indicators');

/** Expression → the file and column of the series that it must equal. */
const ROWS: readonly (readonly [expression: string, file: string, column: string])[] = [
  ['sma(20)', 'sma', 'sma'],
  ['ema(20)', 'ema', 'ema'],
  ['rsi(14)', 'rsi', 'rsi'],
  ['macd(12, 26, 9).line', 'macd', 'macd'],
  ['macd(12, 26, 9).signal', 'macd', 'signal'],
  ['macd(12, 26, 9).histogram', 'macd', 'histogram'],
  ['ema(12)', 'macd', 'fastEma'],
  ['ema(26)', 'macd', 'slowEma'],
  ['bollinger(20, 2).upper', 'bb', 'upperBand'],
  ['bollinger(20, 2).middle', 'bb', 'sma'],
  ['bollinger(20, 2).lower', 'bb', 'lowerBand'],
  ['bollinger(20, 2).width', 'bb', 'width'],
  ['bollinger(20, 2).percentB', 'bb', 'percentB'],
  ['zScore(20)', 'bb', 'zScore'],
  ['trueRange()', 'atr', 'tr'],
  ['atr(14)', 'atr', 'atr'],
  ['atr(14) / close * 100', 'atr', 'atrp'],
  ['stochastic(14, 3, 3).k', 'stoch', 'k'],
  ['stochastic(14, 3, 3).k', 'stoch', 'oscillator'],
  ['stochastic(14, 3, 3).d', 'stoch', 'd'],
  ['stochastic(14, 3, 3).d', 'stoch', 'signal'],
  ['3 * stochastic(14, 3, 3).k - 2 * stochastic(14, 3, 3).d', 'stoch', 'j'],
  ['3 * stochastic(14, 3, 3).k - 2 * stochastic(14, 3, 3).d', 'stoch', 'percentJ'],
  ['obv()', 'obv', 'obv'],
];

test.skipIf(folder === null)('every column of the reference series is compared', () => {
  for (const file of new Set(ROWS.map(([, name]) => name))) {
    const [row] = JSON.parse(readFileSync(join(folder!, `${file}.json`), 'utf8')) as Record<string, unknown>[];
    expect(ROWS.filter(([, name]) => name === file).map(([, , column]) => column).sort()).toEqual(Object.keys(row!).filter((column) => column !== 'timestamp').sort());
  }
});

const errors: string[] = [];
afterAll(() => {
  process.stdout.write(`${errors.join('\n')}\n`);
});

test.skipIf(folder === null).each(ROWS)('%s equals the reference series %s.%s at every bar', (expression, file, column) => {
  const candles = readDailyCandles(folder!).map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1, takerBuy: 0 }));
  const reference = (JSON.parse(readFileSync(join(folder!, `${file}.json`), 'utf8')) as Record<string, number | null>[]).map((row) => row[column]!);
  const { values } = evaluateExpression(expression, candles);
  // A difference that passes through 0 is compared against the size of what it is the difference of.
  const scale = file === 'macd' || file === 'obv' ? 1 : file === 'bb' && column === 'zScore' ? 1 : 0;
  let worst = 0;
  for (const [index, expected] of reference.entries()) {
    const value = values[index] as number | null;
    if (expected === null) expect(value).toBeNull();
    else worst = Math.max(worst, Math.abs(value! - expected) / Math.max(Math.abs(expected), scale));
  }
  errors.push(`${expression.padEnd(32)} maximum relative error ${worst.toExponential(1)} over ${reference.filter((value) => value !== null).length} bars`);
  expect(worst).toBeLessThanOrEqual(1e-9);
});
