import { codeOf, intervalClose, sentenceOf, type Candle, type Interval } from '@trademind/core';
import type { Log } from '../log.ts';
import { pause, type Wall } from '../time.ts';
import { KLINES_PER_CALL, type BinanceRest } from './binance-rest.ts';
import type { Series } from './binance-websocket-client.ts';
import { sameCandle } from './candle-check.ts';
import type { CandleMark, CandleMarks } from './candle-marks.ts';

/** Every series is looked at once in so much wall time, one after the other. */
const ROUND_MS = 3_600_000;
const LEAST_PAUSE_MS = 1_000;
/** What differs is asked for once more after so long, before it is believed. */
const CONFIRM_MS = 1_000;

export interface CandleAuditOptions {
  rest: Pick<BinanceRest, 'klines'>;
  clock: { now(): number };
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  marks: CandleMarks;
  /** The newest `limit` closed candles that are held of a series, oldest first. */
  held(symbol: string, interval: Interval, limit: number): readonly Candle[];
  onChange(): void;
}

/**
 * Second looks: what is held is compared with what the exchange says of it now, at the lowest priority, and at once where something was
 * doubtful. What differs twice is marked and said; the candle that was screened stays as it was.
 */
export class CandleAudit {
  readonly #options: CandleAuditOptions;
  readonly #due = new Map<string, Series>();
  #looking: Promise<void> | undefined;

  constructor(options: CandleAuditOptions) {
    this.#options = options;
  }

  /** Looks at this series soon: something was said of it that does not fit. */
  soon(symbol: string, interval: Interval): void {
    this.#due.set(`${symbol} ${interval}`, { symbol, interval });
    this.#looking ??= this.#lookAtDue().finally(() => { this.#looking = undefined; });
  }

  /** Goes round all series until the signal ends it. */
  async run(series: () => readonly Series[]): Promise<void> {
    const { signal, wall } = this.#options;
    for (let turn = 0; ; turn++) {
      const all = series();
      if (!(await pause(Math.max(LEAST_PAUSE_MS, ROUND_MS / Math.max(1, all.length)), signal, wall))) break;
      const next = all[turn % Math.max(1, all.length)];
      if (next) await this.#look(next);
    }
    await this.#looking;
  }

  /** Compares all that is held of a series (up to 1,000 candles), and its holes. Rejects with the exchange's error. */
  async compare({ symbol, interval }: Series): Promise<void> {
    const { rest, held, marks } = this.#options;
    const ask = (from: number, until: number) => rest.klines(symbol, interval, from, { until, priority: 'audit' });
    const candles = held(symbol, interval, KLINES_PER_CALL);
    const [first, last] = [candles[0], candles.at(-1)];
    const known = marks.of(symbol, interval);
    if (first && last) {
      const found = this.#differences({ symbol, interval }, candles, await ask(first.openTime, last.openTime), known);
      if (found.length > 0 && await pause(CONFIRM_MS, this.#options.signal, this.#options.wall)) {
        const again = this.#differences({ symbol, interval }, candles, await ask(first.openTime, last.openTime), known);
        for (const mark of found) if (again.some((other) => sameMark(mark, other))) this.#add(mark);
      }
    }
    for (const mark of known) if (mark.kind === 'hole') await this.#lookIntoHole(mark, known, ask);
  }

  async #lookAtDue(): Promise<void> {
    // What comes in one go is looked at in one go.
    if (!(await pause(CONFIRM_MS, this.#options.signal, this.#options.wall))) return;
    for (const [key, series] of this.#due) {
      this.#due.delete(key);
      await this.#look(series);
    }
  }

  async #look(series: Series): Promise<void> {
    const { signal, log } = this.#options;
    try {
      await this.compare(series);
    } catch (error) {
      // The next round looks again; that the exchange is away is said elsewhere.
      if (!signal.aborted) log('info', codeOf(error), `A second look at ${series.symbol} ${series.interval} failed: ${sentenceOf(error)}`);
    }
  }

  /** What the exchange says now against what is held and already marked. */
  #differences({ symbol, interval }: Series, candles: readonly Candle[], rows: readonly Candle[], known: readonly CandleMark[]): CandleMark[] {
    const said = new Map(rows.map((row) => [row.openTime, row]));
    const at = this.#options.clock.now();
    return candles.flatMap((was): CandleMark[] => {
      const { openTime } = was;
      const now = said.get(openTime);
      const marked = known.filter((mark) => mark.openTime === openTime);
      const withdrawn = marked.some(({ kind }) => kind === 'withdrawn');
      if (!now) return withdrawn ? [] : [{ kind: 'withdrawn', symbol, interval, openTime, was, at }];
      const corrected = marked.find((mark) => mark.kind === 'corrected');
      // One that is there again after all is marked as what it is now.
      return sameCandle(now, corrected?.now ?? was) && (corrected || !withdrawn) ? [] : [{ kind: 'corrected', symbol, interval, openTime, was, now, at }];
    });
  }

  async #lookIntoHole(hole: CandleMark & { kind: 'hole' }, known: readonly CandleMark[], ask: (from: number, until: number) => Promise<Candle[]>): Promise<void> {
    const { symbol, interval, openTime, until } = hole;
    for (const now of await ask(openTime, until - 1)) {
      if (known.some((mark) => mark.kind === 'late' && mark.openTime === now.openTime) || intervalClose(interval, now.openTime) > until) continue;
      this.#add({ kind: 'late', symbol, interval, openTime: now.openTime, now, at: this.#options.clock.now() });
    }
  }

  #add(mark: CandleMark): void {
    const { marks, log, onChange } = this.#options;
    marks.add(mark);
    const what = { corrected: 'has corrected', withdrawn: 'no longer has', late: 'has brought late', hole: 'does not have', 'off-grid': 'has begun at another time' }[mark.kind];
    log('warn', `candle_${mark.kind}`, `The exchange ${what} the ${mark.interval} candle of ${mark.symbol} at ${new Date(mark.openTime).toISOString()}; what was screened stays as it was, the mark says the difference.`, { mark });
    onChange();
  }
}

function sameMark(a: CandleMark, b: CandleMark): boolean {
  return a.kind === b.kind && a.openTime === b.openTime && (a.kind !== 'corrected' || b.kind !== 'corrected' || sameCandle(a.now, b.now));
}
