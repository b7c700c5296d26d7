import * as z from 'zod/mini';
import { Span } from './duration.ts';

/** An expression of the trader language: docs/language.md. */
export const Expression = z.string().check(z.minLength(1), z.maxLength(2_000));

/** Attaches what a field means, for the published JSON Schema. */
export const said = <T extends z.ZodMiniType>(meaning: string, schema: T): T => schema.check(z.describe(meaning)) as T;

/** A number above 0, or an expression that gives one on the signal's candle. */
const Amount = z.union([z.number().check(z.gt(0)), Expression], 'a number above 0 or an expression');
const Percent = z.union([z.number().check(z.gt(0), z.lte(100)), Expression], 'a number above 0, at most 100, or an expression');
/** A distance from the entry price, or a price. Both in the quote asset. */
const Level = z.union([Amount, z.strictObject({ price: Amount })], 'a distance from the entry (a number or an expression), or {price: …}');

const Target = z.strictObject({
  at: said('Distance from the entry in the direction of the trade, or {price: …}.', Level),
  share: said('Share of the position that is closed there: 0.5 = half.', z.number().check(z.gt(0), z.lte(1))),
});

/**
 * How a signal is traded. Amounts are numbers or expressions over the trader's own interval, params and let names; distances and prices are in the quote asset, so `close * 0.02` is
 * 2 % of the price. An amount that is not ready, or not above 0, gives no order.
 */
export const Execution = z.strictObject({
  entry: said(
    'market; limit = at the close of the signal\'s candle; {limit: price}.',
    z._default(z.union([z.enum(['market', 'limit']), z.strictObject({ limit: Amount })], 'market, limit, or {limit: price}'), 'market'),
  ),
  size: said(
    'An amount of the quote asset; {percent: p} = p % of the account; {risk: p} = as much as loses p % of the account if the stop is hit.',
    z._default(z.union([Amount, z.strictObject({ percent: Percent }), z.strictObject({ risk: Percent })], 'an amount of the quote asset, {percent: …} or {risk: …}'), { risk: 1 }),
  ),
  stop: said('Distance from the entry against the trade, or {price: …}.', z._default(Level, '1.5 * atr(14)')),
  targets: said(
    'Where parts of the position are closed with a gain. What is left runs until stop, trail, timeStop or exit.',
    z._default(
      z.array(Target).check(
        z.maxLength(10),
        z.refine((targets) => targets.reduce((sum, { share }) => sum + share, 0) <= 1 + 1e-9, 'the shares add up to more than 1'),
      ),
      [{ at: '2 * atr(14)', share: 0.5 }, { at: '3 * atr(14)', share: 0.3 }, { at: '5 * atr(14)', share: 0.2 }],
    ),
  ),
  trail: said('Distance at which the stop follows the best price since the entry; absent = it stays.', z.optional(Amount)),
  timeStop: said('Closes the position so long after the entry; absent = never.', z.optional(Span)),
  exit: said('A condition that closes the position on the first closed candle on which it holds.', z.optional(Expression)),
  tradeForming: said('With candles: forming, whether signals on candles that are not closed may be traded with real money.', z._default(z.boolean(), false)),
});
export type Execution = z.infer<typeof Execution>;
