import { RECOVERED_AFTER_MS, restarts } from './next-move.ts';
import type { Exit, MachineEventRow, MachineRow } from './types.ts';

type NewEvent = Omit<MachineEventRow, 'id' | 'timestamp'>;

/**
 * Writes into the row of a machine whose run has ended what follows: it is started again, rests, or goes. `halting`: its end was asked for by this stand-in. Answers what is to be told,
 * and whether it is to come up again by itself, which takes a back-off.
 */
export function afterExit(row: MachineRow, exit: Exit, options: { halting: boolean; now: number }): { events: NewEvent[]; retry: boolean } {
  if (!row.run) return { events: [], retry: false };
  // also when the stand-in was killed between asking for the end and seeing it
  const requested = options.halting || row.goal !== 'started' || row.run.boot !== row.boot;
  if (options.now - row.run.startedAt >= RECOVERED_AFTER_MS) row.restartCount = 0;
  row.run = null;
  const again = row.goal === 'started' && (requested || restarts(row.config, exit, row.restartCount));
  if (!again && (row.goal === 'started' || row.goal === 'suspended')) row.goal = row.config.auto_destroy ? 'destroyed' : 'stopped';
  if (row.goal === 'stopped') {
    row.state = 'stopped';
    row.stopWith = null;
  }
  const retry = again && !requested;
  if (retry) {
    row.state = 'starting';
    row.restartCount += 1;
  }
  const ended: NewEvent = {
    type: 'exit', status: 'stopped', source: 'flyd',
    request: {
      exit_event: {
        exit_code: exit.exitCode, guest_exit_code: exit.exitCode, signal: exit.signal, guest_signal: exit.signal, oom_killed: exit.oomKilled,
        requested_stop: requested, restarting: again, exited_at: new Date(options.now).toISOString(),
      },
      restart_count: row.restartCount,
    },
  };
  return { events: retry ? [ended, { type: 'restart', status: 'starting', source: 'flyd' }] : [ended], retry };
}
