import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TradeMindError, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemWall } from '../time.ts';
import { CandleArchive } from './archive.ts';
import { candleAt, columnsOf, type CandleColumns } from './columns.ts';
import { nodeDisk } from './disk.ts';
import { download, type DownloadResult, type Progress } from './download.ts';
import { repairSeries } from './repair.ts';
import { insisting } from './retry.ts';
import type { CandleSource } from './source.ts';
import { exchangeOf, type Fault } from './testing/exchange.ts';
import { steadyCandles } from './testing/candles.ts';
import { verifySeries } from './verify.ts';
import { ArchiveWriter } from './writer.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const MINUTE = 60_000;
const START = Date.UTC(2024, 1, 28);
const at = (index: number) => START + index * MINUTE;
const CANDLES = steadyCandles('1m', START, 4_000);
const quiet = new AbortController().signal;

let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'tm-download-')); });
afterEach(() => rmSync(folder, { recursive: true }));

const archive = () => new CandleArchive(folder, nodeDisk);
const stored = () => {
  const { candles } = archive().read(KEY);
  return Array.from({ length: candles.length }, (_, index) => candleAt(candles, index));
};
async function writing<T>(write: (writer: ArchiveWriter) => Promise<T> | T): Promise<T> {
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: process.pid });
  try {
    return await write(writer);
  } finally {
    writer.close();
  }
}
const fetched = (source: CandleSource, range: { from: number; to: number }, options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void; keys?: { symbol: string; interval: Interval }[] } = {}): Promise<DownloadResult> =>
  writing((writer) => download({ writer, source, keys: options.keys ?? [KEY], range, concurrency: 3, signal: options.signal ?? quiet, onProgress: options.onProgress ?? (() => undefined) }));

describe('a download', () => {
  test('stores what the exchange has, once, and asks for nothing twice', async () => {
    const source = exchangeOf(CANDLES);
    const seen: Progress[] = [];
    expect(await fetched(source, { from: START, to: at(3_500) }, { onProgress: (progress) => seen.push({ ...progress }) })).toEqual({ candles: 3_500, gaps: 0, empty: [], failed: [] });
    expect(stored()).toEqual(CANDLES.slice(0, 3_500));
    expect(seen.at(-1)).toMatchObject({ done: 3_500, total: 3_500, series: 1, seriesPlanned: 1 });
    const calls = source.calls;
    expect(await fetched(source, { from: START, to: at(3_500) })).toEqual({ candles: 0, gaps: 0, empty: [], failed: [] });
    expect(source.calls).toBe(calls);
  });

  test('leaves a candle that closed a moment ago for the next time: the exchange may still be adding its last trades', async () => {
    const all = { from: START, to: Infinity };
    // What it says of the last candle 1.9 s after its close is not yet all.
    const early = exchangeOf(CANDLES.slice(0, 101).map((candle, index) => (index === 99 ? { ...candle, volume: 0.5 } : candle)), { now: at(100) + 1_900 });
    expect(await fetched(early, all)).toMatchObject({ candles: 99 });
    expect(await fetched(exchangeOf(CANDLES.slice(0, 101), { now: at(100) + 2_000 }), all)).toMatchObject({ candles: 1 });
    expect(stored()).toEqual(CANDLES.slice(0, 100));
  });

  test('fills any holes that ranges asked for before have left', async () => {
    await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.nat(3_999), fc.nat(3_999)), { minLength: 1, maxLength: 5 }), async (ranges) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      for (const [a, b] of [...ranges, [0, 4_000] as const]) await fetched(exchangeOf(CANDLES), { from: at(Math.min(a, b)), to: at(Math.max(a, b)) });
      expect(stored()).toEqual(CANDLES);
      expect(verifySeries(archive(), KEY).problems).toEqual([]);
    }), { numRuns: 15 });
  });

  test('leaves out the candle under way, and what is before the first candle of a young symbol', async () => {
    const now = at(50) + 20_000;
    const result = await fetched(exchangeOf(CANDLES.slice(10, 51), { now }), { from: START, to: at(4_000) });
    expect(result).toEqual({ candles: 40, gaps: 0, empty: [], failed: [] });
    expect(stored()).toEqual(CANDLES.slice(10, 50));
    expect(archive().read(KEY)).toMatchObject({ gaps: [], missing: [] });
  });

  test('marks a halt by the exchange\'s own answer, not its end that may still come', async () => {
    const halted = [...CANDLES.slice(0, 700), ...CANDLES.slice(760, 1_500)];
    const now = at(1_600) + 5_000;
    expect(await fetched(exchangeOf(halted, { now }), { from: START, to: at(4_000) })).toEqual({ candles: 1_440, gaps: 60 + 40, empty: [], failed: [] });
    expect(archive().read(KEY, { from: START, to: at(1_600) })).toMatchObject({
      gaps: [{ from: at(700), to: at(760) }, { from: at(1_500), to: at(1_540) }], missing: [{ from: at(1_540), to: at(1_600) }],
    });
    // An hour later the end is known too, or it has come.
    expect(await fetched(exchangeOf([...halted, ...CANDLES.slice(1_540, 1_600)], { now }), { from: START, to: at(1_600) })).toEqual({ candles: 60, gaps: 0, empty: [], failed: [] });
    expect(archive().read(KEY, { from: START, to: at(1_600) }).missing).toEqual([]);
  });

  test('believes no answer that leaves candles out once', async () => {
    const faults: fc.Arbitrary<Fault> = fc.constantFrom<Fault>(
      (call, rows) => (call % 2 === 0 ? rows.filter((_, index) => index % 7 !== 3) : undefined),
      (call, rows) => (call % 2 === 1 ? rows.slice(0, 400) : undefined),
      (call) => (call % 3 === 1 ? [] : undefined),
      (call, rows) => (call === 1 ? rows.slice(200) : undefined),
    );
    await fc.assert(fc.asyncProperty(faults, async (fault) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      await fetched(exchangeOf(CANDLES, { fault }), { from: START, to: at(4_000) });
      const { gaps } = archive().read(KEY);
      expect(gaps).toEqual([]);
    }), { numRuns: 12 });
  });

  test('ends in the middle without loss and goes on', async () => {
    const ending = new AbortController();
    const stopped = fetched(exchangeOf(CANDLES), { from: START, to: at(4_000) }, { signal: ending.signal, onProgress: ({ done }) => { if (done > 1_500) ending.abort(new Error('stop')); } });
    await expect(stopped).rejects.toThrow('stop');
    const kept = stored();
    expect(kept.length).toBeGreaterThan(1_000);
    expect(kept.length).toBeLessThan(4_000);
    await fetched(exchangeOf(CANDLES), { from: START, to: at(4_000) });
    expect(stored()).toEqual(CANDLES);
  });

  test('goes on with the others when one symbol is refused, and ends when the exchange is away', async () => {
    const refused = new TradeMindError({ code: 'exchange_refused', message: 'Invalid symbol.' });
    const source = exchangeOf(CANDLES);
    const picky: CandleSource = { ...source, klines: async (symbol, ...rest) => { if (symbol === 'NOPE') throw refused; return source.klines(symbol, ...rest); } };
    const nope = { symbol: 'NOPE', interval: '1m' as Interval };
    expect(await fetched(picky, { from: START, to: at(100) }, { keys: [nope, KEY] })).toEqual({ candles: 100, gaps: 0, empty: [], failed: [{ key: nope, error: refused }] });
    expect(stored()).toHaveLength(100);
    const away = new TradeMindError({ code: 'exchange_unreachable', message: 'away' });
    await expect(fetched(exchangeOf(CANDLES, { fault: (call) => (call > 1 ? away : undefined) }), { from: START, to: at(4_000) })).rejects.toBe(away);
    const disordered = exchangeOf(CANDLES, { fault: (_, rows) => rows.toReversed() });
    expect((await fetched(disordered, { from: START, to: at(4_000) })).failed).toMatchObject([{ error: { code: 'exchange_malformed' } }]);
  });
});

test('an exchange that is away for a moment is asked again, one that refuses is not', async () => {
  const away = new TradeMindError({ code: 'exchange_failing', message: 'HTTP 502' });
  const refused = new TradeMindError({ code: 'exchange_refused', message: 'no' });
  const waits: number[] = [];
  const wall = { ...systemWall, random: () => 0 };
  const flaky = exchangeOf(CANDLES, { fault: (call) => (call < 2 ? away : undefined) });
  expect(await insisting({ wall, signal: quiet, onWait: (_, ms) => waits.push(ms) })(() => flaky.klines('BTCUSDT', '1m', START, 2))).toEqual(CANDLES.slice(0, 2));
  expect(waits).toEqual([125, 250]);
  const never = exchangeOf(CANDLES, { fault: () => refused });
  await expect(insisting({ wall, signal: quiet })(() => never.klines('X', '1m', START, 1))).rejects.toBe(refused);
  expect(never.calls).toBe(1);
  const ended = new AbortController();
  const gone = exchangeOf(CANDLES, { fault: () => away });
  const waiting = insisting({ wall, signal: ended.signal, onWait: () => ended.abort(new Error('over')) })(() => gone.klines('X', '1m', START, 1));
  await expect(waiting).rejects.toThrow('over');
});

describe('verify and repair', () => {
  const path = (period: string) => join(folder, 'BTCUSDT', '1m', `${period}.candles`);
  const repaired = (candles: readonly Candle[], complete = false) => writing((writer) => repairSeries(KEY, { writer, source: exchangeOf(candles), signal: quiet, complete }));
  const write = (candles: CandleColumns) => writing((writer) => writer.append(KEY, candles));

  test('whatever was done to the files, repair brings back what the exchange has', async () => {
    const harm = fc.record({ byte: fc.nat(60_000), cut: fc.option(fc.nat(60_000)), period: fc.constantFrom('2024-02', '2024-03') });
    await fc.assert(fc.asyncProperty(fc.array(harm, { minLength: 1, maxLength: 4 }), async (harms) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      await writing((writer) => { for (let from = 0; from < 4_000; from += 250) writer.append(KEY, columnsOf(CANDLES.slice(from, from + 250))); });
      for (const { byte, cut, period } of harms) {
        const bytes = readFileSync(path(period));
        bytes[byte % bytes.length]! ^= 0x55;
        writeFileSync(path(period), cut === null ? bytes : bytes.subarray(0, Math.max(1, bytes.length - (cut % bytes.length))));
      }
      expect(verifySeries(archive(), KEY).problems.length).toBeGreaterThan(0);
      await repaired(CANDLES);
      expect(verifySeries(archive(), KEY).problems).toEqual([]);
      // What was cut off at the very end, or stood in a lost header, may be gone without a trace: a download brings it.
      await fetched(exchangeOf(CANDLES), { from: START, to: at(4_000) });
      expect(stored()).toEqual(CANDLES);
    }), { numRuns: 25 });
  });

  test.each([0.3, 0.6, 0.99])('a finished file that was cut to %f of its length is whole again, though nothing follows it', async (part) => {
    const year = { symbol: 'BTCUSDT', interval: '1h' as Interval };
    const hours = steadyCandles('1h', Date.UTC(2023, 0, 1), 365 * 24);
    await writing((writer) => writer.append(year, columnsOf(hours)));
    const file = join(folder, 'BTCUSDT', '1h', '2023.candles');
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)));
    await writing((writer) => repairSeries(year, { writer, source: exchangeOf(hours, { now: Date.UTC(2024, 5, 1) }), signal: quiet, complete: false }));
    expect(archive().read(year).candles.openTime).toHaveLength(365 * 24);
    expect(archive().isFinished(year, '2023')).toBe(true);
  });

  test('missing candles are named, fetched, or marked where the exchange has none', async () => {
    const has = CANDLES.filter((_, index) => index < 300 || index >= 320);
    await write(columnsOf(CANDLES.filter((_, index) => (index < 100 || index >= 110) && (index < 300 || index >= 320))));
    expect(verifySeries(archive(), KEY)).toMatchObject({ candles: 3_970, problems: [{ code: 'missing', count: 30, ranges: [{ from: at(100), to: at(110) }, { from: at(300), to: at(320) }] }] });
    expect(await repaired(has)).toMatchObject({ added: 10, replaced: 0, gaps: 20 });
    expect(verifySeries(archive(), KEY)).toMatchObject({ problems: [], gaps: [{ from: at(300), to: at(320) }] });
    expect(stored()).toEqual(has);
  });

  test('a candle that cannot be is named and replaced by the exchange\'s', async () => {
    await write(columnsOf(CANDLES.map((candle, index) => (index === 77 ? { ...candle, high: candle.low / 2 } : candle))));
    expect(verifySeries(archive(), KEY).problems).toEqual([{ code: 'impossible', count: 1, openTimes: [at(77)] }]);
    expect(await repaired(CANDLES)).toMatchObject({ added: 0, replaced: 1 });
    expect(stored()).toEqual(CANDLES);
  });

  test('columns that a source did not have are counted, and completed only where the candle is the exchange\'s own', async () => {
    const bare = CANDLES.slice(0, 500).map((candle, index) => ({ ...candle, quoteVolume: Number.NaN, trades: Number.NaN, takerBuy: Number.NaN, close: index === 9 ? candle.low : candle.close }));
    await write(columnsOf(bare));
    expect(verifySeries(archive(), KEY)).toMatchObject({ absent: { quoteVolume: 500, trades: 500, takerBuy: 500 }, problems: [] });
    expect(await repaired(CANDLES)).toMatchObject({ added: 0, replaced: 0 });
    expect(await repaired(CANDLES, true)).toMatchObject({ added: 0, replaced: 499 });
    expect(stored()).toEqual(CANDLES.slice(0, 500).map((candle, index) => (index === 9 ? bare[9] : candle)));
  });
});
