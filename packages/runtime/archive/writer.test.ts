import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { intervalClose, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CandleArchive } from './archive.ts';
import { ordinalOf, periodOf } from './calendar.ts';
import { candleAt, columnsOf, type CandleColumns } from './columns.ts';
import { nodeDisk, type Disk } from './disk.ts';
import { faultyDisk, Killed } from './testing/faulty-disk.ts';
import { anyCandles, steadyCandles } from './testing/candles.ts';
import { ArchiveWriter, type Healed } from './writer.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const MINUTE = 60_000;
/** Half a day before February ends in a leap year. */
const START = Date.UTC(2024, 1, 29, 12);

let folder: string;
let healed: Healed[];
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'tm-archive-')); healed = []; });
afterEach(() => rmSync(folder, { recursive: true }));

const open = (disk: Disk = nodeDisk) => new ArchiveWriter(folder, { disk, pid: process.pid, onHealed: (one) => { healed.push(one); } });
function writing<T>(write: (writer: ArchiveWriter) => T, disk: Disk = nodeDisk): T {
  const writer = open(disk);
  try {
    return write(writer);
  } finally {
    writer.close();
  }
}
const archive = () => new CandleArchive(folder, nodeDisk);
const listed = (columns: CandleColumns) => Array.from({ length: columns.length }, (_, index) => candleAt(columns, index));
const stored = (key = KEY) => listed(archive().read(key).candles);
const appendPages = (writer: ArchiveWriter, candles: readonly Candle[], page: number, key = KEY) => {
  for (let at = 0; at < candles.length; at += page) writer.append(key, columnsOf(candles.slice(at, at + page)));
};
const pathOf = (period: string) => join(folder, 'BTCUSDT', '1m', `${period}.candles`);

describe('an archive', () => {
  test('gives back what was appended, across months, however the pages fall', () => {
    fc.assert(fc.property(anyCandles('1m', { sound: true, from: Date.UTC(2024, 1, 29, 23) }), fc.integer({ min: 1, max: 120 }), (candles, page) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      writing((writer) => appendPages(writer, candles, page));
      if (candles.length === 0) return;
      expect(stored()).toEqual(candles);
      expect([...archive().candles(KEY)]).toEqual(candles);
    }), { numRuns: 40 });
  });

  test('gives back what was merged in any order and more than once', () => {
    fc.assert(fc.property(anyCandles('1h', { sound: true, from: Date.UTC(2023, 11, 30), maxLength: 80 }), fc.array(fc.tuple(fc.nat(80), fc.nat(80)), { maxLength: 6 }), (candles, parts) => {
      const key = { symbol: 'ETHUSDT', interval: '1h' as Interval };
      rmSync(join(folder, 'ETHUSDT'), { recursive: true, force: true });
      writing((writer) => {
        for (const [a, b] of parts) writer.merge([{ key, candles: columnsOf(candles.slice(Math.min(a, b), Math.max(a, b))), gaps: [] }], { onConflict: 'refuse' });
        for (const [a, b] of parts) writer.append(key, columnsOf(candles.slice(Math.min(a, b), Math.max(a, b))));
        writer.append(key, columnsOf(candles));
      });
      if (candles.length > 0) expect(stored(key)).toEqual(candles);
    }), { numRuns: 40 });
  });

  test('gives any range of it, with what is a gap and what is missing in it', () => {
    const candles = steadyCandles('1m', START, 2_000).filter((_, index) => (index < 100 || index >= 160) && index !== 300);
    writing((writer) => {
      writer.append(KEY, columnsOf(candles));
      writer.append(KEY, columnsOf([]), [{ from: ordinalOf('1m', START) + 100, to: ordinalOf('1m', START) + 160 }]);
    });
    const at = (index: number) => START + index * MINUTE;
    expect(archive().read(KEY)).toMatchObject({ gaps: [{ from: at(100), to: at(160) }], missing: [{ from: at(300), to: at(301) }] });
    fc.assert(fc.property(fc.integer({ min: -50, max: 2_050 }), fc.nat(2_100), (from, length) => {
      const range = { from: at(from), to: at(from + length) };
      const wanted = candles.filter(({ openTime }) => openTime >= range.from && openTime < range.to);
      const history = archive().read(KEY, range);
      expect(listed(history.candles)).toEqual(wanted);
      const covered = [...history.gaps, ...history.missing].reduce((sum, { from: a, to: b }) => sum + (b - a) / MINUTE, wanted.length);
      expect(covered).toBe(length);
    }), { numRuns: 60 });
  });

  test('seals a month once it is complete, with halts counted as known', () => {
    const february = steadyCandles('1m', Date.UTC(2024, 1, 1), 29 * 1_440);
    const halt = [{ from: ordinalOf('1m', february[5_000]!.openTime), to: ordinalOf('1m', february[5_090]!.openTime) }];
    writing((writer) => {
      appendPages(writer, february.slice(0, 5_000), 1_000);
      writer.append(KEY, columnsOf([]), halt);
      appendPages(writer, february.slice(5_090), 1_000);
    });
    const segment = archive().segment(KEY, '2024-02')!;
    expect(segment.header!.sealed).toEqual({ candles: 29 * 1_440 - 90, gaps: 1, bytes: segment.bytes.byteLength });
    expect(segment.blocks.length).toBe(11);
    expect(stored()).toEqual([...february.slice(0, 5_000), ...february.slice(5_090)]);
    expect(archive().read(KEY)).toMatchObject({ missing: [], gaps: [{ from: february[5_000]!.openTime, to: february[5_090]!.openTime }] });
  });

  test('keeps 1m and 1M apart, lists its series, and refuses a symbol that is a path', () => {
    const month = { symbol: 'BTCUSDT', interval: '1M' as Interval };
    writing((writer) => {
      writer.append(month, columnsOf(steadyCandles('1M', Date.UTC(2023, 10, 1), 5)));
      writer.append(KEY, columnsOf(steadyCandles('1m', START, 5)));
      expect(() => writer.append({ symbol: '../x', interval: '1m' }, columnsOf(steadyCandles('1m', START, 1)))).toThrow(expect.objectContaining({ code: 'usage' }));
    });
    expect(archive().series()).toEqual([KEY, month]);
    expect(archive().periods(month)).toEqual(['2023', '2024']);
    expect(stored(month)).toEqual(steadyCandles('1M', Date.UTC(2023, 10, 1), 5));
    expect(() => archive().read({ symbol: 'NONE', interval: '1m' })).toThrow(expect.objectContaining({ code: 'not_found' }));
  });

  test('reads into memory that the caller brings', () => {
    const candles = steadyCandles('1m', START, 100);
    writing((writer) => writer.append(KEY, columnsOf(candles)));
    const shared = (length: number): CandleColumns => {
      const column = () => new Float64Array(new SharedArrayBuffer(length * 8)) as unknown as Float64Array<ArrayBuffer>;
      return { length, openTime: column(), open: column(), high: column(), low: column(), close: column(), volume: column(), quoteVolume: column(), trades: column(), takerBuy: column() };
    };
    const read = archive().read(KEY, {}, shared).candles;
    expect(read.close.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(listed(read)).toEqual(candles);
  });
});

describe('a conflict', () => {
  const candles = steadyCandles('1m', START, 1_500);
  const changed = candles.map((candle, index) => (index === 1_000 ? { ...candle, close: candle.high } : candle));

  test('is refused with nothing changed, or taken over if asked', () => {
    writing((writer) => {
      writer.append(KEY, columnsOf(candles));
      const other = { key: { symbol: 'AUSDT', interval: '1m' as Interval }, candles: columnsOf(candles), gaps: [] };
      expect(() => writer.merge([other, { key: KEY, candles: columnsOf(changed), gaps: [] }], { onConflict: 'refuse' }))
        .toThrow(expect.objectContaining({ code: 'candles_conflict', message: expect.stringContaining(new Date(changed[1_000]!.openTime).toISOString()) }));
      expect(writer.archive.series()).toEqual([KEY]);
      expect(stored()).toEqual(candles);
      expect(writer.merge([{ key: KEY, candles: columnsOf(changed), gaps: [] }], { onConflict: 'new' })).toEqual({ added: 0, replaced: 1 });
    });
    expect(stored()).toEqual(changed);
  });
});

describe('a writer', () => {
  const candles = steadyCandles('1m', START, 3_000);
  const pages = 250;

  test.each(['full', 'kill'] as const)('that meets a disk that is %s keeps what it had, and the next one goes on to the same end', (fault) => {
    fc.assert(fc.property(fc.nat(120_000), (bytes) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      const before = candles.slice(0, 500);
      writing((writer) => writer.append(KEY, columnsOf(before)));
      try {
        writing((writer) => appendPages(writer, candles.slice(500), pages), faultyDisk(bytes, fault));
      } catch (error) {
        if (!(error instanceof Killed)) expect(error).toMatchObject({ code: 'disk_full' });
      }
      const kept = stored();
      expect(kept.slice(0, 500)).toEqual(before);
      expect(kept).toEqual(candles.slice(0, kept.length));
      writing((writer) => appendPages(writer, candles.slice(kept.length), pages));
      expect(stored()).toEqual(candles);
      expect(readdirSync(join(folder, 'BTCUSDT', '1m'))).toEqual(['2024-02.candles', '2024-03.candles']);
    }), { numRuns: 25 });
  });

  test.each(['full', 'kill'] as const)('that merges into a disk that is %s changes nothing by halves', (fault) => {
    const february = steadyCandles('1m', START, 100);
    fc.assert(fc.property(fc.nat(90_000), (bytes) => {
      rmSync(join(folder, 'BTCUSDT'), { recursive: true, force: true });
      writing((writer) => writer.append(KEY, columnsOf(february)));
      const files = () => archive().periods(KEY).map((period) => readFileSync(pathOf(period)));
      const before = files();
      let failed = false;
      try {
        writing((writer) => writer.merge([{ key: KEY, candles: columnsOf(candles), gaps: [] }], { onConflict: 'stored' }), faultyDisk(bytes, fault));
      } catch {
        failed = true;
      }
      if (failed) expect(files()).toEqual(before);
      writing((writer) => writer.merge([{ key: KEY, candles: columnsOf(candles), gaps: [] }], { onConflict: 'stored' }));
      expect(stored()).toEqual([...february, ...candles.slice(100)]);
    }), { numRuns: 20 });
  });

  test('cuts a half-written end off and says so, and sets a damaged file aside with its copy kept', () => {
    writing((writer) => appendPages(writer, candles.slice(0, 700), 100));
    const whole = readFileSync(pathOf('2024-02'));
    writeFileSync(pathOf('2024-02'), whole.subarray(0, whole.length - 7));
    writing((writer) => writer.append(KEY, columnsOf(candles.slice(600, 705))));
    expect(healed).toMatchObject([{ period: '2024-02', keptAs: undefined, damage: [{ kind: 'torn' }] }]);
    expect(stored()).toEqual(candles.slice(0, 705));

    healed.length = 0;
    const damaged = readFileSync(pathOf('2024-02'));
    damaged[2_000]! ^= 1;
    writeFileSync(pathOf('2024-02'), damaged);
    expect(() => stored()).toThrow(expect.objectContaining({ code: 'archive_damaged', nextStep: expect.stringContaining('verify --repair') }));
    writing((writer) => writer.append(KEY, columnsOf(candles.slice(705, 715))));
    expect(healed).toMatchObject([{ period: '2024-02', keptAs: `${pathOf('2024-02')}.damaged`, damage: [{ kind: 'block' }] }]);
    expect(readFileSync(`${pathOf('2024-02')}.damaged`)).toEqual(damaged);
    const lost = archive().read(KEY).missing;
    expect(lost).toHaveLength(1);
    expect(stored()).toEqual(candles.slice(0, 715).filter(({ openTime }) => openTime < lost[0]!.from || openTime >= lost[0]!.to));
  });

  test('seals a month whose last page the one before had stored and no more', () => {
    const year = { symbol: 'BTCUSDT', interval: '1d' as Interval };
    const days = steadyCandles('1d', Date.UTC(2023, 0, 1), 365);
    writing((writer) => writer.append(year, columnsOf(days.slice(0, 360))));
    const size = readFileSync(join(folder, 'BTCUSDT', '1d', '2023.candles')).length;
    // Room for the page, not for the sealed file.
    expect(() => writing((writer) => writer.append(year, columnsOf(days.slice(360))), faultyDisk(size, 'kill'))).toThrow(Killed);
    expect(archive().isFinished(year, '2023')).toBe(false);
    expect(stored(year)).toEqual(days);
    writing((writer) => writer.finish(year, '2023'));
    expect(archive().isFinished(year, '2023')).toBe(true);
    expect(stored(year)).toEqual(days);
  });

  test('takes nothing from a file that was put under another name', () => {
    writing((writer) => writer.append(KEY, columnsOf(candles.slice(0, 10))));
    mkdirSync(join(folder, 'ETHUSDT', '1m'), { recursive: true });
    writeFileSync(join(folder, 'ETHUSDT', '1m', '2024-02.candles'), readFileSync(pathOf('2024-02')));
    expect(() => stored({ symbol: 'ETHUSDT', interval: '1m' })).toThrow(expect.objectContaining({ code: 'archive_damaged' }));
  });

  test('is the only one: a second is told who writes, and a killed one leaves no lock behind', async () => {
    const child = spawn(process.execPath, ['-e', `
      import(${JSON.stringify(join(import.meta.dirname, 'lock.ts'))}).then(({ lockArchive }) => {
        lockArchive(${JSON.stringify(folder)}, process.pid);
        console.log('locked');
        setInterval(() => undefined, 1000);
      })`], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout!, 'data');
    expect(() => open()).toThrow(expect.objectContaining({ code: 'archive_busy', message: expect.stringContaining(`pid ${child.pid}`) }));
    child.kill('SIGKILL');
    await once(child, 'exit');
    writing((writer) => writer.append(KEY, columnsOf(candles.slice(0, 3))));
    expect(stored()).toHaveLength(3);
  });
});

test('a file is a month of short candles, a year of long ones; a week belongs where it opens', () => {
  expect(periodOf('5m', ordinalOf('5m', Date.UTC(2024, 11, 31, 23, 55)))).toMatchObject({ name: '2024-12' });
  for (const interval of ['1h', '1d', '1w', '1M'] as const) {
    const period = periodOf(interval, ordinalOf(interval, Date.UTC(2024, 11, 30)));
    expect(period.name).toBe('2024');
    expect(periodOf(interval, period.to).name).toBe('2025');
    expect(periodOf(interval, period.from - 1).name).toBe('2023');
  }
  expect(intervalClose('1M', Date.UTC(2024, 1, 1))).toBe(Date.UTC(2024, 2, 1));
});
