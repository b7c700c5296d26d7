import { setTimeout as sleep } from 'node:timers/promises';
import { TradeMindError, type LogLine, type MachineLogs } from '@trademind/core';
import type { ControlPlane } from './control-plane.ts';
import { HttpError } from './http.ts';

/** The control plane answers sixty reads a minute. */
const LOOK_MS = 2_000;

export interface FollowOptions {
  read: (at: { after?: string; limit?: number }) => ReturnType<ControlPlane['logs']>;
  /** How many lines to begin with. */
  lines: number;
  signal: AbortSignal;
  onLine(line: LogLine): void;
  /** Told once for each reason why it is not the machine's own log, and when that changes. */
  onNotice(notice: NonNullable<MachineLogs['notice']>): void;
  lookMs?: number;
}

/** Prints the last lines and then each that follows, once and in order, until `signal` is aborted. What passes (a restart, a busy server) is waited out; a machine that is gone rejects. */
export async function followLogs({ read, lines, signal, onLine, onNotice, lookMs = LOOK_MS }: FollowOptions): Promise<void> {
  let after: string | undefined;
  let said: string | undefined;
  while (!signal.aborted) {
    try {
      const { items, next, notice } = await read(after === undefined ? { limit: lines } : { after });
      if (notice !== null && notice.code !== said) onNotice(notice);
      said = notice?.code;
      for (const item of items) onLine(item);
      // of a page that is full the next one may be there already
      const more = after !== undefined && items.length > 0 && next !== after;
      after = next ?? after;
      if (more) continue;
    } catch (error) {
      if (!passes(error)) throw error;
    }
    await sleep(lookMs, undefined, { signal }).catch(() => undefined);
  }
}

const passes = (error: unknown): boolean => (error instanceof HttpError ? error.status >= 500 || error.status === 429 : error instanceof TradeMindError && (error.code === 'unreachable' || error.code === 'timeout'));
