import type { TraderStatus } from '@trademind/core';
import { count, counted } from './format.ts';

export interface TraderView { id: string; name: string; state: 'running' | 'settling' | 'shed' | 'paused' | 'invalid'; interval: string; funnel: { name: string; value: string }[]; sentence: string }

/** How a trader fares, and, when it gave no signal, why. */
export function traderView(trader: TraderStatus): TraderView {
  const { symbols, ready, matching, signals } = trader;
  const settling = trader.state === 'running' && ready < symbols;
  return {
    id: trader.id, name: trader.name, interval: trader.interval,
    state: settling ? 'settling' : trader.state,
    funnel: [
      { name: 'symbols', value: count(symbols) },
      { name: 'ready', value: count(ready) },
      { name: 'match', value: count(matching) },
      { name: 'live', value: count(signals.live) },
      { name: 'history', value: count(signals.history) },
    ],
    sentence: sentenceFor(trader, settling),
  };
}

function sentenceFor({ state, error, symbols, ready, matching, signals }: TraderStatus, settling: boolean): string {
  if (state === 'shed') return error ?? 'It waits because there is more to screen than time.';
  if (state === 'paused') return error ?? 'It is paused.';
  if (state === 'invalid') return error ?? 'Its expressions do not compile.';
  if (symbols === 0) return 'Its rules leave no symbol to screen.';
  if (settling) return `Its indicators have settled on ${count(ready)} of ${counted(symbols, 'symbol')}.`;
  if (signals.live > 0) return `${counted(signals.live, 'signal')} since it went live.`;
  return matching > 0 ? 'It holds already; a signal comes when it begins to hold anew.' : 'Nothing has matched since it went live.';
}
