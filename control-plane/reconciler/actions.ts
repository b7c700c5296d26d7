import type { MachinePhase, MachineSighting } from '@trademind/core';
import type { DrainState } from './drain.ts';
import type { Exit } from './seen.ts';

/** Why something does not go on, and what a person can do. */
export interface Trouble { code: string; message: string; nextStep?: string }

/** One step. Everything an action needs is in it; what only the step before can know (a new volume's id) is null. */
export type Action =
  | { kind: 'create-app' }
  | { kind: 'create-ip'; type: 'shared_v4' | 'v6' }
  | { kind: 'create-volume'; region: string }
  | { kind: 'set-secret'; version: number }
  | { kind: 'retire-secrets'; version: number }
  | { kind: 'create-machine'; volumeId: string | null }
  | { kind: 'start'; machineId: string }
  | { kind: 'stop'; machineId: string; why: string; force: boolean }
  | { kind: 'update'; machineId: string; volumeId: string; why: string }
  | { kind: 'destroy-machine'; machineId: string }
  /** Ends it by force; its successor has another name. */
  | { kind: 'replace-machine'; machineId: string; why: string }
  | { kind: 'delete-volume'; volumeId: string }
  | { kind: 'release-ip'; ip: string }
  | { kind: 'delete-app' }
  /** Asks the machine to finish its work first, and takes that back. */
  | { kind: 'drain'; why: string }
  | { kind: 'end-drain' }
  /** The version that is wished does not work: goes back to the one that did. */
  | { kind: 'give-up-version'; trouble: Trouble; exit: Exit | null }
  /** These four end a list of actions: look again after so long; try again ever later; someone must help; nothing to do. */
  | { kind: 'wait'; ms: number }
  | { kind: 'back-off'; trouble: Trouble }
  | { kind: 'give-up'; trouble: Trouble }
  | { kind: 'none' };

export interface Plan {
  sighting: MachineSighting;
  /** What is going on, for people; absent when the machine itself knows better. */
  detail?: string;
  /** It works, and is not yet given what all machines are given: its turn has not come. */
  awaitsTurn?: true;
  actions: Action[];
}

/** What is remembered of the machine from earlier looks. Times in ms. */
export interface Memory {
  machineId: string;
  phase: MachinePhase;
  phaseSince: number;
  flyMachineId: string | null;
  instanceId: string | null;
  everMade: boolean;
  /** The secret last set at Fly, and the oldest that is still valid. */
  secretVersion: number;
  secretOldest: number;
  /** When the present configuration was given, on Fly's clock; 0 = not known. */
  configSentAt: number;
  /** Since when Fly has not reached its host. */
  unreachableSince: number | null;
  /** The last write, when nobody knows whether it happened. */
  doubt: { kind: string; at: number } | null;
  attempts: number;
  /** When the present wish was made. */
  wishedAt: number;
  /** The contract that it is its turn to take; null: none. */
  turn: string | null;
  drain: DrainState;
}

/** Soon while something is moving, then less and less often. */
export function lookDelay(forMs: number): number {
  if (forMs < 20_000) return 400;
  return forMs < 120_000 ? 1_000 : 5_000;
}
