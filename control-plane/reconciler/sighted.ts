import { nextPhase, sizeName, type MachineSighting } from '@trademind/core';
import type { MachinePatch, MachineRow, NewEvent } from '../database/rows.ts';
import { patchOf } from './act.ts';
import type { Plan } from './actions.ts';
import { memoryOf } from './memory.ts';
import { machineUrl } from './names.ts';
import { choose } from './plan.ts';
import type { ReconcileContext } from './reconcile.ts';
import type { Seen, SeenMachine } from './seen.ts';
import { goodVersion, type Wish } from './wish.ts';

interface Written { patch: MachinePatch; events: NewEvent[] }
type Context = Pick<ReconcileContext, 'contract' | 'now'>;

/** For so long a list may miss what a write of unknown outcome did. */
const DOUBT_MS = 5_000;

/** What was seen, as changes of the row; a new phase is told as an event with the time the old one took. */
export function sighted(row: MachineRow, wish: Wish, seen: Seen, made: Plan, { contract, now }: Context): Written {
  const { current, others } = choose(wish, seen, memoryOf(row), now());
  const said: MachinePatch = made.sighting === 'gone' ? GONE : {
    // what an answer that was lost would have told is learned here
    ...(seen.app === 'ours' ? { fly_app: wish.app, url: machineUrl(contract.urlTemplate, wish.app) } : {}),
    ...(current === null ? {} : patchOf(current)),
  };
  const phase = nextPhase(row.phase, made.sighting);
  const change = phaseChange(row, made.sighting, now());
  const patch: MachinePatch = {
    ...said,
    ...change.patch,
    ...unreachable(row, seen, now()),
    ...(row.doubt !== null && doubtEnds(row.doubt.at, seen, current, others, now()) ? { doubt: null } : {}),
    // words about the phase before say nothing about this one
    ...(made.detail === undefined && phase === row.phase ? {} : { phase_detail: made.detail ?? null }),
  };
  return { patch: changed(row, patch), events: [...found(row, wish, current), ...change.events] };
}

function found(row: MachineRow, wish: Wish, current: SeenMachine | null): NewEvent[] {
  if (current === null || wish.state === 'destroyed') return [];
  if (row.fly_machine_id === null) return [{ kind: 'machine.adopted', message: `The machine ${current.id} was found in ${current.region}: an earlier request had made it, and its answer was lost.`, data: { machine: current.id } }];
  if (row.fly_machine_id === current.id && row.fly_volume_id !== null && current.volumeId !== null && row.fly_volume_id !== current.volumeId) {
    return [{ kind: 'machine.migrated', message: `Fly moved the machine to another host; its volume is ${current.volumeId} now.`, data: { from: row.fly_volume_id, to: current.volumeId } }];
  }
  return [];
}

/** Since when Fly has not reached the host of one of the machines. */
function unreachable(row: MachineRow, seen: Seen, now: number): MachinePatch {
  if (seen.machines.every((machine) => machine.hostOk)) return { unreachable_since: null };
  return row.unreachable_since === null ? { unreachable_since: new Date(now).toISOString() } : {};
}

/** All was looked at, late enough, and nothing is there that should not be. */
function doubtEnds(at: string, seen: Seen, current: SeenMachine | null, others: readonly SeenMachine[], now: number): boolean {
  if (now - Date.parse(at) < DOUBT_MS) return false;
  return seen.app !== 'ours' || (seen.volumes !== null && others.length === 0 && seen.volumes.every((volume) => (current === null ? volume.attachedTo === null : volume.id === current.volumeId)));
}

/** All is as wished: what runs is a version to go back to, and how long it took is told once. */
export function settled(row: MachineRow, wish: Wish, { contract, now }: Context): Written {
  const known = wish.proven && row.good?.contract === wish.contract;
  if (wish.failure !== null || row.observed_generation === row.generation && (known || wish.state !== 'started')) return { patch: {}, events: [] };
  const good: MachinePatch = wish.state === 'started' && !known ? { good: goodVersion(row, contract, now()) } : {};
  if (row.observed_generation === row.generation) return { patch: good, events: [] };
  const ms = Math.max(0, now() - Date.parse(row.wished_at));
  const what = wish.state === 'started' ? `The machine runs as wished, ${sizeName(wish.size)} in ${wish.region}` : wish.state === 'stopped' ? 'The machine rests as wished' : 'Nothing is left of the machine, as wished';
  return { patch: good, events: [{ kind: 'settled', message: `${what}, after ${(ms / 1_000).toFixed(1)} s.`, data: { ms, generation: row.generation } }] };
}

export function phaseChange(row: MachineRow, sighting: MachineSighting, now: number): Written {
  const phase = nextPhase(row.phase, sighting);
  if (phase === row.phase) return { patch: {}, events: [] };
  return {
    patch: { phase },
    events: [{ kind: 'phase', message: PHASE_SENTENCE[phase], data: { from: row.phase, to: phase, ms: Math.max(0, now - Date.parse(row.phase_since)) } }],
  };
}

const GONE: MachinePatch = { fly_machine_id: null, fly_volume_id: null, fly_instance_id: null, fly_state: null, fly_app: null, url: null };

const PHASE_SENTENCE: Readonly<Record<MachineRow['phase'], string>> = {
  requested: 'A machine was requested.',
  creating: 'The machine is being made.',
  starting: 'The machine is starting.',
  backfilling: 'The machine is loading the history of its markets.',
  screening: 'The machine is screening the market.',
  stopping: 'The machine is stopping.',
  stopped: 'The machine is stopped.',
  failed: 'The machine does not run.',
  destroying: 'The machine is being destroyed.',
  destroyed: 'App, machine, volume and addresses are gone.',
};

function changed(row: MachineRow, patch: MachinePatch): MachinePatch {
  return Object.fromEntries(Object.entries(patch).filter(([key, value]) => row[key as keyof MachinePatch] !== value)) as MachinePatch;
}
