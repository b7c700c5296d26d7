import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Candle, Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { ArchiveWriter, candleAt, CandleArchive, columnsOf, loadHistory, nodeDisk, type CandleColumns } from '@trademind/runtime/archive';
import { readRecordedCandles, recordings } from '../../tests/support/recordings.ts';
import { seeded } from '../frame/chaos.ts';
import type { BenchRow } from '../frame/row.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const MINUTE = 60_000;
const YEAR = 365 * 1_440;
const FROM = Date.UTC(2025, 0, 1);
const RANGE = { from: FROM, to: FROM + YEAR * MINUTE };

/**
 * A year of minutes: a real week of BTCUSDT (2021, a wild one) over and over, each time at another price; where the recordings are absent a random walk. The columns that
 * the recordings lack are made as the exchange has them: eight decimals of quote volume between low and high, trades, six decimals of taker volume.
 */
function year(): CandleColumns {
  const random = seeded(7);
  const folder = recordings('klines');
  const week = folder === null ? walk(random) : readRecordedCandles(folder).get('BTCUSDT')!;
  return columnsOf(Array.from({ length: YEAR }, (_, index): Candle => {
    const { open, high, low, close, volume } = week[index % week.length]!;
    const shift = Math.floor(index / week.length) * 137;
    const price = (at: number) => Math.round((at + shift) * 100) / 100;
    const average = price(low) + (price(high) - price(low)) * random();
    return {
      openTime: FROM + index * MINUTE, open: price(open), high: price(high), low: price(low), close: price(close), volume,
      quoteVolume: Number((volume * average).toFixed(8)), trades: Math.round(volume * (10 + 20 * random())), takerBuy: Number((volume * random()).toFixed(6)),
    };
  }));
}

function walk(random: () => number): Omit<Candle, 'openTime'>[] {
  let price = 5_000_000;
  return Array.from({ length: 10_080 }, () => {
    const open = price;
    price += Math.round((random() + random() - 1) * 6_000);
    const [high, low] = [Math.max(open, price) + Math.round(random() * 3_000), Math.min(open, price) - Math.round(random() * 3_000)];
    return { open: open / 100, high: high / 100, low: low / 100, close: price / 100, volume: Math.round(random() ** 4 * 4e8) / 1e6, quoteVolume: 0, trades: 0, takerBuy: 0 };
  });
}

interface Stored { folder: string; bytes: number }

function store(candles: CandleColumns): Stored {
  const folder = mkdtempSync(join(tmpdir(), 'tm-bench-archive-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: process.pid });
  writer.merge([{ key: KEY, candles, gaps: [] }], { onConflict: 'refuse' });
  writer.close();
  const files = join(folder, KEY.symbol, KEY.interval);
  return { folder, bytes: readdirSync(files).reduce((sum, name) => sum + statSync(join(files, name)).size, 0) };
}

/** The candle archive: how fast a year comes back into the engine, and how much room a candle takes. */
export function rows(): BenchRow[] {
  let nine: Stored | undefined;
  const candles = year();
  return [
    {
      id: 'market.archive', unit: 'ms', must: 60, runs: 21,
      what: 'a year of one-minute candles (525,600, all nine columns) from the archive into the engine\'s candle store: read, checked, decoded, handed over',
      measure: () => {
        nine ??= store(candles);
        const began = performance.now();
        const engine = new CandleStore({ capacity: () => YEAR });
        const { loaded } = loadHistory(new CandleArchive(nine.folder, nodeDisk), KEY, RANGE, engine);
        const took = performance.now() - began;
        const ends = [engine.series(KEY.symbol, KEY.interval)?.at(0), engine.last(KEY.symbol, KEY.interval)];
        if (loaded !== YEAR || JSON.stringify(ends) !== JSON.stringify([candleAt(candles, 0), candleAt(candles, YEAR - 1)])) throw new Error('What came back is not what was stored.');
        return Promise.resolve(took);
      },
    },
    {
      id: 'market.archive-columns', unit: 'ms', must: 60, runs: 21, what: 'the same into columns (Float64Array), without the engine',
      measure: () => {
        nine ??= store(candles);
        const began = performance.now();
        const { candles: columns } = new CandleArchive(nine.folder, nodeDisk).read(KEY, RANGE);
        const took = performance.now() - began;
        if (columns.length !== YEAR) throw new Error('What came back is not what was stored.');
        return Promise.resolve(took);
      },
    },
    {
      id: 'market.archive-bytes', unit: 'bytes', must: 30, runs: 1, what: 'on disk for a one-minute candle with all nine columns',
      measure: () => Promise.resolve((nine ??= store(candles)).bytes / YEAR),
    },
    {
      id: 'market.archive-ohlcv-bytes', unit: 'bytes', must: 16, runs: 1, what: 'on disk for a one-minute candle with open time, OHLC and volume',
      measure: () => {
        const absent = new Float64Array(YEAR).fill(Number.NaN);
        return Promise.resolve(store({ ...candles, quoteVolume: absent, trades: absent, takerBuy: absent }).bytes / YEAR);
      },
    },
  ];
}
