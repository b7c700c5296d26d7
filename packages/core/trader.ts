import * as z from 'zod/mini';
import { Interval } from './market.ts';

/** Names of conditions, params and lets: what the expression language accepts as an identifier. */
const Name = z.string().check(z.regex(/^[a-z_][a-zA-Z0-9_]{0,63}$/));
const Expression = z.string().check(z.minLength(1), z.maxLength(2_000));

export const Universe = z.strictObject({
  /** Quote asset of the pairs to screen. */
  quote: z._default(z.string().check(z.regex(/^[A-Z0-9]{2,10}$/)), 'USDT'),
  /** Only these symbols; empty = all that the other rules leave. */
  include: z._default(z.array(z.string()).check(z.maxLength(500)), []),
  exclude: z._default(z.array(z.string()).check(z.maxLength(500)), []),
  /** At most so many symbols, the largest by 24 h quote volume first. */
  largest: z._default(z.int().check(z.gte(1), z.lte(500)), 100),
  /** Least quote volume of the last 24 h, by closed candles. */
  minQuoteVolume: z._default(z.number().check(z.gte(0)), 0),
  /** Least whole days since the symbol's first candle. */
  minAgeDays: z._default(z.int().check(z.gte(0), z.lte(10_000)), 0),
});
export type Universe = z.infer<typeof Universe>;

/**
 * A strategy as data. `where` names conditions; `when` says which must hold: all, any, at least n of them, or an expression over their
 * names. Unknown keys are refused, so that a misspelt rule is never silently ignored.
 */
export const TraderDocument = z.strictObject({
  name: z.string().check(z.minLength(1), z.maxLength(80)),
  description: z._default(z.string().check(z.maxLength(2_000)), ''),
  side: z.enum(['long', 'short']),
  /** Interval of the candles screened; absent = the machine's KLINE_INTERVAL. */
  interval: z.optional(Interval),
  /** Numbers that expressions may name. */
  params: z._default(z.record(Name, z.number()), {}),
  /** Named expressions that conditions may use. */
  let: z._default(z.record(Name, Expression), {}),
  universe: z._default(Universe, { quote: 'USDT', include: [], exclude: [], largest: 100, minQuoteVolume: 0, minAgeDays: 0 }),
  /** Named conditions, each an expression that is true or false on a closed candle. */
  where: z.record(Name, Expression).check(z.refine((where) => Object.keys(where).length >= 1, 'name at least one condition')),
  when: z._default(z.union([z.enum(['all', 'any']), z.strictObject({ atLeast: z.int().check(z.gte(1)) }), Expression]), 'all'),
  /** `edge`: a signal when `when` begins to hold; `every-candle`: on each candle on which it holds. */
  repeat: z._default(z.enum(['edge', 'every-candle']), 'edge'),
});
export type TraderDocument = z.infer<typeof TraderDocument>;
/** What a user writes: everything that has a default may be left out. */
export type TraderInput = z.input<typeof TraderDocument>;

/** A stored trader. Editing the document makes a new version; signals name the version that gave them. */
export const Trader = z.object({
  id: z.uuid(),
  name: z.string(),
  version: z.int(),
  enabled: z.boolean(),
  document: TraderDocument,
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Trader = z.infer<typeof Trader>;
