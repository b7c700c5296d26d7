import type { CandleArchive } from './archive.ts';
import { openTimeOf } from './calendar.ts';
import { span, subtract } from './ranges.ts';
import type { SeriesKey } from './segment.ts';

/** A series at a glance. Times in ms; null where there is no candle. */
export interface SeriesSummary extends SeriesKey {
  from: number | null;
  /** End of the last candle. */
  to: number | null;
  candles: number;
  /** Candles that the exchange never had, between the first and the last. */
  gaps: number;
  /** Candles between the first and the last that the archive does not know. */
  missing: number;
  bytes: number;
  /** The last file ends half-written: there may have been more. */
  torn: boolean;
}

/** Reads headers, and of unfinished files the whole; what lies in finished ones is not checked: see `verifySeries`. */
export function summarize(archive: CandleArchive, key: SeriesKey): SeriesSummary {
  const { candles, gaps } = archive.coverage(key);
  const [first, last] = [candles[0], candles.at(-1)];
  const bytes = archive.periods(key).reduce((sum, period) => sum + (archive.disk.head(archive.path(key, period), 0)?.size ?? 0), 0);
  const torn = archive.tornAt(key) !== undefined;
  if (!first || !last) return { ...key, from: null, to: null, candles: 0, gaps: 0, missing: 0, bytes, torn };
  const whole = [{ from: first.from, to: last.to }];
  const absent = subtract(whole, candles);
  const missing = span(subtract(absent, gaps));
  return {
    ...key, from: openTimeOf(key.interval, first.from), to: openTimeOf(key.interval, last.to),
    candles: span(candles), gaps: span(absent) - missing, missing, bytes, torn,
  };
}
