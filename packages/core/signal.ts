import * as z from 'zod/mini';
import { Interval } from './market.ts';

/** A condition as it stood on the signal's candle: whether it held and the numbers it compared. null = not ready. */
export const ConditionReading = z.object({
  name: z.string(),
  expression: z.string(),
  holds: z.nullable(z.boolean()),
  /** The numbers of the expression by their own text, e.g. {expression: "rsi(14)", value: 28.4}. */
  values: z.array(z.object({ expression: z.string(), value: z.nullable(z.number()) })),
});
export type ConditionReading = z.infer<typeof ConditionReading>;

/** Why a signal is not acted upon: the trader's own cool-down or limits. */
export const Suppressed = z.object({
  code: z.enum(['cooldown', 'hourly_limit', 'daily_limit']),
  message: z.string(),
});
export type Suppressed = z.infer<typeof Suppressed>;

/**
 * A match of a trader on a closed candle. Its id is the UUIDv5 of {trader, version, symbol, interval, close time, phase}, so a repeat
 * is the same fact. Times in ms of market time; `closeTime` is the next candle's open time.
 */
export const Signal = z.object({
  id: z.uuid(),
  traderId: z.uuid(),
  traderVersion: z.int(),
  traderName: z.string(),
  symbol: z.string(),
  interval: Interval,
  side: z.enum(['long', 'short']),
  price: z.number(),
  openTime: z.int(),
  closeTime: z.int(),
  /** `forming`: the candle was still under way; it is confirmed by the `closed` signal of the same candle, or taken back by a `withdrawn` one. */
  phase: z.enum(['closed', 'forming', 'withdrawn']),
  /** `history`: found in backfill, before the trader went live: shown, never analysed or traded. */
  origin: z.enum(['live', 'history']),
  conditions: z.array(ConditionReading),
  /** Set where it is kept but not acted upon. */
  suppressed: z.optional(Suppressed),
  /** Symbols whose candles were not there in time, of a trader that looks at other symbols. */
  missing: z.optional(z.array(z.string())),
});
export type Signal = z.infer<typeof Signal>;
