import type { FeedFrame } from '@trademind/core';
import type { FeedState } from '@trademind/feed-client';
import type { FeedSource } from '@trademind/runtime';
import type { Fact } from '../screens/market/market-state.ts';

/** The fact of a frame, or null for frames that are about the connection. */
export function factOf(frame: FeedFrame): Fact | null {
  switch (frame.type) {
    case 'snapshot': case 'status': case 'metrics': case 'signal': case 'analysis': case 'log': return { type: frame.type, data: frame.data } as Fact;
    default: return null;
  }
}

/** One phrase about the line to a machine; null while it is live. */
export function connectionText(state: FeedState): string | null {
  switch (state.phase) {
    case 'live': return null;
    case 'connecting': return 'connecting';
    case 'waiting-for-machine': return state.reason ?? 'waiting for the machine';
    case 'reconnecting': return `reconnecting: ${state.reason}`;
    default: return state.phase;
  }
}

const SIGNALS = 500;

/** Everything a runtime in this process knows now, and then each change. The answer ends it. */
export function followSource(source: FeedSource, take: (fact: Fact) => void): () => void {
  const end = source.subscribe((event) => take(event));
  take({ type: 'snapshot', data: { status: source.status(), markets: source.markets(), signals: source.signals(SIGNALS), analyses: source.analyses(SIGNALS), log: source.log() } });
  return end;
}
