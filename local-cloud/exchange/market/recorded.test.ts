import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { recordings } from '../../../tests/support/recordings.ts';
import { formatUnits } from './candle.ts';
import { DAY, HOUR, MINUTE, WEEK } from './intervals.ts';
import { RecordedMarket } from './recorded.ts';
import { readRecordings } from './recordings.ts';
import { chooseShifts, move, weeksOnto, type Stretch } from './shifts.ts';

const scratch = mkdtempSync(join(tmpdir(), 'candles-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const HEADER = 'openTime,open,high,low,close,volume';
const START = Date.UTC(2024, 0, 1);

let count = 0;
function file(content: string | Buffer, name = 'ABCUSDT-1m-test.csv'): string {
  const folder = mkdtempSync(join(scratch, `${count++}-`));
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}
const row = (minute: number, rest = '1.5,2,1,1.75,10') => `${START + minute * MINUTE},${rest}`;
const problem = (path: string) => {
  try {
    readRecordings(path);
    return null;
  } catch (error) {
    return error as Error & { code: string };
  }
};

describe('a file of candles', () => {
  test('keeps its decimals, and says which columns were derived', () => {
    const [recording] = readRecordings(file([HEADER, row(0, '0.00001234,0.00001240,0.00001200,0.00001239,123456789.5')].join('\n')));
    const candle = recording?.candles?.[0];
    expect([candle?.open, candle?.high, candle?.low, candle?.close].map((price) => formatUnits(price ?? 0))).toEqual(['0.00001234', '0.00001240', '0.00001200', '0.00001239']);
    expect(formatUnits(candle?.volume ?? 0n)).toBe('123456789.50000000');
    expect(recording?.derived).toEqual(['quoteVolume', 'trades', 'takerBase', 'takerQuote']);
    expect(Number(formatUnits(candle?.quoteVolume ?? 0n))).toBeCloseTo(123456789.5 * ((0.0000124 + 0.000012 + 0.00001239) / 3), 0);
    expect([candle?.trades, candle?.takerBase]).toEqual([0, 6172839475000000n]);
  });

  test('may be packed, in microseconds, and in the form of the exchange\'s own archive without a header', () => {
    const archive = `${START * 1000},1,2,1,1.5,10,${(START + MINUTE) * 1000 - 1},15.25,42,4,6,0\n`;
    const [recording] = readRecordings(file(gzipSync(archive), 'ABCUSDT-1m-2024-01-01.csv.gz'));
    expect(recording).toMatchObject({ symbol: 'ABCUSDT', derived: [], candles: [{ openTime: START, trades: 42, quoteVolume: 1_525_000_000n, takerBase: 400_000_000n, takerQuote: 600_000_000n }] });
  });

  test.each([
    ['a missing column', ['openTime,open,high,low,close', `${START},1,1,1,1`], 'line 1: the column volume is missing'],
    ['a missing cell', [HEADER, row(0), row(1, '1,2,1,1')], 'line 3: 5 columns where 6 were expected'],
    ['a price that is no number', [HEADER, row(0, '1,x,1,1,1')], 'line 2: high "x" is not a plain decimal'],
    ['a price of zero', [HEADER, row(0, '0,1,0,1,1')], 'line 2: open "0" is not a price'],
    ['a negative volume', [HEADER, row(0, '1,1,1,1,-1')], 'line 2: volume "-1"'],
    ['a high below the close', [HEADER, row(0, '1,1.5,1,1.6,1')], 'line 2: high and low do not enclose'],
    ['a time between minutes', [HEADER, `${START + 1},1,1,1,1,1`], 'does not fall on a whole minute'],
    ['a time that is no number', [HEADER, '2024-01-01,1,1,1,1,1'], 'openTime "2024-01-01"'],
    ['rows out of order', [HEADER, row(1), row(0)], 'line 3: openTime'],
    ['a repeated row', [HEADER, row(1), row(1)], 'must ascend without repeats'],
    ['no row at all', [HEADER], 'no candle'],
  ])('is refused for %s, with file, line and reason', (_, lines, reason) => {
    expect(problem(file(lines.join('\n')))).toMatchObject({ code: 'candles_malformed', message: expect.stringMatching(/^ABCUSDT-1m-test\.csv, line \d+: /) });
    expect(problem(file(lines.join('\n')))?.message).toContain(reason);
  });

  test('is refused for another interval, a strange name, a torn archive, and when it is absent', () => {
    expect(problem(file('x', 'ABCUSDT-5m-test.csv'))?.message).toContain('only 1m candles');
    expect(problem(file('x', 'notes.csv'))?.message).toContain('the name must be');
    expect(problem(file(gzipSync('abc').subarray(0, 12), 'ABCUSDT-1m.csv.gz'))?.message).toContain('cannot be unpacked');
    expect(problem(join(scratch, 'nowhere'))?.code).toBe('candles_not_found');
    expect(problem(mkdtempSync(join(scratch, 'empty-')))?.code).toBe('candles_not_found');
  });

  test('may leave holes: the market has no candle there', () => {
    const market = new RecordedMarket(readRecordings(file([HEADER, row(0), row(1), row(5), row(6), row(9)].join('\n'))), {});
    const present = Array.from({ length: 11 }, (_, i) => market.minute('ABCUSDT', START + i * MINUTE)?.openTime === START + i * MINUTE);
    expect(present.flatMap((is, i) => (is ? [i] : []))).toEqual([0, 1, 5, 6, 9]);
  });

  test('joins the other files of its symbol, and may not overlap them', () => {
    const path = join(file([HEADER, row(2)].join('\n'), 'ABCUSDT-1m-2.csv'), '..');
    writeFileSync(join(path, 'ABCUSDT-1m-1.csv'), [HEADER, row(0), row(1)].join('\n'));
    expect(readRecordings(path)[0]?.candles?.map((candle) => candle.openTime - START)).toEqual([0, MINUTE, 2 * MINUTE]);
    writeFileSync(join(path, 'ABCUSDT-1m-3.csv'), [HEADER, row(1)].join('\n'));
    expect(problem(path)?.message).toContain('overlaps');
  });
});

const at = (text: string) => Date.parse(`${text}Z`);
const stretch = (from: string, days: number): Stretch => ({ from: at(from), to: at(from) + days * DAY });

describe('the shifts', () => {

  test('lay three recordings of different years over each other, on the same days of the week', () => {
    const three = new Map([['BTC', stretch('2021-02-19T00:00', 7)], ['DASH', stretch('2020-09-09T00:00', 7)], ['LTC', stretch('2020-11-08T00:00', 2)]]);
    const wall = at('2026-11-22T23:00');
    const { shifts, origin, window } = chooseShifts(three, wall);
    expect(new Date(origin).toISOString()).toBe('2026-11-16T06:00:00.000Z');
    expect(new Date(window.from).toISOString()).toBe('2026-11-15T00:00:00.000Z');
    for (const [name, recording] of three) {
      const moved = move(recording, shifts[name] ?? 0);
      expect(moved.from).toBeLessThanOrEqual(window.from);
      expect(moved.to).toBeGreaterThanOrEqual(window.to);
    }
  });

  test('give the latest origin that is not after now, by whole weeks, inside every recording', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 7 * 24, max: 60 * 24 })), { minLength: 1, maxLength: 5 }), fc.integer({ min: 0, max: 5000 }), (files, days) => {
      const all = new Map(files.map(([day, hours], i) => [`S${i}`, { from: day * DAY, to: day * DAY + hours * HOUR }]));
      const wall = days * DAY + 1234;
      const { shifts, origin } = chooseShifts(all, wall);
      expect(origin).toBeLessThanOrEqual(wall);
      expect(origin).toBeGreaterThan(wall - WEEK);
      for (const [name, recording] of all) {
        const moved = move(recording, shifts[name] as number);
        expect(Number.isInteger((moved.from - recording.from) / WEEK)).toBe(true);
        expect(moved.from).toBeLessThan(origin);
        expect(moved.to).toBeGreaterThan(origin);
      }
    }));
  });

  test('put the origin of a short recording at 62.5 % of it', () => {
    const { origin, window } = chooseShifts(new Map([['A', { from: 0, to: 8 * HOUR }]]), 10 * HOUR);
    expect(origin - window.from).toBe(5 * HOUR);
  });

  test('are refused when the recordings share no stretch of the week', () => {
    expect(() => chooseShifts(new Map([['A', stretch('2024-01-01T00:00', 1)], ['B', stretch('2024-01-04T00:00', 1)]]), at('2026-01-01T00:00'))).toThrow('A, B');
  });

  test('lay a recording that was added later over the others', () => {
    const window = stretch('2026-11-15T00:00', 2);
    const moved = move(stretch('2019-05-05T00:00', 2), weeksOnto(stretch('2019-05-05T00:00', 2), window));
    expect(moved).toEqual(window);
  });
});

const folder = recordings('klines');
test.skipIf(folder === null)('the real recordings are read whole', () => {
  expect(readRecordings(folder!).map(({ symbol, candles }) => [symbol, candles?.length])).toEqual([['BTCUSDT', 10_080], ['DASHUSDT', 10_080], ['LTCUSDT', 2_880]]);
});
