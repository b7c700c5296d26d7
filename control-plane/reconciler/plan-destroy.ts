import type { Action, Memory, Plan } from './actions.ts';
import { cellFor, isLost } from './cells.ts';
import type { Seen } from './seen.ts';
import type { Wish } from './wish.ts';

/** After so many attempts that led nowhere the deletion of the app, which takes all with it, is all that is tried. */
const ENOUGH = 5;

/**
 * Everything of the user's app goes: machines stop, then they are destroyed, then volumes and addresses, and when Fly shows none of them, the app. It ends
 * only when Fly answers 404 for the app: what may still cost money is not called gone.
 */
export function planDestroy(wish: Wish, seen: Seen, memory: Memory, now: number): Plan {
  if (seen.app !== 'ours') return { sighting: 'gone', detail: 'App, machine, volume and addresses are gone at Fly.', actions: [{ kind: 'none' }] };
  const stop: Action[] = [];
  const destroy: Action[] = [];
  let passing = 0;
  let wedged = 0;
  for (const machine of seen.machines) {
    const cell = cellFor(machine, 'destroyed', memory.unreachableSince, now);
    if (machine.state === 'destroying' && isLost(machine, memory.unreachableSince, now)) wedged += 1;
    if (cell === 'stop') stop.push({ kind: 'stop', machineId: machine.id, why: 'It is to be destroyed', force: false });
    else if (cell === 'destroy') destroy.push({ kind: 'destroy-machine', machineId: machine.id });
    else passing += 1;
  }
  if (stop.length > 0) return { sighting: 'ending', detail: 'The machine finishes its work and stops.', actions: [...stop, ...destroy, { kind: 'wait', ms: 400 }] };
  if (wedged > 0 && wedged === seen.machines.length && memory.attempts >= ENOUGH) {
    return { sighting: 'ending', actions: [{ kind: 'delete-app' }, { kind: 'back-off', trouble: {
      code: 'destroy_wedged', message: `Fly does not get rid of ${wedged === 1 ? 'a machine' : `${wedged} machines`} of ${wish.app}; the app is deleted with all that is in it.`,
      nextStep: 'Nothing: it is verified until Fly shows none of it. An operator is told.',
    } }] };
  }
  if (wedged > 0) {
    return { sighting: 'ending', actions: [...destroy, { kind: 'back-off', trouble: { code: 'destroy_wedged', message: 'Fly has been destroying the machine for minutes.', nextStep: 'Nothing: it is asked again, by force.' } }] };
  }
  if (destroy.length > 0 || passing > 0) return { sighting: 'ending', detail: 'The machine is being destroyed.', actions: [...destroy, { kind: 'wait', ms: 400 }] };
  if (seen.volumes === null || seen.ips === null) return { sighting: 'ending', detail: 'What is left is read whole.', actions: [{ kind: 'wait', ms: 300 }] };
  const rest: Action[] = [
    ...seen.volumes.map((volume): Action => ({ kind: 'delete-volume', volumeId: volume.id })),
    ...seen.ips.map((ip): Action => ({ kind: 'release-ip', ip: ip.ip })),
  ];
  if (rest.length > 0 && memory.attempts < ENOUGH) return { sighting: 'ending', detail: 'Volume and addresses are being deleted.', actions: [...rest, { kind: 'wait', ms: 300 }] };
  return { sighting: 'ending', detail: 'The app is being deleted.', actions: [{ kind: 'delete-app' }, { kind: 'wait', ms: 300 }] };
}
