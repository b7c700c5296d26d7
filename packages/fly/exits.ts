import type { MachineEvent } from './shapes.ts';

/** How a run of a machine ended. */
export interface MachineExit {
  /** The process's own exit code; undefined when Fly did not say. */
  exitCode: number | undefined;
  signal: number | undefined;
  oomKilled: boolean;
  /** Somebody asked for the end. */
  requested: boolean;
  /** Fly starts it again by itself. */
  restarting: boolean;
  /** How often it has been started again in a row. */
  restartCount: number | undefined;
  /** ms. */
  at: number;
}

/** What an `exit` event says, in either of the two forms that were seen (`exit_event`, or inside `monitor_event`); null for other events. */
export function exitOf(event: MachineEvent): MachineExit | null {
  if (event.type !== 'exit') return null;
  const exit = event.request?.exit_event ?? event.request?.monitor_event?.exit_event;
  const signal = exit?.guest_signal ?? exit?.signal ?? undefined;
  return {
    exitCode: exit?.guest_exit_code ?? exit?.exit_code ?? undefined, signal: signal === undefined || signal < 0 ? undefined : signal, oomKilled: exit?.oom_killed ?? false,
    requested: exit?.requested_stop ?? false, restarting: exit?.restarting ?? false, restartCount: event.request?.restart_count ?? undefined, at: event.timestamp,
  };
}

/** The newest exit of a machine's events, in whatever order they came. */
export function lastExit(events: readonly MachineEvent[]): MachineExit | null {
  const exits = events.map(exitOf).filter((exit) => exit !== null);
  return exits.reduce<MachineExit | null>((newest, exit) => (newest === null || exit.at > newest.at ? exit : newest), null);
}
