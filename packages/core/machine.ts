/**
 * The life of a user's machine, as its user sees it.
 *
 *   requested → creating → starting → backfilling → screening
 *                   │          │           └────┬──────┘  ▲
 *                   ▼          ▼                ▼         │
 *                 failed ◄──────────────── (crashed)   starting ◄── stopped ◄── stopping
 *   any → destroying → destroyed
 */
export const MACHINE_PHASES = [
  'requested', 'creating', 'starting', 'backfilling', 'screening', 'stopping', 'stopped', 'failed', 'destroying', 'destroyed',
] as const;
export type MachinePhase = (typeof MACHINE_PHASES)[number];

/** What is wished for a machine. */
export const DESIRED_STATES = ['started', 'stopped', 'destroyed'] as const;
export type DesiredState = (typeof DESIRED_STATES)[number];

/** What was seen of a machine: by the reconciler at Fly, or said by the machine's own beat. */
export const MACHINE_SIGHTINGS = [
  'building', // the reconciler is making the app, volume or machine
  'booting', // the Fly machine exists and is on its way to started, or started without a word from inside yet
  'backfilling', // the machine says that it reads history
  'screening', // the machine says that it screens
  'halting', // a stop was asked for and is under way
  'halted', // Fly shows the machine stopped
  'broken', // it cannot run without someone's help
  'ending', // destruction is under way
  'gone', // app, machine and volume are verified absent
] as const;
export type MachineSighting = (typeof MACHINE_SIGHTINGS)[number];

const everywhere = { broken: 'failed', ending: 'destroying', gone: 'destroyed' } as const;
const alive = { building: 'creating', booting: 'starting', halting: 'stopping', halted: 'stopped', ...everywhere } as const;

/**
 * The next phase for each phase × sighting. Total: the compiler refuses a missing cell. A sighting that cannot be true in a phase keeps
 * the phase (level-based: the next look says it again). A destroyed machine stays destroyed; a machine being destroyed only becomes destroyed.
 */
export const MACHINE_LIFECYCLE: Readonly<Record<MachinePhase, Readonly<Record<MachineSighting, MachinePhase>>>> = {
  requested: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  creating: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  starting: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  backfilling: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  screening: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  stopping: { ...alive, backfilling: 'stopping', screening: 'stopping' },
  stopped: { ...alive, backfilling: 'stopped', screening: 'stopped' },
  failed: { ...alive, backfilling: 'backfilling', screening: 'screening' },
  destroying: {
    building: 'destroying', booting: 'destroying', backfilling: 'destroying', screening: 'destroying', halting: 'destroying',
    halted: 'destroying', broken: 'destroying', ending: 'destroying', gone: 'destroyed',
  },
  destroyed: {
    building: 'destroyed', booting: 'destroyed', backfilling: 'destroyed', screening: 'destroyed', halting: 'destroyed',
    halted: 'destroyed', broken: 'destroyed', ending: 'destroyed', gone: 'destroyed',
  },
};

/** The phase after a sighting. */
export function nextPhase(phase: MachinePhase, sighting: MachineSighting): MachinePhase {
  return MACHINE_LIFECYCLE[phase][sighting];
}

/** Phases in which the machine's own feed can be expected to answer. */
export function isReachable(phase: MachinePhase): boolean {
  return phase === 'backfilling' || phase === 'screening';
}
