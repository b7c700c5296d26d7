import { createFeedClient, type FeedClientOptions } from '@trademind/feed-client';
import type { ControlPlane } from './control-plane.ts';

/** Everything is on this computer or one hop away: look again soon. */
const TIMING = { baseMs: 50, capMs: 1_000 } as const;

/** A client of one machine's feed, with tickets from the control plane. Call `connect()`, and `close()` at the end. */
export function machineFeed(control: Pick<ControlPlane, 'ticket'>, machineId: string, on: Pick<FeedClientOptions, 'onFrame' | 'onState'>) {
  return createFeedClient({ ...on, getTicket: () => control.ticket(machineId, ['feed:read']), timing: TIMING });
}
