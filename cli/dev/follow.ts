import type { MachineView } from '@trademind/core';
import type { ControlPlane } from '../services/control-plane.ts';
import { machineFeed } from '../services/feed.ts';
import { beginTimeline, onEvent, onFrame, onLost, onSettled, type Telling, type Timeline } from './machine-timeline.ts';

export interface FollowOptions {
  control: ControlPlane;
  machine: Pick<MachineView, 'id'>;
  /** Ids of signals that are no news. */
  known: readonly string[];
  signal: AbortSignal;
  now(): number;
  /** Called for one telling after another, each awaited. A rejection ends the following. */
  onTelling(telling: Telling, liveSignals: number): void | Promise<void>;
}

/** Clocks of the database and of this process are the same, read at slightly different moments. */
const CLOCK_SLACK_MS = 1_000;

/** After the last candle of backfill its matches are still being written and counted. */
const SETTLE_MS = 600;

/**
 * Follows a machine by the control plane's events and by the machine's own feed, as one story. Resolves when `signal` is aborted; rejects
 * when the control plane refuses, or with whatever `onTelling` throws.
 */
export async function followMachine(options: FollowOptions): Promise<void> {
  const { control, machine, signal } = options;
  const since = options.now() - CLOCK_SLACK_MS;
  let timeline: Timeline = beginTimeline(options.known);
  const failed = Promise.withResolvers<never>();
  let telling = Promise.resolve();
  let settling: NodeJS.Timeout | undefined;
  const take = ([next, tellings]: [Timeline, Telling[]]): void => {
    timeline = next;
    const { live } = next;
    for (const one of tellings) {
      if (one.type === 'screening') settling = setTimeout(() => take(onSettled(timeline)), SETTLE_MS);
      telling = telling.then(() => (signal.aborted ? undefined : options.onTelling(one, live)));
      telling.catch(failed.reject);
    }
  };
  const feed = machineFeed(control, machine.id, {
    onFrame: (frame) => take(onFrame(timeline, frame)),
    onState: ({ phase }) => { if (phase === 'reconnecting') timeline = onLost(timeline); },
  });
  feed.connect();
  const ended = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const watching = control.watch(machine.id, signal, (event) => { if (Date.parse(event.at) >= since) take(onEvent(timeline, event)); });
  try {
    await Promise.race([Promise.all([ended, watching]), failed.promise]);
  } finally {
    clearTimeout(settling);
    await feed.close();
  }
}
