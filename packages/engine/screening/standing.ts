import { intervalClose } from '@trademind/core';
import { clausesOf, type CompiledClauses } from '../language/clauses.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';
import type { CandleSource } from './frame-lane.ts';
import { Lane } from './lane.ts';
import { MarketTrader, type Screened } from './market-trader.ts';
import type { Membership } from './membership.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';

/** The stored candles, and the symbols that the trader screens. */
export interface Market { readonly candles: CandleSource; readonly universe: Membership }

const CLAUSES = new WeakMap<CompiledTrader, CompiledClauses>();

/** The conditions of a trader taken apart; once for each trader. */
export function clausesFor({ compiled }: ActiveTrader): CompiledClauses {
  let clauses = CLAUSES.get(compiled);
  if (clauses === undefined) CLAUSES.set(compiled, (clauses = clausesOf(compiled)));
  return clauses;
}

/**
 * Runs a trader, and the parts of its conditions beside it, once more over the stored candles: each symbol of `upTo` up to its candle of that ordinal, which `take` hears of. The same runs that
 * screen. In the lanes' graph the trader is the first, its parts are the second.
 */
export function stand(trader: ActiveTrader, { candles, universe }: Market, upTo: ReadonlyMap<string, number>, take: Screened): void {
  const { interval, waits } = trader.compiled;
  const parts: ActiveTrader = { id: `parts of ${trader.id}`, version: trader.version, compiled: clausesFor(trader).compiled };
  const own: Screened = (symbol, lane, matches) => take(symbol, lane, matches.filter(({ traderId }) => traderId === trader.id));
  if (waits) {
    const last = [...upTo].map(([symbol, ordinal]) => intervalClose(interval, candles.series(symbol, interval)!.openTimeOf(ordinal)));
    // The symbols are ranked against each other, so all are screened.
    new MarketTrader(trader, universe, candles, 0, [parts]).warmUp(Math.max(...last), (symbol, lane, matches) => {
      if (upTo.get(symbol) === lane.next - 1) own(symbol, lane, matches);
    });
    return;
  }
  const graph = new ScreeningGraph([trader, parts], { whole: true });
  for (const [symbol, ordinal] of upTo) {
    const series = candles.series(symbol, interval)!;
    const lane = new Lane(symbol, interval, graph, candles, series.oldest);
    lane.warmUp(series, ordinal);
    own(symbol, lane, lane.advance(series, ordinal + 1) ?? []);
  }
}
