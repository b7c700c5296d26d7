import { existsSync } from 'node:fs';
import { codeOf, sentenceOf, type Candle, type Interval } from '@trademind/core';
import type { Log } from '../log.ts';
import { agrees, isCandle } from '../market/candle-check.ts';
import type { StoredCandles } from '../market/stored-history.ts';
import { CandleArchive } from './archive.ts';
import { ordinalFrom, periodsOf, type Range } from './calendar.ts';
import { allocateColumns, candleAt } from './columns.ts';
import { nodeDisk, type Disk } from './disk.ts';
import { candlesWithin } from './merge.ts';
import { clip } from './ranges.ts';
import { coverageOf, decodeBlocks, type SeriesKey } from './segment.ts';

/**
 * What a machine's start takes from an archive: of every file that which matches its checksum, and of that the candles that an exchange may have given with all their columns. All else counts as not
 * there: a torn end, a damaged block or file, a candle of a source without quote volume, trades or taker volume. Nothing is written or locked, so that another process may fill the archive meanwhile.
 */
export class ArchivedCandles implements StoredCandles {
  readonly #archive: CandleArchive;
  readonly #log: Log;
  readonly #said = new Set<string>();

  constructor(folder: string, log: Log, disk: Disk = nodeDisk) {
    this.#archive = new CandleArchive(folder, disk);
    this.#log = log;
  }

  /** The archive in a folder; undefined where there is none. */
  static in(folder: string | undefined, log: Log): ArchivedCandles | undefined {
    return folder !== undefined && existsSync(folder) ? new ArchivedCandles(folder, log) : undefined;
  }

  read(symbol: string, interval: Interval, { from, until }: { from: number; until: number }): { candles: Candle[]; gaps: Range[] } {
    const key = { symbol, interval };
    const found: { candles: Candle[]; gaps: Range[] } = { candles: [], gaps: [] };
    for (const { period, range } of periodsOf(interval, { from: ordinalFrom(interval, from), to: ordinalFrom(interval, until) })) {
      try {
        this.#readPeriod(key, period.name, range, found);
      } catch (error) {
        this.#say(codeOf(error), `The archive's candles of ${symbol} ${interval} cannot be used: ${sentenceOf(error)}`);
      }
    }
    return found;
  }

  #readPeriod(key: SeriesKey, period: string, range: Range, { candles, gaps }: { candles: Candle[]; gaps: Range[] }): void {
    const { interval } = key;
    const segment = this.#archive.segment(key, period);
    if (!segment) return;
    if (segment.damage.some(({ kind }) => kind !== 'torn')) this.#say('archive_damaged', `${key.symbol} ${interval} ${period} of the candle archive is damaged; what was lost is asked of the exchange. \`npx trademind data verify --repair\` brings the archive in order.`);
    // Whose candles they are is not known then.
    if (!segment.header) return;
    const blocks = segment.blocks.filter(({ first, last }) => last >= range.from && first < range.to);
    const columns = allocateColumns(blocks.reduce((sum, { count }) => sum + count, 0));
    decodeBlocks(segment, interval, blocks, columns, 0);
    const wanted = candlesWithin(interval, columns, range.from, range.to);
    for (let index = 0; index < wanted.length; index++) {
      const candle = candleAt(wanted, index);
      if (isCandle(interval, candle) && agrees(candle)) candles.push(candle);
    }
    gaps.push(...clip(coverageOf(segment).gaps, range));
  }

  /** Each kind of trouble once. */
  #say(code: string, message: string): void {
    if (this.#said.has(code)) return;
    this.#said.add(code);
    this.#log('warn', code, message);
  }
}
