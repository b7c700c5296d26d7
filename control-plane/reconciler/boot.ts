import type { Memory, Trouble } from './actions.ts';
import { MINUTE } from './cells.ts';
import { isCrash, type SeenMachine } from './seen.ts';

/** A version that ended so often by itself does not work. */
const CRASHES = 3;
/** A machine that runs and yet has not said a word for so long does not work either; one that reads history has said so. */
const SILENT_BOOT = 10 * MINUTE;
/** Fly could not even launch it so often. */
const LAUNCHES = 5;

/** Why a version that was never ready does not work; null as long as it may. */
export function bootFailure(machine: SeenMachine, memory: Memory, now: number): Trouble | null {
  // what was before this configuration says nothing of it; where nobody knows since when it has had it, nothing is held against it
  const since = Math.max(memory.configSentAt, machine.configuredAt);
  const crashes = since === 0 ? [] : machine.exits.filter((exit) => isCrash(exit) && exit.at >= since);
  if (crashes.length >= CRASHES && !(machine.state === 'started' && memory.phase === 'screening')) {
    const trouble = exitTrouble(machine);
    return { ...trouble, message: `${trouble.message} It did so ${crashes.length} times.` };
  }
  if (machine.state === 'started' && memory.phase === 'starting' && now - memory.phaseSince > SILENT_BOOT) {
    return { code: 'boot_timeout', message: 'The machine runs, but has not become ready within 10 minutes.', nextStep: 'Its logs say what it waits for.' };
  }
  if ((machine.state === 'failed' || machine.state === 'launch_failed') && memory.attempts >= LAUNCHES) {
    return { code: 'launch_failed', message: `Fly could not launch the machine ${memory.attempts} times.`, nextStep: 'Its events at Fly say why; ask the operator.' };
  }
  return null;
}

/** How the machine's last run ended, for its user. */
export function exitTrouble(machine: SeenMachine): Trouble {
  const { exit } = machine;
  if (exit?.oomKilled) return { code: 'machine_out_of_memory', message: 'The machine ran out of memory.', nextStep: 'Give it more memory (PATCH size), or screen fewer symbols.' };
  return {
    code: 'machine_crashed',
    message: exit === null || exit.code === null ? `Fly shows the machine as ${machine.word}.` : `The machine ended with exit code ${exit.code}.`,
    nextStep: 'It is started again, ever later; its logs say why it ended.',
  };
}
