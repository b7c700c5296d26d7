import type { FeedFrame, TicketAnswer } from '@trademind/core';
import type { FeedState } from './store.ts';

export type FeedTicket = Pick<TicketAnswer, 'ticket' | 'feed' | 'url' | 'machineId'>;

/** All in ms. */
export interface FeedTiming {
  /** First wait before another try; doubles up to `capMs`. */
  baseMs: number;
  capMs: number;
  /** A connection that held so long starts the waits from `baseMs` again. */
  stableMs: number;
  /** After so long without a frame the client pings; after `silenceMs` it takes the line for dead. */
  pingMs: number;
  silenceMs: number;
  probeTimeoutMs: number;
  /** A ticket is used at this age at most. */
  ticketMs: number;
  /** A session is renewed by a new ticket when so little of it is left: the machine itself renews earlier, as long as it may. */
  renewMs: number;
}

export const FEED_TIMING: FeedTiming = {
  baseMs: 500, capMs: 30_000, stableMs: 10_000, pingMs: 20_000, silenceMs: 45_000, probeTimeoutMs: 5_000, ticketMs: 30_000, renewMs: 60_000,
};

export interface FeedClientOptions {
  /** Asks the control plane for a ticket; called again for every new one. A rejection is shown in the state and tried again. */
  getTicket: () => Promise<FeedTicket>;
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
  /** Wall clock in ms. */
  now?: () => number;
  /** 0 ≤ x < 1, for the jitter of waits. */
  random?: () => number;
  onState?: (state: FeedState) => void;
  /** Every frame that was applied: in order, each once. */
  onFrame?: (frame: FeedFrame) => void;
  timing?: Partial<FeedTiming>;
}
