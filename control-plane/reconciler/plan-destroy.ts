import type { Action, Plan } from './actions.ts';
import { cellFor, isWedged } from './cells.ts';
import type { Seen } from './seen.ts';

/**
 * Everything of the user's app goes: machines stop, then they are destroyed, then volumes, then the app. It ends only when Fly answers
 * 404 for the app: what may still cost money is not called gone.
 */
export function planDestroy(seen: Seen, now: number): Plan {
  if (seen.app !== 'ours') return { sighting: 'gone', detail: 'App, machine and volume are gone at Fly.', actions: [{ kind: 'none' }] };
  const stop: Action[] = [];
  const destroy: Action[] = [];
  let passing = 0;
  for (const machine of seen.machines) {
    const cell = isWedged(machine, now) || !machine.hostOk ? 'destroy' : cellFor(machine.state, 'destroyed');
    if (cell === 'stop') stop.push({ kind: 'stop', machineId: machine.id, why: 'It is to be destroyed' });
    else if (cell === 'destroy') destroy.push({ kind: 'destroy-machine', machineId: machine.id });
    else passing += 1;
  }
  if (stop.length > 0) return { sighting: 'ending', detail: 'The machine finishes its work and stops.', actions: [...stop, ...destroy, { kind: 'wait', ms: 400 }] };
  if (destroy.length > 0 || passing > 0) {
    return { sighting: 'ending', detail: 'The machine is being destroyed.', actions: [...destroy, { kind: 'wait', ms: 400 }] };
  }
  return {
    sighting: 'ending', detail: 'Volume and app are being deleted.',
    actions: [...(seen.volumes ?? []).map((volume): Action => ({ kind: 'delete-volume', volumeId: volume.id })), { kind: 'delete-app' }, { kind: 'wait', ms: 300 }],
  };
}
