import { expect, test } from 'vitest';
import { PassLoad } from './pass-load.ts';

const MINUTE = 60_000;

/** Passes of so many ms each, of which so many for candles. */
function passes(load: PassLoad, costs: readonly (readonly [ms: number, candlesMs?: number])[]): void {
  for (const [at, [ms, candlesMs]] of costs.entries()) {
    load.closed((at + 1) * MINUTE, at * MINUTE, (at + 1) * MINUTE, 1);
    load.worked(ms, candlesMs);
  }
  load.closed((costs.length + 1) * MINUTE, costs.length * MINUTE, (costs.length + 1) * MINUTE, 1);
}

test('a thread that begins, or is paused by other programs, makes no pass dearer; it counts as work all the same', () => {
  const load = new PassLoad();
  passes(load, [[600, 0], [300, 8], [12, 8], [250, 9], [9, 9]]);
  expect([load.passMs, load.known, load.busyMs]).toEqual([8, true, 1_171]);
});

test('what is timed by the clock alone counts whole; after a change of threads passes are counted anew', () => {
  const load = new PassLoad();
  passes(load, [[6], [7], [100], [6], [8]]);
  expect(load.passMs).toBe(7);
  load.restart();
  expect([load.passMs, load.known]).toEqual([0, false]);
});
