import type { FeedFrame, FeedSubscription, TicketAnswer } from '@trademind/core';
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
  /** How long a command waits for its answer. */
  answerMs: number;
}

export const FEED_TIMING: FeedTiming = {
  baseMs: 500, capMs: 30_000, stableMs: 10_000, pingMs: 20_000, silenceMs: 45_000, probeTimeoutMs: 5_000, ticketMs: 30_000, renewMs: 60_000,
  answerMs: 15_000,
};

/** Whether the control plane has seen the machine run, and what it says of it. */
export interface MachineSeen { reachable: boolean; detail: string | null }

export interface FeedClientOptions {
  /**
   * Asks the control plane whether the machine runs; before it does, the machine's name is not looked up (a resolver remembers for minutes
   * that a name was absent). Left out by a caller who has seen it.
   */
  seeMachine?: () => Promise<MachineSeen>;
  /** Asks the control plane for a ticket; called again for every new one. A rejection is shown in the state and tried again. */
  getTicket: () => Promise<FeedTicket>;
  /** What to listen to; everything unless given. */
  wishes?: FeedSubscription;
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
