import type { DesiredState } from '@trademind/core';
import type { FlyState, SeenMachine } from './seen.ts';

export type Cell = 'launch' | 'pass' | 'verify' | 'start' | 'revive' | 'stop' | 'rest' | 'destroy' | 'force' | 'replace' | 'watch' | 'leave';

type Cells = Readonly<Record<FlyState, Readonly<Record<DesiredState, Cell>>>>;

/**
 * What to do about a machine in each state Fly can show, for each wish. Total: the compiler refuses a missing cell. `destroyed` never gets
 * here (an absent machine is made or left), and a state that Fly invents tomorrow is waited upon.
 */
const CELLS: Cells = {
  created: { started: 'launch', stopped: 'rest', destroyed: 'destroy' },
  creating: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  starting: { started: 'pass', stopped: 'stop', destroyed: 'stop' },
  started: { started: 'verify', stopped: 'stop', destroyed: 'stop' },
  stopping: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  stopped: { started: 'start', stopped: 'rest', destroyed: 'destroy' },
  suspending: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  suspended: { started: 'start', stopped: 'rest', destroyed: 'destroy' },
  restarting: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  updating: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  replacing: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  replaced: { started: 'pass', stopped: 'pass', destroyed: 'destroy' },
  migrated: { started: 'pass', stopped: 'pass', destroyed: 'destroy' },
  launch_failed: { started: 'revive', stopped: 'stop', destroyed: 'destroy' },
  failed: { started: 'revive', stopped: 'rest', destroyed: 'destroy' },
  destroying: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  destroyed: { started: 'pass', stopped: 'rest', destroyed: 'pass' },
  unknown: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
};

/**
 * The same for a state that did not pass in its time: first a stop by force, which brings most machines to rest; what is being destroyed or
 * has gone elsewhere is given up for a new machine; what we do not understand is watched and never touched unless it is to go.
 */
const WEDGED: Cells = {
  ...CELLS,
  creating: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  starting: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  stopping: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  suspending: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  restarting: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  updating: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  replacing: { started: 'force', stopped: 'force', destroyed: 'destroy' },
  launch_failed: { started: 'revive', stopped: 'rest', destroyed: 'destroy' },
  replaced: { started: 'replace', stopped: 'leave', destroyed: 'destroy' },
  migrated: { started: 'replace', stopped: 'leave', destroyed: 'destroy' },
  destroying: { started: 'replace', stopped: 'leave', destroyed: 'destroy' },
  unknown: { started: 'watch', stopped: 'watch', destroyed: 'destroy' },
};

/** On a host that Fly cannot reach nothing is concluded; only when it stays away is the machine given up for another. */
const UNREACHABLE: Readonly<Record<DesiredState, Cell>> = { started: 'watch', stopped: 'watch', destroyed: 'destroy' };
const LOST: Readonly<Record<DesiredState, Cell>> = { started: 'replace', stopped: 'watch', destroyed: 'destroy' };

export const MINUTE = 60_000;
/** A host that is away for longer is not waited for. */
export const HOST_LOST_AFTER = 10 * MINUTE;
/** Longer than this in a passing state, and it will not pass by itself (seen in practice). */
const WEDGED_AFTER: Readonly<Partial<Record<FlyState, number>>> = {
  starting: 5 * MINUTE, stopping: 5 * MINUTE, restarting: 5 * MINUTE, destroying: 5 * MINUTE, creating: 5 * MINUTE, suspending: 5 * MINUTE, launch_failed: 5 * MINUTE,
  updating: 10 * MINUTE, replacing: 10 * MINUTE, replaced: 10 * MINUTE, migrated: 10 * MINUTE, unknown: 10 * MINUTE,
};
/** A stop by force that has not helped after so many times its patience will not help any more. */
const HOPELESS = 3;

/** What to do about a machine; `unreachableSince`: since when Fly has not reached its host. */
export function cellFor(machine: SeenMachine, wish: DesiredState, unreachableSince: number | null, now: number): Cell {
  if (!machine.hostOk) return (isHostLost(machine, unreachableSince, now) ? LOST : UNREACHABLE)[wish];
  if (!isWedged(machine, now)) return CELLS[machine.state][wish];
  const cell = WEDGED[machine.state][wish];
  return cell === 'force' && wish === 'started' && isWedged(machine, now, HOPELESS) ? 'replace' : cell;
}

export function isWedged(machine: SeenMachine, now: number, times = 1): boolean {
  const limit = WEDGED_AFTER[machine.state];
  return limit !== undefined && machine.since > 0 && now - machine.since > limit * times;
}

export function isHostLost(machine: SeenMachine, unreachableSince: number | null, now: number): boolean {
  return !machine.hostOk && unreachableSince !== null && now - unreachableSince > HOST_LOST_AFTER;
}

/** It will never be a running machine again: its name and its volume are not waited for. */
export function isLost(machine: SeenMachine, unreachableSince: number | null, now: number): boolean {
  if (isHostLost(machine, unreachableSince, now)) return true;
  return machine.hostOk ? (machine.state === 'destroying' || machine.state === 'replaced' || machine.state === 'migrated') && isWedged(machine, now) : machine.state === 'destroying';
}
