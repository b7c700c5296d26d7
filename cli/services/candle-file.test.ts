import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Candle } from '@trademind/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCandleFile } from './candle-file.ts';
import { gapsIn, intervalOf } from './candle-interval.ts';

let folder = '';
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'trademind-candles-')); });
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const write = (text: string | Buffer): string => {
  const name = `${files++}.csv`;
  writeFileSync(join(folder, name), text);
  return name;
};
const read = (text: string | Buffer, needed: readonly string[] = []) => readCandleFile(write(text), folder, new Set(needed));
const refusal = (text: string | Buffer, needed: readonly string[] = []) => read(text, needed).then(() => { throw new Error('it was accepted'); }, (error: unknown) => error as { code: string; message: string });

const HEAD = 'openTime,open,high,low,close,volume';
const T = 1_613_692_800_000;
const MINUTE = 60_000;

describe('a file of candles', () => {
  test('may have its columns in any order, further ones, quotes, a byte order mark, empty lines and Windows line ends', async () => {
    const { candles, quoteVolumeEstimated } = await read('\uFEFF"Close", note ,Open_Time,HIGH,low,open,volume,taker buy,trades\r\n"2",x,1613692800000,3,1,2,10,4,7\r\n\r\n');
    expect(candles).toEqual([{ openTime: T, open: 2, high: 3, low: 1, close: 2, volume: 10, quoteVolume: 20, trades: 7, takerBuy: 4 }]);
    expect(quoteVolumeEstimated).toBe(true);
  });

  const instant = fc.integer({ min: Math.ceil(1e11 / MINUTE), max: Date.UTC(2199, 0) / MINUTE }).map((minutes) => minutes * MINUTE);
  const amount = fc.double({ min: 0, max: 1e9, noNaN: true });
  const price = amount.filter((value) => value > 0);
  const candle = fc.record({ low: price, spread: amount, volume: amount, quoteVolume: amount, trades: fc.nat(), takerBuy: amount })
    .map(({ low, spread, ...rest }) => ({ ...rest, open: low, high: low + spread, low, close: low + spread }));
  test('comes back as it was written, whatever the unit of its times, packed or not', async () => {
    const written = fc.tuple(instant, fc.array(candle, { minLength: 1, maxLength: 5 }), fc.constantFrom('s', 'ms', 'µs', 'ISO', 'space'), fc.boolean());
    await fc.assert(fc.asyncProperty(written, async ([start, rows, unit, packed]) => {
      const candles = rows.map((row, index): Candle => ({ openTime: start + index * MINUTE, ...row }));
      const stamp = (ms: number): string => ({ s: String(ms / 1_000), ms: String(ms), µs: `${ms}000`, ISO: new Date(ms).toISOString(), space: new Date(ms).toISOString().replace('T', ' ').slice(0, 16) })[unit];
      const names = Object.keys(candles[0]!) as (keyof Candle)[];
      const text = [names.join(','), ...candles.map((one) => names.map((name) => (name === 'openTime' ? stamp(one.openTime) : String(one[name]))).join(','))].join('\n');
      expect((await read(packed ? gzipSync(text) : text)).candles).toEqual(candles);
    }), { numRuns: 60 });
  });

  test.each([
    ['time does not increase', `${HEAD}\n${T},1,1,1,1,1\n${T},1,1,1,1,1`, 'candles_malformed', 'line 3: the candle of 2021-02-19T00:00:00.000Z is there twice'],
    ['price is no number', `${HEAD}\n${T},1,1,1,1,1\n${T + MINUTE},1,x,1,1,1`, 'candles_malformed', 'line 3: high "x" is not a number'],
    ['price is empty', `${HEAD}\n${T},,1,1,1,1`, 'candles_malformed', 'line 2: open "" is not a number'],
    ['price is infinite', `${HEAD}\n${T},1,Infinity,1,1,1`, 'candles_malformed', 'line 2: high "Infinity" is not a number'],
    ['price is negative', `${HEAD}\n${T},1,1,-1,1,1`, 'candles_malformed', 'line 2: low "-1" is not a number'],
    ['high does not enclose the close', `${HEAD}\n${T},1,1,1,2,1`, 'candles_malformed', 'line 2: high and low do not enclose open and close'],
    ['row is short', `${HEAD}\n\n${T},1,1,1,1,1\n${T + MINUTE},1`, 'candles_malformed', 'line 4: it has 2 columns where 6'],
    ['time is too small to tell its unit', `${HEAD}\n5,1,1,1,1,1`, 'candles_malformed', 'line 2: openTime "5" is neither'],
    ['date is ambiguous', `${HEAD}\n03/04/2021,1,1,1,1,1`, 'candles_malformed', 'line 2: openTime "03/04/2021" is neither'],
    ['header misses a column', 'date,open,high,low,close\n2021-01-01,1,1,1,1', 'candles_malformed', 'line 1: the column volume is missing'],
    ['header misses the time', 'open,high,low,close,volume\n1,1,1,1,1', 'candles_malformed', 'the column openTime is missing'],
    ['file has a header alone', HEAD, 'candles_malformed', 'no candle'],
    ['file is empty', '', 'candles_malformed', 'no candle'],
    ['quote never ends', `${HEAD}\n"${T},1,1,1,1,1\n`, 'candles_malformed', 'line'],
    ['gzip is torn', gzipSync(`${HEAD}\n${T},1,1,1,1,1`).subarray(0, 30), 'candles_malformed', 'cannot be unpacked'],
  ])('is refused, with the line, when its %s', async (_what, text, code, message) => {
    const error = await refusal(text);
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(message);
  });

  test('must have trades and takerBuy only if they are read', async () => {
    const text = `${HEAD}\n${T},1,1,1,1,1`;
    expect(await refusal(text, ['trades'])).toMatchObject({ code: 'column_missing', field: 'trades' });
    expect((await read(text, ['volume', 'quoteVolume'])).candles).toHaveLength(1);
    expect(await refusal(`${HEAD},trades\n${T},1,1,1,1,1,4\n${T + MINUTE},1,1,1,1,1,`, ['trades'])).toMatchObject({ code: 'column_missing', message: expect.stringContaining('2021-02-19T00:01') as string });
  });

  test('that is not there, or no file, is said to be so', async () => {
    await expect(readCandleFile('none.csv', folder)).rejects.toMatchObject({ code: 'not_found' });
    await expect(readCandleFile('.', folder)).rejects.toMatchObject({ code: 'file_unreadable' });
  });
});

describe('the interval', () => {
  const every = (ms: number, ...holes: number[]) => Array.from({ length: 12 }, (_, index) => T + index * ms).filter((_, index) => !holes.includes(index));
  test.each([
    ['1m', every(MINUTE)], ['1m', every(MINUTE, 3, 7, 8)], ['1d', every(86_400_000, 5, 6)], ['1w', every(7 * 86_400_000)],
    ['1M', Array.from({ length: 8 }, (_, month) => Date.UTC(2021, month))], ['1h', [T, T + 3_600_000, T + 10_800_000]],
    [undefined, every(7 * MINUTE)], [undefined, [T]], [undefined, []],
  ])('is %s by the spacing that most candles have', (interval, openTimes) => {
    expect(intervalOf(openTimes)).toBe(interval);
  });

  test('tells gaps from neighbours, months too', () => {
    expect(gapsIn(every(MINUTE, 3, 7, 8), '1m')).toBe(2);
    expect(gapsIn([Date.UTC(2021, 0), Date.UTC(2021, 1), Date.UTC(2021, 2), Date.UTC(2021, 4)], '1M')).toBe(1);
  });
});
