import { isReachable } from '@trademind/core';
import { createFeedClient, type FeedClientOptions } from '@trademind/feed-client';
import type { ControlPlane } from './control-plane.ts';

/** Everything is on this computer or one hop away: look again soon. */
const TIMING = { baseMs: 50, capMs: 1_000 } as const;

/** A client of one machine's feed, with tickets from the control plane. Call `connect()`, and `close()` at the end. */
export function machineFeed(control: Pick<ControlPlane, 'ticket' | 'machine'>, machineId: string, on: Pick<FeedClientOptions, 'onFrame' | 'onState'>) {
  return createFeedClient({
    ...on, timing: TIMING,
    getTicket: () => control.ticket(machineId, ['feed:read']),
    seeMachine: async () => {
      const { phase, detail } = await control.machine(machineId);
      return { reachable: isReachable(phase), detail: detail ?? `The machine is ${phase}.` };
    },
  });
}
