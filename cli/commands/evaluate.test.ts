import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../testing/run-command.ts';

let folder = '';
const CLOSES = [10, 11, 12, 11, 13, 14, 12];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trademind-evaluate-'));
  writeFileSync(join(folder, 'c.csv'), ['date,open,high,low,close,volume', ...CLOSES.map((close, day) => `2026-01-0${day + 1},${close},${close + 1},${close - 1},${close},${day * 10}`)].join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => runCommand(['evaluate', ...args], folder);
const json = async (...args: string[]) => JSON.parse((await run(...args, '--json', '--candles', 'c.csv')).stdout) as Record<string, unknown>;

describe('evaluate', () => {
  test('--json prints one value a candle, and nothing but the contract', async () => {
    expect(await json('change(close)')).toEqual({ expression: 'change(close)', interval: '1d', values: [null, 1, 1, -1, 2, 1, -2] });
    expect(await json('rising(close, 2)')).toMatchObject({ values: [null, null, true, false, false, true, false] });
    expect(await json('close / volume', '--interval', '1d')).toMatchObject({ values: [null, 1.1, 0.6, 11 / 30, 13 / 40, 14 / 50, 0.2] });
  });

  test('--json tells an infinite value, which JSON does not have, from one that is not there', async () => {
    expect(await json('change(close) / volume')).not.toHaveProperty('infinite');
    expect(await json('close[1] / (close - 12)')).toMatchObject({ values: [null, -10, null, -12, 11, 6.5, null], infinite: [{ candle: 2, sign: 1 }, { candle: 6, sign: 1 }] });
    expect(await json('(0 - close) / volume')).toMatchObject({ infinite: [{ candle: 0, sign: -1 }] });
    expect(await json('close / volume > 1')).toMatchObject({ values: [true, true, false, false, false, false, false] });
  });

  test('knows params and lets', async () => {
    expect(await json('close > floor + step', '--param', 'step=1.5', '--let', 'floor=close == 13 ? 2 * step : 11')).toMatchObject({ values: [false, false, false, false, true, true, false] });
  });

  test('says where the quote volume is an estimate, only if it is read', async () => {
    const { stdout, stderr } = await run('quoteVolume', '--json', '--candles', 'c.csv');
    expect(JSON.parse(stdout)).toEqual({ expression: 'quoteVolume', interval: '1d', values: CLOSES.map((close, day) => day * 10 * close), estimated: ['quoteVolume'] });
    expect(stderr).toContain('volume × hlc3');
  });

  test('without --json shows a plot and the last values', async () => {
    const { stdout, stderr, code } = await run('close', '--last', '2', '--candles', 'c.csv');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^close {2}1d · 7 candles · 2026-01-01 to 2026-01-07 UTC\n/);
    expect(stdout).toContain('14 ┤');
    expect(stdout.trimEnd().split('\n').slice(-2).map((line) => line.trim().split(/\s+/))).toEqual([['2026-01-06', '14', '14'], ['2026-01-07', '12', '12']]);
    expect((await run('close > 12', '--candles', 'c.csv')).stdout).toContain('····██·');
  });

  test('puts warnings on stderr', async () => {
    expect((await run('close > highest(high, 3)', '--json', '--candles', 'c.csv')).stderr).toContain('includes the current candle');
    expect((await run('close', '--interval', '1h', '--json', '--candles', 'c.csv')).stderr).toContain('the candles are 1d apart');
  });

  test('points at what is wrong, before it looks for the file', async () => {
    const wrong = await run('crossove(ema(9), close)', '--candles', 'none.csv');
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('crossove(ema(9), close)\n    ^^^^^^^^\n  → crossover(a, b)');
    const { error } = JSON.parse((await run('rsi(0)', '--json', '--candles', 'none.csv')).stdout) as { error: object };
    expect(error).toMatchObject({ code: 'wrong_argument', field: 'expression' });
  });

  test.each([
    [4, 'no file', ['close', '--candles', 'none.csv']],
    [1, 'no column takerBuy', ['takerBuy', '--candles', 'c.csv']],
    [2, '--candles', ['close']],
    [2, '--param n', ['close', '--candles', 'c.csv', '--param', 'n']],
    [2, 'must be a number', ['close', '--candles', 'c.csv', '--param', 'n=x']],
    [2, 'given twice', ['close', '--candles', 'c.csv', '--let', 'n=1', '--let', 'n=2']],
    [2, 'no such interval', ['close', '--candles', 'c.csv', '--interval', '1y']],
    [2, '--last', ['close', '--candles', 'c.csv', '--last', '0']],
    [1, 'word of the language', ['close', '--candles', 'c.csv', '--let', 'rsi=1']],
  ])('exits with %i and says "%s"', async (code, message, args) => {
    const answer = await run(...args);
    expect(answer.code).toBe(code);
    expect(answer.stderr).toContain(message);
  });
});
