import { inChild } from '../frame/child.ts';
import type { BenchRow } from '../frame/row.ts';

const SYMBOLS = 100;
const WARM = 3_000;
/** Seven days of one-minute candles. */
const PASSES = 10_080;

interface Seen { bytesPerPass: number; collections: number; matches: number }

/** `engine.allocation`: whether screening makes work for the garbage collector while nothing matches. */
export function allocationRow(): BenchRow {
  const run = async (flags: readonly string[]): Promise<Seen> => {
    const seen = await inChild<Seen>('engine/allocation.bench.ts', { flags: ['--expose-gc', ...flags], args: [SYMBOLS, WARM, PASSES].map(String) });
    if (seen.matches > 0) throw new Error(`${seen.matches} matches where there should be none.`);
    return seen;
  };
  const bytes: number[] = [];
  return {
    id: 'engine.allocation', unit: 'collections', must: 0, runs: 3,
    what: `garbage collections in ${PASSES} passes over ${SYMBOLS} symbols (a week of minutes) without a match, in a process of its own with Node's default heap`,
    measure: async () => {
      const { collections, bytesPerPass } = await run([]);
      bytes.push(bytesPerPass);
      return collections;
    },
    // A large young generation, so that no collection hides what was allocated.
    also: async () => [{ name: 'bytes allocated a pass', value: (await run(['--max-semi-space-size=256', '--min-semi-space-size=256'])).bytesPerPass, unit: 'B' }],
  };
}
