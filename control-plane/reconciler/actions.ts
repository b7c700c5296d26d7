import type { MachinePhase, MachineSighting } from '@trademind/core';

/** Why something does not go on, and what a person can do. */
export interface Trouble { code: string; message: string; nextStep?: string }

/** One step. Everything an action needs is in it; what only the step before can know (a new volume's id) is null. */
export type Action =
  | { kind: 'create-app' }
  | { kind: 'create-volume'; region: string }
  | { kind: 'set-secret' }
  | { kind: 'create-machine'; volumeId: string | null }
  | { kind: 'start'; machineId: string }
  | { kind: 'stop'; machineId: string; why: string }
  | { kind: 'update'; machineId: string; volumeId: string; why: string }
  | { kind: 'destroy-machine'; machineId: string }
  | { kind: 'delete-volume'; volumeId: string }
  | { kind: 'delete-app' }
  /** These four end a list of actions: look again after so long; try again ever later; someone must help; nothing to do. */
  | { kind: 'wait'; ms: number }
  | { kind: 'back-off'; trouble: Trouble }
  | { kind: 'give-up'; trouble: Trouble }
  | { kind: 'none' };

export interface Plan {
  sighting: MachineSighting;
  /** What is going on, for people; absent when the machine itself knows better. */
  detail?: string;
  actions: Action[];
}

/** What is remembered of the machine from earlier looks. */
export interface Memory { machineId: string; phase: MachinePhase; phaseSince: number; instanceId: string | null; everMade: boolean }

/** Soon while something is moving, then less and less often. */
export function lookDelay(forMs: number): number {
  if (forMs < 20_000) return 400;
  return forMs < 120_000 ? 1_000 : 5_000;
}
