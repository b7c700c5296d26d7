import { lookDelay, type Action, type Memory, type Plan } from './actions.ts';
import { isLost } from './cells.ts';
import { beforeReboot } from './drain.ts';
import { IP_TYPES } from './names.ts';
import { mayRun, newSecret, stopOthers } from './plan-run.ts';
import type { Seen, SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

/** A list can miss for so long what was made a moment ago. */
const LIST_LAG_MS = 5_000;

/**
 * There is no machine where one is wished: drain and stop one that runs elsewhere, then make what is missing: app, addresses, volume, secret, machine. Every
 * create is safe to repeat: app and machine names are unique, a second volume is deleted later, an older secret stays valid.
 */
export function planMake(wish: Wish, seen: Seen, others: readonly SeenMachine[], memory: Memory, now: number): Plan {
  const lost = (machine: SeenMachine) => isLost(machine, memory.unreachableSince, now);
  const running = others.filter((machine) => mayRun(machine, now) && !lost(machine));
  const [first] = running;
  if (first !== undefined) {
    const why = first.region === wish.region ? 'Another machine takes its place' : `It moves to ${wish.region}`;
    const working = memory.phase === 'screening' || memory.phase === 'backfilling';
    const rest = working && wish.state === 'started' ? beforeReboot(memory.drain, why) : null;
    if (rest !== null) return { sighting: memory.phase === 'backfilling' ? 'backfilling' : 'screening', detail: `${why}: the machine finishes its work first.`, actions: rest };
    return {
      sighting: 'halting', detail: `The machine stops in ${first.region} before it is made in ${wish.region}.`,
      actions: [...stopOthers(running, why, now), { kind: 'wait', ms: lookDelay(Math.max(0, now - memory.phaseSince)) }],
    };
  }
  const stopping = others.filter((machine) => machine.state === 'stopping' && !lost(machine));
  if (stopping.length > 0) {
    return { sighting: 'halting', detail: 'The machine is stopping before it moves.', actions: [...stopOthers(stopping, 'It does not stop by itself', now), { kind: 'wait', ms: lookDelay(Math.max(0, now - memory.phaseSince)) }] };
  }
  if (wish.state === 'stopped') return { sighting: 'halted', detail: `The machine is stopped in ${others[0]?.region}; it is made in ${wish.region} when it starts.`, actions: [{ kind: 'none' }] };
  const namesake = others.find((machine) => machine.name === wish.machineName && machine.state !== 'destroying');
  if (namesake !== undefined) {
    return { sighting: 'building', detail: 'A machine of the same name that cannot be used goes first.', actions: [{ kind: 'replace-machine', machineId: namesake.id, why: 'It cannot keep what must survive a restart' }, { kind: 'wait', ms: 300 }] };
  }

  const here = (seen.volumes ?? []).filter((volume) => volume.region === wish.region);
  const free = here.find((volume) => volume.attachedTo === null);
  const bound = here.filter((volume) => volume.attachedTo !== null && !others.some((machine) => machine.id === volume.attachedTo && lost(machine)));
  // apps and machines have names that are unique, addresses and secrets are the same however often: only of volumes may there be two
  if (free === undefined && bound.length === 0 && memory.doubt?.kind === 'create-volume' && now - memory.doubt.at < LIST_LAG_MS) {
    return { sighting: 'building', detail: 'An answer of Fly was lost; what it did is looked for before anything is repeated.', actions: [{ kind: 'wait', ms: 1_000 }] };
  }
  if (free === undefined && bound.length > 0) return planBound(others, here, memory, now);
  return {
    sighting: 'building',
    detail: memory.everMade ? 'The machine is gone at Fly and is made again.' : 'The machine is being made.',
    actions: [
      ...(seen.app === 'absent' ? [{ kind: 'create-app' } as const] : []),
      ...IP_TYPES.filter((type) => !(seen.ips ?? []).some((ip) => ip.type === type)).map((type) => ({ kind: 'create-ip', type }) as const),
      ...(free === undefined ? [{ kind: 'create-volume', region: wish.region } as const] : []),
      ...(seen.secretSet === true ? newSecret(wish, memory) : [{ kind: 'set-secret', version: wish.secret } as const]),
      { kind: 'create-machine', volumeId: free?.id ?? null },
      { kind: 'wait', ms: 300 },
    ],
  };
}

/** The volume is still bound: to a machine of ours that rests (it goes, the volume stays), or to one that Fly is removing. */
function planBound(others: readonly SeenMachine[], here: NonNullable<Seen['volumes']>, memory: Memory, now: number): Plan {
  const holders = others.filter((machine) => machine.hostOk && machine.state !== 'destroying' && here.some((volume) => volume.attachedTo === machine.id));
  if (holders.length > 0) return { sighting: 'building', detail: 'The machine before goes; its volume stays.', actions: [...holders.map((machine): Action => ({ kind: 'destroy-machine', machineId: machine.id })), { kind: 'wait', ms: 400 }] };
  if (now - memory.phaseSince < 20_000) return { sighting: 'building', detail: 'The volume is still bound to the machine before.', actions: [{ kind: 'wait', ms: 500 }] };
  return { sighting: 'building', actions: [{ kind: 'back-off', trouble: {
    code: 'volume_bound', message: 'The volume is still bound to the machine before.', nextStep: 'Nothing: it is free when Fly has fully removed that machine.',
  } }] };
}
