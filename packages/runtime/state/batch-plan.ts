const MOST_ROWS = 1_000;
const RETRY_MS = 60_000;
const CHANCES = 3;

/** A row that could not be written alone although the database was well. */
export interface Suspect { seq: number; failures: number; retryAt: number }

/** How the next batch is chosen: how many rows, and which are passed over for now. */
export interface BatchPlan { rows: number; suspects: readonly Suspect[] }

/**
 * How a batch ended. `refused`: the database will not have it as it is. `failing`: it failed on it. `away`: nothing is known, it may even have
 * been written. Of a batch of one row `failing` is said only when the database was well otherwise.
 */
export type BatchEnd = 'written' | 'refused' | 'failing' | 'away';
/** What is done about it: go on, set the one row aside, or wait until the database is well again. */
export type NextStep = 'go on' | 'set aside' | 'wait';

export const FIRST_PLAN: BatchPlan = { rows: MOST_ROWS, suspects: [] };

/**
 * The plan after a batch. One that is refused is halved until the row at fault stands alone, and that one is set aside. A database that fails is
 * asked for less and less, and for more and more once it answers. A row on which a database that is well fails is passed over for a minute,
 * and set aside when that has happened three times.
 * @param batch seqs of the rows that were sent
 * @param now ms, monotonic
 */
export function planAfter(plan: BatchPlan, batch: readonly number[], end: BatchEnd, now: number): { plan: BatchPlan; next: NextStep } {
  const suspects = plan.suspects.filter(({ seq }) => !batch.includes(seq));
  const [seq] = batch;
  if (end === 'written') return { plan: { rows: Math.min(MOST_ROWS, plan.rows * 2), suspects }, next: 'go on' };
  if (end === 'away' || seq === undefined || batch.length > 1) {
    return { plan: { ...plan, rows: Math.max(1, batch.length >> 1) }, next: end === 'refused' ? 'go on' : 'wait' };
  }
  const failures = (plan.suspects.find((one) => one.seq === seq)?.failures ?? 0) + 1;
  if (end === 'refused' || failures >= CHANCES) return { plan: { ...plan, suspects }, next: 'set aside' };
  return { plan: { ...plan, suspects: [...suspects, { seq, failures, retryAt: now + RETRY_MS }] }, next: 'go on' };
}

/** Which rows may be sent now: a suspect whose minute is over, alone; else all but the suspects. */
export function pickAfter({ suspects }: BatchPlan, now: number): { only: number } | { except: number[] } {
  const due = suspects.find(({ retryAt }) => retryAt <= now);
  return due ? { only: due.seq } : { except: suspects.map(({ seq }) => seq) };
}
