import * as z from 'zod/mini';
import { Interval } from './market.ts';
import { ConditionReading } from './signal.ts';

/** A number that has not settled: how many candles of an interval it has seen, and how many it needs. `elsewhere`: of another interval, another symbol, or of the whole market; the trader's own candles count from then on. */
const Missing = z.object({ expression: z.string(), interval: Interval, elsewhere: z.boolean(), has: z.int(), needs: z.int() });
export type Missing = z.infer<typeof Missing>;

/** A condition as it stands on a closed candle, and what it still waits for. */
const ExplainedCondition = z.extend(ConditionReading, {
  /** Whether all that it reads has settled. */
  ready: z.boolean(),
  missing: z.array(Missing),
  /** How it stands, in words and numbers. */
  sentence: z.string(),
});
export type ExplainedCondition = z.infer<typeof ExplainedCondition>;

/** Why a trader holds on a symbol, or why not. Times in ms of market time; `closeTime` is the next candle's open time. */
export const Explanation = z.object({
  traderId: z.string(),
  traderVersion: z.int(),
  traderName: z.string(),
  side: z.enum(['long', 'short']),
  symbol: z.string(),
  interval: Interval,
  /** The candle spoken of; null before the first. */
  candle: z.nullable(z.object({ openTime: z.int(), closeTime: z.int(), close: z.number() })),
  /** Candles the trader has seen of this symbol since what it reads elsewhere has settled, and how many it needs to settle. */
  seen: z.int(),
  needs: z.int(),
  verdict: z.enum(['matching', 'not matching', 'not ready', 'not in the universe', 'no candles']),
  /** The verdict in a sentence. */
  headline: z.string(),
  conditions: z.array(ExplainedCondition),
  /** All of it in words, a line for the verdict, one for the candle and one for each condition. */
  sentence: z.string(),
});
export type Explanation = z.infer<typeof Explanation>;
