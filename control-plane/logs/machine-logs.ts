import { isReachable, type LogLine, type MachineLogs } from '@trademind/core';
import type { ReadFlyLogs } from '@trademind/fly';
import type { MachineRow } from '../database/rows.ts';
import { linesOfFailure, linesOfFly, linesOfMachine, windowOf } from './lines.ts';
import type { ReadLiveLog } from './live-log.ts';

const FLY_TIMEOUT_MS = 4_000;

export interface LogSources {
  live: ReadLiveLog;
  /** null: this installation does not read Fly's log API. */
  fly: ReadFlyLogs | null;
  /** Told why a source gave nothing; whoever asks gets what the others have. */
  missed: (source: 'machine' | 'fly', error: unknown) => void;
}

type Subject = Pick<MachineRow, 'id' | 'user_id' | 'url' | 'phase' | 'fly_state' | 'fly_app' | 'fly_machine_id' | 'failure'>;
type Notice = NonNullable<MachineLogs['notice']>;

/**
 * The last lines of a machine from the first source that has some: the machine's own ring, Fly's log of what it wrote, what was kept when its version failed. `whole` is
 * false for an operator, who sees why a machine does not run (the last, which its events show too), and not what it says to its user.
 */
export async function readMachineLogs(row: Subject, wish: { after?: string | undefined; limit: number; whole: boolean }, sources: LogSources, signal: AbortSignal): Promise<MachineLogs> {
  const { source, lines, notice } = await linesOf(row, wish.whole, sources, signal);
  return { ...windowOf(lines, wish), source, notice };
}

interface Found { source: LogLine['source'] | null; lines: LogLine[]; notice: Notice | null }

async function linesOf(row: Subject, whole: boolean, { live, fly, missed }: LogSources, signal: AbortSignal): Promise<Found> {
  let notice: Notice = NOT_YOURS;
  if (whole) {
    notice = restingNotice(row);
    // also a machine that is not ready yet may answer: what it says then is what its user looks for
    if (row.url !== null && (isReachable(row.phase) || row.fly_state === 'started')) {
      try {
        return { source: 'machine', lines: linesOfMachine(await live({ id: row.id, userId: row.user_id, url: row.url }, signal)), notice: null };
      } catch (error) {
        missed('machine', error);
        notice = SILENT;
      }
    }
    if (fly !== null && row.fly_app !== null && row.fly_machine_id !== null) {
      try {
        const lines = linesOfFly(await fly(row.fly_app, row.fly_machine_id, { signal, timeoutMs: FLY_TIMEOUT_MS }));
        if (lines.length > 0) return { source: 'fly', lines, notice };
      } catch (error) {
        missed('fly', error);
      }
    }
  }
  return row.failure === null || row.failure.logs.length === 0 ? { source: null, lines: [], notice } : { source: 'failure', lines: linesOfFailure(row.failure), notice };
}

const NOT_YOURS: Notice = { code: 'operator_view', message: 'An operator sees the last lines of a version that failed, and not what a machine says to its user.', nextStep: 'Ask its user for `trademind logs`.' };
const SILENT: Notice = { code: 'machine_silent', message: 'The machine does not answer at this moment.', nextStep: 'Ask again; its live log is also on its own feed (POST /v1/machines/{id}/ticket).' };
const restingNotice = (row: Subject): Notice => ({
  code: 'machine_not_reachable', message: `The machine is ${row.phase}: it says nothing now.`, nextStep: 'Its events tell what happens to it. Once it runs its live log is here, and on its own feed (POST /v1/machines/{id}/ticket).',
});
