import { lookDelay, type Action, type Memory, type Plan } from './actions.ts';
import type { Seen, SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

/** Still able to act for its user: it must be stopped before another machine of the same user starts. */
const MAY_RUN: ReadonlySet<SeenMachine['state']> = new Set(['creating', 'starting', 'started', 'restarting', 'updating', 'replacing', 'unknown']);

/**
 * There is no machine where one is wished: stop one that runs elsewhere, then make what is missing: app, volume, secret, machine. Every
 * create is safe to repeat: app and machine names are unique, a second volume is deleted later, an older secret stays valid.
 */
export function planMake(wish: Wish, seen: Seen, others: readonly SeenMachine[], memory: Memory, now: number): Plan {
  const running = others.filter((machine) => MAY_RUN.has(machine.state));
  if (running.length > 0) {
    return {
      sighting: 'halting', detail: `The machine stops in ${running[0]?.region} before it is made in ${wish.region}.`,
      actions: [...running.filter((machine) => machine.state === 'started' || machine.state === 'starting')
        .map((machine): Action => ({ kind: 'stop', machineId: machine.id, why: `It moves to ${wish.region}` })), { kind: 'wait', ms: 400 }],
    };
  }
  if (others.some((machine) => machine.state === 'stopping')) {
    return { sighting: 'halting', detail: 'The machine is stopping before it moves.', actions: [{ kind: 'wait', ms: lookDelay(now - memory.phaseSince) }] };
  }
  if (wish.state === 'stopped') return { sighting: 'halted', detail: `The machine is stopped in ${others[0]?.region}; it is made in ${wish.region} when it starts.`, actions: [{ kind: 'none' }] };

  const here = (seen.volumes ?? []).filter((volume) => volume.region === wish.region);
  const free = here.find((volume) => volume.attachedTo === null);
  if (free === undefined && here.length > 0) {
    return { sighting: 'building', actions: [{ kind: 'back-off', trouble: {
      code: 'volume_bound', message: 'The volume is still bound to the machine before.', nextStep: 'Nothing: it is free when Fly has fully removed that machine.',
    } }] };
  }
  return {
    sighting: 'building',
    detail: memory.everMade ? 'The machine is gone at Fly and is made again.' : 'The machine is being made.',
    actions: [
      ...(seen.app === 'absent' ? [{ kind: 'create-app' } as const] : []),
      ...(free === undefined ? [{ kind: 'create-volume', region: wish.region } as const] : []),
      ...(seen.secretSet === true ? [] : [{ kind: 'set-secret' } as const]),
      { kind: 'create-machine', volumeId: free?.id ?? null },
      { kind: 'wait', ms: 300 },
    ],
  };
}
