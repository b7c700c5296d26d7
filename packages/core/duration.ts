import * as z from 'zod/mini';
import { intervalClose, type Interval } from './market.ts';

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const YEAR_MS = 365 * UNIT_MS.d;

/** A length of time: `90s`, `15m`, `4h`, `2d`, `1w`; at most 365 days. */
export const Duration = z.string('a duration such as 15m, 4h or 2d').check(
  z.regex(/^[1-9]\d{0,7}[smhdw]$/, 'a duration such as 15m, 4h or 2d'),
  z.refine((text) => durationMs(text) <= YEAR_MS, 'at most 365 days'),
);
export type Duration = z.infer<typeof Duration>;

/** A stretch of market time: a duration, or so many candles of the trader's interval. */
export const Span = z.union([Duration, z.strictObject({ candles: z.int().check(z.gte(0), z.lte(10_000)) })], 'a duration such as 15m, 4h or 2d, or {candles: n}');
export type Span = z.infer<typeof Span>;

/** Length in ms of a text that `Duration` accepts. */
export const durationMs = (text: Duration): number => Number(text.slice(0, -1)) * UNIT_MS[text.at(-1) as keyof typeof UNIT_MS];

/** The instant (ms) at which a span ends that began at `from`, the close of a candle of `interval`. */
export function spanEnd(span: Span, interval: Interval, from: number): number {
  if (typeof span === 'string') return from + durationMs(span);
  let end = from;
  for (let candle = 0; candle < span.candles; candle++) end = intervalClose(interval, end);
  return end;
}
