import { MachineStatus, intervalMs } from '@trademind/core';
import type { MachineRow } from '../database/rows.ts';
import type { Action } from './actions.ts';

/** Longest that a reboot waits for the machine's answer. */
export const DRAIN_MS = 300_000;
/** How long a drain is asked for: longer than it is waited for, and it ends by itself when this control plane dies. */
export const DRAIN_LEASE_S = 360;
/** Without a beat for so long, there is nobody who could drain. */
const SILENT_MS = 60_000;
/** What a close needs to be screened, and what a reboot takes. */
const SCREEN_MS = 2_000;
const REBOOT_MS = 45_000;

/** What the machine said of its work, all on the database's clock. */
export interface DrainState {
  /** It beats, so it hears of a drain. */
  beating: boolean;
  /** How long ago it was asked (ms); null = it was not. */
  askedMs: number | null;
  /** It said that nothing of its work is left. */
  drained: boolean;
  /** How long until just after the next close of a candle that it screens; 0 = now is such a moment. */
  untilCloseMs: number;
}

export function drainOf(row: Pick<MachineRow, 'beat_at' | 'drain_until' | 'claimed_at' | 'status'>): DrainState {
  const now = Date.parse(row.claimed_at ?? '');
  const beatAt = Date.parse(row.beat_at ?? '');
  const until = Date.parse(row.drain_until ?? '');
  const askedAt = until > now ? until - DRAIN_LEASE_S * 1_000 : null;
  const status = MachineStatus.safeParse(row.status).data;
  return {
    beating: now - beatAt < SILENT_MS,
    askedMs: askedAt === null ? null : now - askedAt,
    drained: askedAt !== null && beatAt > askedAt && status?.phase === 'draining' && status.outbox.rows === 0,
    untilCloseMs: status === undefined ? 0 : untilAfterClose(status, now - beatAt),
  };
}

function untilAfterClose({ market, traders }: MachineStatus, agoMs: number): number {
  const shortest = Math.min(...traders.filter(({ state }) => state === 'running').map(({ interval }) => intervalMs(interval)));
  // a replay's candles close too often to be waited for
  return market.rate === 1 && Number.isFinite(shortest) ? msUntilAfterClose(market.time + agoMs, shortest) : 0;
}

/** A reboot begins when the last close has been screened and the next one is far enough; how long until then (ms). */
export function msUntilAfterClose(marketNow: number, everyMs: number): number {
  const since = marketNow % everyMs;
  if (since < SCREEN_MS) return SCREEN_MS - since;
  return since <= Math.max(everyMs - REBOOT_MS, everyMs / 4) ? 0 : everyMs - since + SCREEN_MS;
}

/** What comes before a reboot; null = the machine may be rebooted now. Never more than 5 minutes in all. */
export function beforeReboot(drain: DrainState, why: string): Action[] | null {
  if (!drain.beating) return null;
  if (drain.askedMs === null) return [{ kind: 'drain', why }, { kind: 'wait', ms: 1_000 }];
  const leftMs = DRAIN_MS - drain.askedMs;
  if (leftMs <= 0) return null;
  if (!drain.drained) return [{ kind: 'wait', ms: Math.min(2_000, leftMs) }];
  if (drain.untilCloseMs === 0 || drain.untilCloseMs > leftMs) return null;
  return [{ kind: 'wait', ms: Math.min(drain.untilCloseMs, 5_000) }];
}
