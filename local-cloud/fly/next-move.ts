import type { Exit, MachineConfig, MachineRow } from './types.ts';

export type Move = 'rest' | 'wait' | 'launch' | 'halt' | 'freeze' | 'thaw' | 'settle' | 'bury';

/** What a machine needs next to become what is wished. Pure: a stand-in that was killed in the middle goes on from the row alone. */
export function nextMove(machine: Pick<MachineRow, 'goal' | 'run' | 'boot' | 'state' | 'destroyedAt'>, retryAt: number, now: number): Move {
  if (machine.destroyedAt !== null) return 'rest';
  switch (machine.goal) {
    case 'created': return machine.run ? 'halt' : 'rest';
    case 'destroyed': return machine.run ? 'halt' : 'bury';
    case 'suspended':
      if (machine.run) return machine.run.frozen ? 'rest' : 'freeze';
      return 'settle';
    case 'stopped':
      if (machine.run) return 'halt';
      return machine.state === 'stopped' || machine.state === 'failed' ? 'rest' : 'settle';
    default: // started
      if (machine.run) return machine.run.boot === machine.boot ? machine.run.frozen ? 'thaw' : 'rest' : 'halt';
      return retryAt > now ? 'wait' : 'launch';
  }
}

/** How long to wait before a machine that ended `restarts` times in a row is started again: 0.2 s, doubled up to 10 s. */
export const backoffMs = (restarts: number): number => Math.min(200 * 2 ** Math.max(0, restarts - 1), 10_000);

/** A machine that ran this long has recovered: its next restart is the first again. */
export const RECOVERED_AFTER_MS = 60_000;

/** Whether the restart policy starts a machine again that ended by itself. */
export function restarts(config: MachineConfig, exit: Exit, restartCount: number): boolean {
  switch (config.restart?.policy ?? 'on-failure') {
    case 'always': return true;
    case 'no': return false;
    // Fly gives up after ten failures in a row unless told otherwise
    default: return exit.exitCode !== 0 && restartCount < (config.restart?.max_retries ?? 10);
  }
}

/** How a machine is asked to end: by the request, else its configuration, else as Fly does by default (SIGINT, 5 s). One that is suspended can hear nothing. */
export function haltOf(machine: Pick<MachineRow, 'stopWith' | 'config' | 'run'>, parse: (value: unknown) => number | null): { signal: string; timeoutMs: number } {
  if (machine.run?.frozen) return { signal: 'SIGKILL', timeoutMs: 0 };
  const configured = machine.config.stop_config;
  return {
    signal: machine.stopWith?.signal ?? configured?.signal ?? 'SIGINT',
    timeoutMs: machine.stopWith?.timeoutMs ?? parse(configured?.timeout) ?? 5000,
  };
}
