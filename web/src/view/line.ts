import type { FeedState } from '@trademind/feed-client';
import { duration, time } from './format.ts';

export interface LineNotice { tone: 'busy' | 'warn' | 'bad'; title: string; sentence: string; canRetry: boolean }

const REASONS: Readonly<Record<string, string>> = {
  restart: 'The machine restarts.',
  silence: 'Nothing was heard on the line for a while.',
  session_expired: 'The session had ended; a new one is asked for.',
  too_fast: 'This page asked too much at once.',
};

/** What to say about the line to the machine; null while it is live. `now` is wall time in ms. */
export function lineNotice(state: FeedState, now: number): LineNotice | null {
  switch (state.phase) {
    case 'idle':
    case 'live':
      return null;
    case 'waiting-for-machine':
      return {
        tone: 'busy', title: 'Waiting for the machine', canRetry: false,
        sentence: state.reason === null ? 'Asking whether it answers.' : `${state.reason} This page keeps asking.`,
      };
    case 'connecting':
      return { tone: 'busy', title: 'Connecting', sentence: 'The machine answers; its feed is being opened.', canRetry: false };
    case 'reconnecting': {
      const why = REASONS[state.reason] ?? 'The connection was lost.';
      return {
        tone: 'warn', title: `Reconnecting since ${time(state.since, true)} UTC (${duration(now - state.since)})`, canRetry: true,
        sentence: `${why} Your machine goes on without this page, and what it finds will be here when the line is back. What you see is the last that arrived.`,
      };
    }
    case 'closed':
      return state.reason === 'superseded'
        ? { tone: 'bad', title: 'Opened elsewhere', sentence: 'This session goes on in another window. Reload the page to bring it back here.', canRetry: false }
        : { tone: 'bad', title: 'The feed is closed', sentence: 'You may not read this machine’s feed. Reload the page, or sign in again.', canRetry: false };
  }
  return null;
}
