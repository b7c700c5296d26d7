import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { intervalClose, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CandleArchive } from './archive.ts';
import { candleAt, columnsOf } from './columns.ts';
import { parseInstant } from './csv-columns.ts';
import { readCandleCsv } from './csv-read.ts';
import { columnsPresent, csvHeader, csvRows, decimalText } from './csv-write.ts';
import { nodeDisk } from './disk.ts';
import { importFiles } from './import.ts';
import { anyCandles, steadyCandles } from './testing/candles.ts';
import { zipOf } from './testing/zip.ts';
import { ArchiveWriter } from './writer.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const START = Date.UTC(2024, 11, 31, 23);
const CANDLES = steadyCandles('1m', START, 120);
const BARE = CANDLES.map((candle) => ({ ...candle, quoteVolume: Number.NaN, trades: Number.NaN, takerBuy: Number.NaN }));

const read = (text: string, interval: Interval = '1m'): Candle[] => {
  const columns = readCandleCsv('f.csv', Buffer.from(text), interval);
  return Array.from({ length: columns.length }, (_, index) => candleAt(columns, index));
};
/** A row of Binance's own dump. */
const dumpRow = (candle: Candle, unit: number) => [
  candle.openTime * unit, ...[candle.open, candle.high, candle.low, candle.close, candle.volume].map(decimalText), intervalClose('1m', candle.openTime) * unit - 1,
  decimalText(candle.quoteVolume), candle.trades, decimalText(candle.takerBuy), '0.00000000', 0,
].join(',');
const HEADER = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore';
const generic = (candles: readonly Candle[], time: (ms: number) => string | number, header: string) =>
  [header, ...candles.map(({ openTime, open, high, low, close, volume }) => [time(openTime), open, high, low, close, volume].join(','))].join('\n');

describe('a CSV file', () => {
  test.each([['ms', 1, ''], ['µs', 1_000, ''], ['ms and a header', 1, HEADER], ['µs and a header', 1_000, HEADER]])('of the exchange\'s own, with %s, gives its candles with all nine columns', (_, unit, header) => {
    expect(read(`${header}${header ? '\r\n' : ''}${CANDLES.map((candle) => dumpRow(candle, unit)).join('\r\n')}\r\n`)).toEqual(CANDLES);
  });

  test.each<[string, (ms: number) => string | number]>([
    ['ms', (ms) => ms], ['seconds', (ms) => ms / 1_000], ['ISO', (ms) => new Date(ms).toISOString()], ['a date without zone', (ms) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ')],
    ['quotes', (ms) => `"${new Date(ms).toISOString()}"`], ['an offset', (ms) => `${new Date(ms + 3_600_000).toISOString().slice(0, 19)}+01:00`],
  ])('of any other origin, with times as %s, gives its candles, the columns it lacks being absent', (_, time) => {
    for (const header of ['openTime,open,high,low,close,volume', '\uFEFFDate, Open,High,Low,Close,Volume']) expect(read(generic(CANDLES, time, header))).toEqual(BARE);
  });

  test('may lack values of optional columns here and there, and name its columns in any order', () => {
    const text = 'volume,trades,close,low,high,open,ignored,timestamp\n2,,4,3,6,5,x,1735686000000\n2.5,7,4,3,6,5,y,1735686060000\n';
    expect(read(text)).toEqual([
      { openTime: START, open: 5, high: 6, low: 3, close: 4, volume: 2, quoteVolume: Number.NaN, trades: Number.NaN, takerBuy: Number.NaN },
      { openTime: START + 60_000, open: 5, high: 6, low: 3, close: 4, volume: 2.5, quoteVolume: Number.NaN, trades: 7, takerBuy: Number.NaN },
    ]);
  });

  const rows = (change: (cells: string[], line: number) => string[]) => generic(CANDLES.slice(0, 10), String, 'openTime,open,high,low,close,volume').split('\n').map((row, line) => change(row.split(','), line).join(',')).join('\n');
  test.each<[string, string, RegExp]>([
    ['a cell that is no number', rows((cells, line) => (line === 4 ? cells.with(2, 'n/a') : cells)), /f\.csv, line 5: high "n\/a" is not a number/],
    ['a missing cell', rows((cells, line) => (line === 7 ? cells.slice(0, 5) : cells)), /line 8: it has 5 columns where 6/],
    ['an empty price', rows((cells, line) => (line === 2 ? cells.with(4, '') : cells)), /line 3: close ""/],
    ['a negative volume', rows((cells, line) => (line === 2 ? cells.with(5, '-1') : cells)), /line 3: volume "-1"/],
    ['a high below the close', rows((cells, line) => (line === 2 ? cells.with(2, '0.01') : cells)), /line 3: high and low do not enclose/],
    ['a time between two candles', rows((cells, line) => (line === 3 ? cells.with(0, String(START + 130_000)) : cells)), /line 4: no 1m candle opens at 2024-12-31T23:02:10/],
    ['a repeated candle', rows((cells, line) => (line === 3 ? cells.with(0, String(START + 60_000)) : cells)), /line 4: the candle of .* is there twice/],
    ['rows that descend', rows((cells, line) => (line === 3 ? cells.with(0, String(START)) : cells)), /line 4: .* comes after .*ascend/],
    ['no header', generic(CANDLES.slice(0, 3), String, '').trim(), /line 1: the first line is no header/],
    ['a header without a column', 'openTime,open,high,low,close\n1,1,1,1,1', /line 1: the column volume is missing/],
    ['no candle', 'openTime,open,high,low,close,volume\n\n', /there is no candle/],
    ['a day that is none', 'date,open,high,low,close,volume\n2024-02-30,1,1,1,1,1', /line 2: openTime "2024-02-30" is neither/],
  ])('with %s is refused by its line', (_, text, message) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'candles_malformed', message: expect.stringMatching(message), nextStep: expect.stringContaining('Nothing was imported') }));
  });

  test('of another interval than it is said to be is refused', () => {
    expect(() => read(generic(steadyCandles('5m', START, 9), String, 'openTime,open,high,low,close,volume'))).toThrow(/never closer than 5 × 1m/);
    expect(() => read(generic(CANDLES, String, 'openTime,open,high,low,close,volume'), '5m')).toThrow(/line 3: no 5m candle opens/);
  });

  test('whatever its bytes are, is read or refused, never anything else', () => {
    const bits = fc.array(fc.oneof(fc.constantFrom(',', '\n', '1735686000000', '1', '.5', 'e9', '-', '"', '\r', HEADER, 'openTime,open,high,low,close,volume\n'), fc.string({ maxLength: 4 })), { maxLength: 60 });
    fc.assert(fc.property(bits, (parts) => {
      try {
        read(parts.join(''));
      } catch (error) {
        expect(error).toMatchObject({ code: 'candles_malformed' });
      }
    }), { numRuns: 500 });
  });
});

test('an instant is told by its size or its form, and none is guessed', () => {
  expect([parseInstant('1735686000'), parseInstant('1735686000000'), parseInstant('1735686000000000')]).toEqual([START, START, START]);
  expect(parseInstant('2024-12-31')).toBe(Date.UTC(2024, 11, 31));
  expect(parseInstant('2024-12-31T23:00')).toBe(START);
  for (const text of ['2021-02-19T01:00:00+01:00', '2021-02-18T19:00:00-0500', '2021-02-19 00:00:00 UTC', '1613692800.0']) expect(parseInstant(text)).toBe(Date.UTC(2021, 1, 19));
  for (const text of ['', '12', '0', '-1', '1e12', '99999999', '2021-02-29', '2021-02-30T00:00Z', 'tomorrow', '2024-13-01', '1735686000000001', '2024-12-31T25:00', '31.12.2024']) expect(parseInstant(text)).toBeNaN();
});

describe('a number in CSV', () => {
  test('is written as the exchange does, and comes back to the last bit', () => {
    expect([51_552.61, 0, 1e-8, 1.5e-7, 7_096_934.12345678, 1e21, 0.1 + 0.2].map(decimalText)).toEqual([
      '51552.61000000', '0.00000000', '0.00000001', '0.00000015', '7096934.12345678', '1000000000000000000000.00000000', '0.30000000000000004',
    ]);
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), (value) => {
      const text = decimalText(value);
      expect(Number(text)).toBe(value + 0);
      expect(text).toMatch(/^\d+\.\d{8,}$/);
    }));
  });

  test('makes files that are read back to the same candles', () => {
    fc.assert(fc.property(anyCandles('15m', { sound: true, maxLength: 50 }), (candles) => {
      const possible = candles.filter(({ low, volume, takerBuy, quoteVolume, high }) => low > 0 && high < 1e300 && volume >= 0 && !(takerBuy < 0) && !(quoteVolume < 0) && [volume, takerBuy, quoteVolume].every((value) => Number.isNaN(value) || Number.isFinite(value)));
      fc.pre(possible.length > 0 && possible.every(({ volume }) => !Number.isNaN(volume)));
      const columns = columnsOf(possible);
      const absent = { quoteVolume: possible.filter((c) => Number.isNaN(c.quoteVolume)).length, trades: possible.filter((c) => Number.isNaN(c.trades)).length, takerBuy: possible.filter((c) => Number.isNaN(c.takerBuy)).length };
      const present = columnsPresent([{ candles: columns, absent }]);
      const text = csvHeader(present) + csvRows(columns, present);
      let back: Candle[];
      try {
        back = read(text, '15m');
      } catch (error) {
        // Every candle apart from its neighbours: that is what another interval looks like.
        expect((error as Error).message).toContain('never closer');
        return;
      }
      // A text knows no -0.
      expect(back).toEqual(possible.map((candle) => ({ ...candle, volume: candle.volume + 0, takerBuy: candle.takerBuy + 0, quoteVolume: candle.quoteVolume + 0 })));
    }), { numRuns: 60 });
  });
});

describe('an import', () => {
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'tm-import-')); });
  afterEach(() => rmSync(folder, { recursive: true }));
  const file = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const dump = (candles: readonly Candle[]) => candles.map((candle) => dumpRow(candle, 1_000)).join('\n');
  const imported = async (files: string[], options: { symbol?: string; interval?: Interval; replace?: boolean } = {}) => {
    const writer = new ArchiveWriter(join(folder, 'archive'), { disk: nodeDisk, pid: process.pid });
    try {
      return await importFiles({ writer, files, symbol: options.symbol, interval: options.interval, replace: options.replace ?? false });
    } finally {
      writer.close();
    }
  };
  const stored = (key = KEY) => {
    const { candles } = new CandleArchive(join(folder, 'archive'), nodeDisk).read(key);
    return Array.from({ length: candles.length }, (_, index) => candleAt(candles, index));
  };
  const series = () => new CandleArchive(join(folder, 'archive'), nodeDisk).series();

  test('takes zip, gzip and plain files together, named or told, and may be repeated', async () => {
    const files = [
      file('BTCUSDT-1m-2025-01.zip', zipOf('BTCUSDT-1m-2025-01.csv', Buffer.from(dump(CANDLES.slice(60))))),
      file('BTCUSDT-1m-2024-12-31.csv', dump(CANDLES.slice(0, 40))), file('BTCUSDT-1m-x.csv.gz', gzipSync(dump(CANDLES.slice(30, 61)))),
    ];
    expect(await imported(files)).toMatchObject({ added: 120, known: 0, replaced: 0 });
    expect(stored()).toEqual(CANDLES);
    expect(await imported(files)).toMatchObject({ added: 0, known: 120 });
    await imported([file('any.csv', generic(CANDLES, String, 'openTime,open,high,low,close,volume'))], { symbol: 'ETHUSDT', interval: '1m' });
    expect(stored({ symbol: 'ETHUSDT', interval: '1m' })).toEqual(BARE);
    expect(readdirSync(join(folder, 'archive', 'BTCUSDT', '1m'))).toEqual(['2024-12.candles', '2025-01.candles']);
  });

  test('lists rows that open off the grid, as dumps of 2017 and 2018 have them, and takes all others; nothing else may stand there', async () => {
    const hours = steadyCandles('1h', Date.UTC(2018, 1, 8), 6);
    const late = (candle: Candle) => ({ ...candle, openTime: candle.openTime + 1_694_789 });
    const [a, b, c, d, e, f] = hours as [Candle, Candle, Candle, Candle, Candle, Candle];
    const mixed = file('BTCUSDT-1h-2018-02.csv', dump([a, late(b), late(c), d, e]));
    const alone = file('BTCUSDT-1h-2018-02-10.csv', dump([late({ ...f, openTime: f.openTime + 3_600_000 })]));
    const { files, added } = await imported([mixed, alone]);
    expect(files).toMatchObject([
      { candles: 3, from: a.openTime, to: e.openTime, offGrid: [{ line: 2, openTime: b.openTime + 1_694_789 }, { line: 3, openTime: c.openTime + 1_694_789 }] }, { candles: 0, from: null, to: null, offGrid: [{ line: 1 }] },
    ]);
    expect(added).toBe(3);
    expect(stored({ symbol: 'BTCUSDT', interval: '1h' })).toEqual([a, d, e]);
    // Candles of another interval; a row too soon after the one before; a file of somebody else.
    for (const [name, content] of [['BTCUSDT-1h-x.csv', dump(steadyCandles('30m', a.openTime, 5))], ['BTCUSDT-1h-y.csv', dump([a, late(a)])], ['BTCUSDT-1h-z.csv', generic([a, late(b)], String, 'openTime,open,high,low,close,volume')]] as const) {
      await expect(imported([file(name, content)]), name).rejects.toMatchObject({ code: 'candles_malformed', message: expect.stringContaining('line') });
    }
  });

  test('holds a dump against the checksum that lies beside it', async () => {
    const content = zipOf('BTCUSDT-1m-2025-01.csv', Buffer.from(dump(CANDLES)));
    const path = file('BTCUSDT-1m-2025-01.zip', content);
    file('BTCUSDT-1m-2025-01.zip.CHECKSUM', `${'0'.repeat(64)}  BTCUSDT-1m-2025-01.zip\n`);
    await expect(imported([path])).rejects.toMatchObject({ code: 'candles_malformed', message: expect.stringContaining('BTCUSDT-1m-2025-01.zip.CHECKSUM') });
    file('BTCUSDT-1m-2025-01.zip.CHECKSUM', `${createHash('sha256').update(content).digest('hex')}  BTCUSDT-1m-2025-01.zip\n`);
    expect(await imported([path])).toMatchObject({ added: 120 });
  });

  test('takes nothing at all when one file is wrong', async () => {
    const good = file('BTCUSDT-1m-a.csv', dump(CANDLES.slice(0, 40)));
    const bad: [string, string | Uint8Array, string][] = [
      ['BTCUSDT-1m-b.csv', `${dump(CANDLES.slice(40, 50))}\n1,2`, 'candles_malformed'], ['BTCUSDT-1m-c.zip', zipOf('x.csv', Buffer.from(dump(CANDLES)), 1), 'candles_malformed'],
      ['BTCUSDT-1m-d.zip', zipOf('readme.txt', Buffer.from('hello')), 'candles_malformed'], ['BTCUSDT-1m-e.csv.gz', gzipSync(dump(CANDLES)).subarray(0, 500), 'candles_malformed'],
      ['BTCUSDT-1m-f.csv', dump(CANDLES.map((candle) => ({ ...candle, volume: candle.volume + 1 }))), 'candles_conflict'], ['candles.csv', dump(CANDLES), 'usage'],
    ];
    for (const [name, content, code] of bad) await expect(imported([good, file(name, content)]), name).rejects.toMatchObject({ code });
    await expect(imported([good, join(folder, 'none-1m.csv')], { symbol: 'X', interval: '1m' })).rejects.toMatchObject({ code: 'not_found' });
    expect(series()).toEqual([]);
  });

  test('refuses other values than are stored, and takes them when asked to', async () => {
    await imported([file('BTCUSDT-1m-a.csv', dump(CANDLES))]);
    const other = CANDLES.map((candle, index) => (index === 5 ? { ...candle, volume: candle.volume + 1 } : candle));
    const changed = file('BTCUSDT-1m-b.csv', dump(other));
    await expect(imported([changed])).rejects.toMatchObject({ code: 'candles_conflict', message: expect.stringContaining('2024-12-31T23:05:00') });
    expect(stored()).toEqual(CANDLES);
    expect(await imported([changed], { replace: true })).toMatchObject({ added: 0, known: 119, replaced: 1 });
    expect(stored()).toEqual(other);
  });
});
