import type { MachinePhase } from '@trademind/core';
import { lookDelay, type Action, type Memory, type Plan } from './actions.ts';
import { exitTrouble } from './boot.ts';
import { MINUTE, isWedged } from './cells.ts';
import { beforeReboot } from './drain.ts';
import { isCrash, type Seen, type SeenMachine } from './seen.ts';
import type { Wish } from './wish.ts';

const ALIVE: ReadonlySet<MachinePhase> = new Set(['starting', 'backfilling', 'screening', 'failed']);

/** Fly says started: is it what was asked for, and does the machine itself say that it works? */
export function planRunning(wish: Wish, seen: Seen, memory: Memory, now: number, machine: SeenMachine, others: SeenMachine[]): Plan {
  const restarted = memory.instanceId !== null && machine.instanceId !== memory.instanceId;
  const why = difference(wish, machine);
  const shared = why !== null && isShared(wish, machine);
  // one that does not work has nothing to lose, and one that has just been restarted need not wait for another boot
  const awaitsTurn = shared && memory.turn !== wish.contract && memory.phase === 'screening' && !restarted;
  if (why !== null && !awaitsTurn && machine.volumeId !== null) return planUpdate(wish, memory, machine, machine.volumeId, shared ? 'What all machines are given changed' : why);
  const said = !restarted && (memory.phase === 'backfilling' || memory.phase === 'screening') ? memory.phase : 'booting';
  const sighting = seen.ready === true ? 'screening' : said;
  // the wish that asked for the drain was taken back, or is fulfilled
  const resume: Action[] = memory.drain.askedMs === null ? [] : [{ kind: 'end-drain' }];
  if (sighting !== 'screening') {
    return { sighting, ...(sighting === 'booting' ? { detail: 'The machine runs; it has not said yet that it is ready.' } : {}), actions: [...resume, { kind: 'wait', ms: lookDelay(Math.max(0, now - memory.phaseSince)) }] };
  }
  const tidy: Action[] = [
    ...resume,
    // it has started with the newest: older ones are worth nothing any more
    ...(memory.secretOldest < wish.secret && memory.secretVersion >= wish.secret ? [{ kind: 'retire-secrets', version: wish.secret } as const] : []),
    ...endOthers(others),
    ...spareVolumes(seen, machine, others),
  ];
  return {
    sighting, ...(awaitsTurn ? { awaitsTurn, detail: 'What all machines are given changed: this one takes it when its turn comes.' } : {}),
    actions: [...tidy, others.some((other) => other.state !== 'destroying') ? { kind: 'wait', ms: 500 } : { kind: 'none' }],
  };
}

/** It is as its own wish says: all that differs is what every machine is given. */
function isShared(wish: Wish, machine: SeenMachine): boolean {
  const { before } = wish;
  return before !== null && difference({ ...wish, configHash: before.configHash, envHash: before.envHash ?? machine.envHash ?? '' }, machine) === null;
}

function planUpdate(wish: Wish, memory: Memory, machine: SeenMachine, volumeId: string, why: string): Plan {
  const working = memory.phase === 'screening' || memory.phase === 'backfilling';
  const rest = working ? beforeReboot(memory.drain, why) : null;
  if (rest !== null) return { sighting: memory.phase === 'backfilling' ? 'backfilling' : 'screening', detail: `${why}: the machine finishes its work first.`, actions: rest };
  const update: Action[] = [...newSecret(wish, memory), { kind: 'update', machineId: machine.id, volumeId, why }];
  if (machine.configHash !== wish.configHash) return { sighting: 'booting', detail: `${why}: the machine is updated and restarts.`, actions: [...update, { kind: 'wait', ms: 400 }] };
  // it was asked for already, and what came back still differs: ask again, ever more rarely
  return { sighting: 'booting', actions: [...update, { kind: 'back-off', trouble: { code: 'read_back_differs', message: `${why}, though Fly accepted the configuration.`, nextStep: 'It is sent again.' } }] };
}

export function planStart(wish: Wish, memory: Memory, machine: SeenMachine): Plan {
  // a wish that changed while it was stopped is sent now: an update launches it
  if (difference(wish, machine) !== null && machine.volumeId !== null) {
    return { sighting: 'booting', detail: 'The machine is updated and starts.', actions: [...newSecret(wish, memory), { kind: 'update', machineId: machine.id, volumeId: machine.volumeId, why: 'The wish changed while it was stopped' }, { kind: 'wait', ms: 400 }] };
  }
  const start: Action = { kind: 'start', machineId: machine.id };
  if (ALIVE.has(memory.phase) && machine.exit !== null && isCrash(machine.exit)) return { sighting: 'broken', actions: [start, { kind: 'back-off', trouble: exitTrouble(machine) }] };
  return { sighting: 'booting', detail: 'The machine starts.', actions: [start, { kind: 'wait', ms: 400 }] };
}

/** A secret that was wished anew is set before the machine restarts for it. Rows of before secrets had versions hold their first. */
export function newSecret(wish: Wish, memory: Memory): Action[] {
  return Math.max(1, memory.secretVersion) < wish.secret ? [{ kind: 'set-secret', version: wish.secret }] : [];
}

/** How what Fly shows differs from the wish, in words; null when it does not. */
export function difference(wish: Wish, machine: SeenMachine): string | null {
  if (machine.image !== wish.image) return 'Another image is wished';
  const { size } = machine;
  if (size !== null && (size.cpuKind !== wish.size.cpuKind || size.cpus !== wish.size.cpus || size.memoryMb !== wish.size.memoryMb)) return 'Another size is wished';
  if (machine.configHash !== wish.configHash) return 'Its configuration changed';
  if (machine.digest !== null && !wish.image.endsWith(machine.digest)) return 'It runs another image than it was given';
  return machine.envHash === null || machine.envHash === wish.envHash ? null : 'Its environment is not what it was given';
}

export const endOthers = (others: readonly SeenMachine[]): Action[] => others
  .filter((machine) => machine.state !== 'destroying')
  .map((machine) => ({ kind: 'destroy-machine', machineId: machine.id }));

/** Volumes that a lost answer or a machine before left behind, once nobody else could want them. */
export const spareVolumes = (seen: Seen, machine: SeenMachine, others: readonly SeenMachine[]): Action[] => (others.length > 0 || machine.volumeId === null ? [] : (seen.volumes ?? [])
  .filter((volume) => volume.attachedTo === null && volume.id !== machine.volumeId)
  .map((volume) => ({ kind: 'delete-volume', volumeId: volume.id })));

const MAY_RUN: ReadonlySet<SeenMachine['state']> = new Set(['creating', 'starting', 'started', 'restarting', 'updating', 'replacing', 'suspending', 'unknown']);

/** A machine made without `skip_launch` leaves `created` by itself; one that has not by then does not. */
export const CREATED_GRACE = MINUTE;

/** Still able to act for its user, or about to be: it must be stopped before another machine of the same user starts. */
export const mayRun = (machine: SeenMachine, now: number): boolean => MAY_RUN.has(machine.state)
  || (machine.state === 'created' && now - machine.since <= CREATED_GRACE)
  // Fly launches it again by itself
  || (machine.state === 'launch_failed' && !isWedged(machine, now));

const STOPPABLE: ReadonlySet<SeenMachine['state']> = new Set(['started', 'starting', 'launch_failed']);

/** Stops the machines that may act beside the one that is wished; those that Fly does not get out of a passing state by force. A state that is not understood is waited upon. */
export const stopOthers = (awake: readonly SeenMachine[], why: string, now: number): Action[] => awake
  .filter((machine) => STOPPABLE.has(machine.state) || (machine.state !== 'unknown' && isWedged(machine, now)))
  .map((machine) => ({ kind: 'stop', machineId: machine.id, why, force: isWedged(machine, now) }));
