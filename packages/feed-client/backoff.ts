/** Wait (ms) before try number `attempt` (from 0): doubles from `baseMs` to `capMs`; the upper half of it is left to chance, so that clients do not return in step. */
export function backoffMs(attempt: number, { baseMs, capMs }: { baseMs: number; capMs: number }, random: () => number): number {
  const full = Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
  return full / 2 + random() * (full / 2);
}
