import * as z from 'zod/mini';
import { Span } from './duration.ts';
import { Execution, Expression, said } from './execution.ts';
import { Interval } from './market.ts';

/** Names of conditions, params and lets: what the expression language accepts as an identifier. */
const Name = z.string().check(z.regex(/^[a-z_][a-zA-Z0-9_]{0,63}$/, 'a name begins with a small letter or _ and has at most 64 letters, digits and _'));

/** A number that expressions may name, and within which bounds it may be changed. */
const Param = z.union([
  z.number(),
  z.strictObject({
    value: z.number(), min: z.optional(z.number()), max: z.optional(z.number()), step: z.optional(z.number().check(z.gt(0))),
  }).check(z.refine(({ value, min = -Infinity, max = Infinity }) => min <= value && value <= max, 'value must lie between min and max')),
], 'a number, or {value, min, max, step}');

export const Universe = z.strictObject({
  /** Quote asset of the pairs to screen. */
  quote: said('Quote asset of the pairs to screen.', z._default(z.string().check(z.regex(/^[A-Z0-9]{2,10}$/)), 'USDT')),
  include: said('Only these symbols; empty = all that the other rules leave.', z._default(z.array(z.string()).check(z.maxLength(500)), [])),
  exclude: said('Never these symbols.', z._default(z.array(z.string()).check(z.maxLength(500)), [])),
  largest: said('At most so many symbols, the largest by 24 h quote volume first.', z._default(z.int().check(z.gte(1), z.lte(500)), 100)),
  minQuoteVolume: said('Least quote volume of the last 24 h, by closed candles.', z._default(z.number().check(z.gte(0)), 0)),
  minAgeDays: said("Least whole days since the symbol's first candle.", z._default(z.int().check(z.gte(0), z.lte(10_000)), 0)),
});
export type Universe = z.infer<typeof Universe>;

/** How many of a trader's matches become signals that are acted upon; those beyond are kept, marked `suppressed`. */
const Limits = z.strictObject({
  perHour: said('Signals in any hour of market time, all symbols together.', z._default(z.int().check(z.gte(1), z.lte(10_000)), 60)),
  perDay: said('Signals in any 24 h of market time, all symbols together.', z._default(z.int().check(z.gte(1), z.lte(100_000)), 500)),
});

const Analysis = z.strictObject({
  enabled: said('Whether signals are analysed by the model.', z._default(z.boolean(), true)),
  model: said("Id of the model; absent = the machine's.", z.optional(z.string().check(z.regex(/^[a-z0-9][a-z0-9.-]{0,63}$/)))),
  minConfidence: said('Decisions below this confidence (0 to 100) are not acted upon.', z._default(z.number().check(z.gte(0), z.lte(100)), 60)),
  priority: said('Who goes first when there is more to analyse than time: 9 before 0.', z._default(z.int().check(z.gte(0), z.lte(9)), 5)),
});

/**
 * A strategy as data. `where` names conditions; `when` says which must hold: all, any, at least n of them, or an expression over their
 * names. Unknown keys are refused, so that a misspelt rule is never silently ignored. Spans and limits count market time.
 */
export const TraderDocument = z.strictObject({
  name: said('Its name; a second trader of yours cannot have the same.', z.string().check(z.minLength(1), z.maxLength(80))),
  description: said('What it looks for, in words.', z._default(z.string().check(z.maxLength(2_000)), '')),
  side: said('Which way it trades.', z.enum(['long', 'short'])),
  interval: said("Interval of the candles screened; absent = the machine's KLINE_INTERVAL.", z.optional(Interval)),
  candles: said('closed: only closed candles are screened. forming: the candle under way too; its signals are marked.', z._default(z.enum(['closed', 'forming']), 'closed')),
  params: said('Numbers that expressions may name: n: 14, or n: {value: 14, min: 5, max: 30, step: 1}.', z._default(z.record(Name, Param), {})),
  let: said('Named expressions that conditions may use.', z._default(z.record(Name, Expression), {})),
  universe: said('Which symbols are screened.', z.prefault(Universe, {})),
  where: said(
    'Named conditions, each an expression that holds or does not on a closed candle.',
    z.record(Name, Expression).check(z.refine((where) => Object.keys(where).length >= 1, 'name at least one condition'), z.meta({ minProperties: 1 })),
  ),
  when: said(
    'Which conditions must hold: all, any, {atLeast: n}, or an expression over their names.',
    z._default(z.union([z.enum(['all', 'any']), z.strictObject({ atLeast: z.int().check(z.gte(1)) }), Expression], 'all, any, {atLeast: n}, or an expression over the names in where'), 'all'),
  ),
  repeat: said('edge: a signal when `when` begins to hold; every-candle: on each candle on which it holds.', z._default(z.enum(['edge', 'every-candle']), 'edge')),
  cooldown: said('After a signal on a symbol the next ones on it are suppressed for so long.', z._default(Span, { candles: 0 })),
  limits: said('Signals per hour and day.', z.prefault(Limits, {})),
  expiry: said('A signal that is older is not acted upon.', z._default(Span, { candles: 3 })),
  analysis: said('How signals are analysed.', z.prefault(Analysis, {})),
  execution: said('How signals are traded.', z.prefault(Execution, {})),
});
export type TraderDocument = z.infer<typeof TraderDocument>;
/** What a user writes: everything that has a default may be left out. */
export type TraderInput = z.input<typeof TraderDocument>;

/** The params of a document as plain numbers. */
export const paramValues = (params: TraderDocument['params']): Record<string, number> =>
  Object.fromEntries(Object.entries(params).map(([name, param]) => [name, typeof param === 'number' ? param : param.value]));

/** A stored trader. Editing the document makes a new version; signals name the version that gave them. */
export const Trader = z.object({
  id: z.uuid(),
  name: z.string(),
  version: z.int(),
  enabled: z.boolean(),
  /** Null when what is stored cannot be read as a trader; `problem` says why. */
  document: z.nullable(TraderDocument),
  problem: z.nullable(z.string()),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type Trader = z.infer<typeof Trader>;
