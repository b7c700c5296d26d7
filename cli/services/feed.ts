import { TradeMindError } from '@trademind/core';
import { createFeedClient, type FeedClientOptions } from '@trademind/feed-client';
import type { ControlPlane } from './control-plane.ts';
import { connectionText } from './facts.ts';

/** Everything is on this computer or one hop away: look again soon. */
const TIMING = { baseMs: 50, capMs: 1_000 } as const;
/** How long a machine may take to answer. */
const ANSWER_MS = 10_000;

/** A client of one machine's feed, with tickets from the control plane. Call `connect()`, and `close()` at the end. */
export function machineFeed(control: Pick<ControlPlane, 'ticket'>, machineId: string, on: Pick<FeedClientOptions, 'onFrame' | 'onState'>) {
  return createFeedClient({ ...on, getTicket: () => control.ticket(machineId, ['feed:read']), timing: TIMING });
}

/** One question to a machine's REST API, such as `/v1/explain?…`: its answer as it came. Rejects with `machine_unreachable`, or with the machine's own problem. */
export async function askMachine(control: Pick<ControlPlane, 'ticket'>, machineId: string, path: string): Promise<unknown> {
  const live = Promise.withResolvers<void>();
  let said = 'connecting';
  const unreachable = (): void => live.reject(new TradeMindError({ code: 'machine_unreachable', message: `Your machine does not answer: ${said}.`, nextStep: '`npx trademind status` says how it stands.' }));
  const feed = machineFeed(control, machineId, {
    onState: (state) => {
      said = connectionText(state) ?? said;
      if (state.phase === 'live') live.resolve();
      else if (state.phase === 'closed') unreachable();
    },
  });
  const patience = setTimeout(unreachable, ANSWER_MS);
  feed.connect();
  try {
    await live.promise;
    return await feed.request(path);
  } finally {
    clearTimeout(patience);
    await feed.close();
  }
}
