import { INTERVALS, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ordinalOf, periodOf, type Range } from './calendar.ts';
import { candleAt, columnsOf } from './columns.ts';
import { clip } from './ranges.ts';
import { candlesIn, concat, coverageOf, encodeCandles, encodeGaps, encodeSegment, openHeader, scanSegment, type Segment } from './segment.ts';
import { encodeHeader, HEADER_BYTES } from './segment-header.ts';
import { anyCandles, steadyCandles } from './testing/candles.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const START = Date.UTC(2024, 0, 30);
const PERIOD = periodOf('1m', ordinalOf('1m', START));
const listOf = (segment: Segment, interval: Interval) => {
  const columns = candlesIn(segment, interval);
  return Array.from({ length: columns.length }, (_, index) => candleAt(columns, index));
};
/** An unfinished file of several appends. */
const fileOf = (candles: readonly Candle[], pages = 50) => concat([
  openHeader(KEY, PERIOD), ...Array.from({ length: Math.ceil(candles.length / pages) }, (_, page) => encodeCandles('1m', columnsOf(candles.slice(page * pages, (page + 1) * pages)))).flat(),
]);

describe('a segment', () => {
  test.each(INTERVALS)('gives every %s candle back to the last bit, whatever its doubles', (interval) => {
    fc.assert(fc.property(fc.boolean().chain((sound) => anyCandles(interval, { sound })), (candles) => {
      const bytes = concat([openHeader({ ...KEY, interval }, PERIOD), ...encodeCandles(interval, columnsOf(candles))]);
      const segment = scanSegment(bytes);
      expect(segment.damage).toEqual([]);
      expect(listOf(segment, interval)).toEqual(candles);
    }), { numRuns: 60 });
  });

  test('gives decimals of up to eight digits back as they parse, in fewer bytes than their doubles', () => {
    const decimals = fc.array(fc.tuple(fc.nat(999_999), fc.nat(99_999_999)).map(([a, b]) => `${a}.${String(b).padStart(8, '0')}`), { minLength: 200, maxLength: 200 });
    fc.assert(fc.property(decimals, (texts) => {
      const candles = texts.map((text, i) => ({ ...steadyCandles('1m', START + i * 60_000, 1)[0]!, open: Number(text), close: Number(text), high: Number(text), low: Number(text), volume: Number(text) }));
      const bytes = fileOf(candles, 200);
      expect(listOf(scanSegment(bytes), '1m')).toEqual(candles);
      expect(bytes.byteLength - HEADER_BYTES).toBeLessThan(200 * 8 * 9);
    }), { numRuns: 30 });
  });

  test('keeps blocks of ordinary candles under 24 bytes a candle with all nine columns', () => {
    const candles = steadyCandles('1m', START, 8_000);
    expect(fileOf(candles, 8_000).byteLength / 8_000).toBeLessThan(24);
  });

  test('knows where its candles are and where none ever were', () => {
    const ranges = fc.array(fc.tuple(fc.nat(2_000), fc.integer({ min: 1, max: 30 })).map(([from, length]): Range => ({ from: PERIOD.from + from, to: PERIOD.from + from + length })), { maxLength: 8 });
    fc.assert(fc.property(anyCandles('1m', { from: Date.UTC(2024, 0, 1) }), ranges, (candles, gaps) => {
      const segment = scanSegment(concat([openHeader(KEY, PERIOD), ...encodeGaps(gaps), ...encodeCandles('1m', columnsOf(candles))]));
      const cover = coverageOf(segment);
      const there = new Set(candles.map(({ openTime }) => ordinalOf('1m', openTime)));
      const inside = (among: readonly Range[], ordinal: number) => among.some(({ from, to }) => ordinal >= from && ordinal < to);
      for (let ordinal = PERIOD.from; ordinal < PERIOD.from + 2_100; ordinal++) {
        if (inside(cover.candles, ordinal) !== there.has(ordinal)) throw new Error(`candle ${ordinal}`);
        if (inside(cover.gaps, ordinal) !== (!there.has(ordinal) && inside(gaps, ordinal))) throw new Error(`gap ${ordinal}`);
      }
    }), { numRuns: 60 });
  });
});

describe('damage', () => {
  const candles = steadyCandles('1m', START, 400);
  const kept = (bytes: Uint8Array) => listOf(scanSegment(bytes), '1m');

  test('an end that is cut off anywhere leaves every page before it, and nothing invented', () => {
    const bytes = fileOf(candles);
    fc.assert(fc.property(fc.nat(bytes.byteLength - 1), (size) => {
      const segment = scanSegment(bytes.slice(0, size));
      const left = listOf(segment, '1m');
      expect(left).toEqual(candles.slice(0, left.length));
      expect(left.length % 50).toBe(0);
      // Whatever is left behind the last whole page is told.
      expect(segment.damage.length).toBe(size > 0 && size === segment.intactBytes ? 0 : 1);
      if (segment.damage[0]) expect(segment.damage[0].kind).toBe('torn');
    }), { numRuns: 300 });
  });

  test('bytes changed anywhere are found, and all other pages stay', () => {
    const bytes = fileOf(candles);
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(bytes.byteLength - 1), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 3 }), (changes) => {
      const damaged = bytes.slice();
      for (const [at, by] of changes) damaged[at]! ^= by;
      fc.pre(Buffer.compare(damaged, bytes) !== 0);
      const segment = scanSegment(damaged);
      expect(segment.damage.length).toBeGreaterThan(0);
      const left = listOf(segment, '1m');
      const known = new Map(candles.map((candle) => [candle.openTime, candle]));
      for (const candle of left) expect(candle).toEqual(known.get(candle.openTime));
      expect(left.length).toBeGreaterThanOrEqual(400 - 50 * changes.length);
    }), { numRuns: 300 });
  });

  test('a stretch of zeros, as after a power cut, is found', () => {
    const bytes = fileOf(candles);
    fc.assert(fc.property(fc.nat(bytes.byteLength - 1), fc.integer({ min: 64, max: 4_000 }), (at, length) => {
      const damaged = bytes.slice().fill(0, at, at + length);
      fc.pre(Buffer.compare(damaged, bytes) !== 0);
      expect(scanSegment(damaged).damage.length).toBeGreaterThan(0);
      const known = new Map(candles.map((candle) => [candle.openTime, candle]));
      for (const candle of kept(damaged)) expect(candle).toEqual(known.get(candle.openTime));
    }), { numRuns: 100 });
  });

  test('a finished file that is shorter in any way says so', () => {
    const period = periodOf('1d', ordinalOf('1d', Date.UTC(2024, 0, 1)));
    const days = columnsOf(steadyCandles('1d', Date.UTC(2024, 0, 1), 300));
    const gap = { from: period.from + 300, to: period.to };
    const bytes = encodeSegment({ ...KEY, interval: '1d' }, period, days, clip([gap], period));
    expect(scanSegment(bytes)).toMatchObject({ damage: [], header: { sealed: { candles: 300, gaps: 1 } } });
    fc.assert(fc.property(fc.nat(bytes.byteLength - 1), (size) => { expect(scanSegment(bytes.slice(0, size)).damage.length).toBeGreaterThan(0); }));
    // Cut at the end of a block: each block that is left is whole.
    const cut = bytes.slice(0, scanSegment(bytes).blocks[0]!.payloadAt - 32);
    expect(scanSegment(cut).damage).toEqual([expect.objectContaining({ kind: 'cut' })]);
  });

  test('any bytes at all are looked through without a candle that no one wrote', () => {
    const bits = fc.array(fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(openHeader(KEY, PERIOD), ...encodeCandles('1m', columnsOf(candles.slice(0, 9))), ...encodeGaps([{ from: 1, to: 9 }]))), { maxLength: 8 });
    fc.assert(fc.property(bits, (parts) => {
      for (const candle of kept(concat(parts))) expect(candles.slice(0, 9)).toContainEqual(candle);
    }), { numRuns: 300 });
  });

  test('a file of a later format is refused by its version, and one that is none of ours as damaged', () => {
    expect(scanSegment(Buffer.from('openTime,open,high,low,close,volume\n'.repeat(9))).damage.length).toBeGreaterThan(0);
    const later = encodeHeader({ version: 2, ...KEY, from: PERIOD.from, to: PERIOD.to, sealed: undefined });
    expect(() => scanSegment(later)).toThrow(expect.objectContaining({ code: 'archive_newer' }));
  });
});
