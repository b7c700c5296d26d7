import type { DesiredState } from '@trademind/core';
import type { FlyState, SeenMachine } from './seen.ts';

export type Cell = 'launch' | 'pass' | 'verify' | 'start' | 'revive' | 'stop' | 'rest' | 'destroy';

/**
 * What to do about a machine in each state Fly can show, for each wish. Total: the compiler refuses a missing cell. `destroyed` never gets
 * here (an absent machine is made or left), and a state that Fly invents tomorrow is waited upon.
 */
const CELLS: Readonly<Record<FlyState, Readonly<Record<DesiredState, Cell>>>> = {
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
  launch_failed: { started: 'revive', stopped: 'rest', destroyed: 'destroy' },
  failed: { started: 'revive', stopped: 'rest', destroyed: 'destroy' },
  destroying: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
  destroyed: { started: 'pass', stopped: 'rest', destroyed: 'pass' },
  unknown: { started: 'pass', stopped: 'pass', destroyed: 'pass' },
};

export const MINUTE = 60_000;
/** Longer than this in a passing state, and it will not pass by itself (seen in practice). */
const WEDGED_AFTER: Readonly<Partial<Record<FlyState, number>>> = {
  starting: 5 * MINUTE, stopping: 5 * MINUTE, restarting: 5 * MINUTE, destroying: 5 * MINUTE, creating: 5 * MINUTE, suspending: 5 * MINUTE,
  updating: 10 * MINUTE, replacing: 10 * MINUTE, replaced: 10 * MINUTE, migrated: 10 * MINUTE, unknown: 10 * MINUTE,
};
export function cellFor(state: FlyState, wish: DesiredState): Cell {
  return CELLS[state][wish];
}

export function isWedged(machine: SeenMachine, now: number): boolean {
  const limit = WEDGED_AFTER[machine.state];
  return limit !== undefined && machine.since > 0 && now - machine.since > limit;
}
