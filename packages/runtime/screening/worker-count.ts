/** What a pass costs and what there is to do it with. */
export interface ScreeningLoad {
  /** Time that screening one close on all symbols takes, all threads together (ms). */
  readonly passMs: number;
  /** Worker threads now. */
  readonly workers: number;
  /** vCPUs of this machine. */
  readonly cpus: number;
}

/** Above this a pass on the main thread would be felt by those whom it serves. */
const FELT_MS = 5;
/** What a worker may take for its part of a pass. */
const PART_MS = 20;
const MOST = 8;

/**
 * How many worker threads the load wants, 0 to 8 and never more than vCPUs: none while a pass is not felt, and none on a single vCPU, where a thread takes memory and gives no time. It grows at once and shrinks only when the load has fallen to half of what the
 * smaller number would bear, so that a steady load never makes it go to and fro.
 */
export function workersWanted({ passMs, workers, cpus }: ScreeningLoad): number {
  const most = cpus < 2 ? 0 : Math.min(MOST, Math.floor(cpus));
  const enough = (load: number): number => (load <= FELT_MS ? 0 : Math.min(most, Math.ceil(load / PART_MS)));
  const grown = enough(passMs);
  if (grown >= workers) return Math.min(most, grown);
  return Math.min(most, workers, Math.max(grown, enough(passMs * 2)));
}
