import { MACHINE_ENV, NODE_FLAGS } from '../../machine-image/build/node.ts';
import { inChild, type growth } from '../frame/child.ts';
import type { BenchRow } from '../frame/row.ts';

const SYMBOLS = 100;
const HISTORY = 500;
type Grown = ReturnType<typeof growth> & { shared: number };

/** `engine.memory`: what a machine's screening holds, in a process of its own with the settings of a machine. */
export function memoryRow(): BenchRow {
  const seen: { candles: Grown; grew: Grown; held: number }[] = [];
  const most = (figure: (one: (typeof seen)[number]) => number): number => Math.max(...seen.map(figure));
  return {
    id: 'engine.memory', unit: 'MB', must: 30, runs: 3,
    what: `growth of heap, array buffers and shared memory by ${SYMBOLS} symbols × ${HISTORY} candles × 3 intervals (1m, 5m, 1h), the 20 traders of engine.pass warm on each interval`,
    measure: async () => {
      const one = await inChild<(typeof seen)[number]>('engine/memory.bench.ts', { flags: ['--expose-gc', ...NODE_FLAGS], env: MACHINE_ENV, args: [SYMBOLS, HISTORY].map(String) });
      if (one.held !== SYMBOLS * HISTORY * 3) throw new Error(`The screener holds ${one.held} candles.`);
      seen.push(one);
      return one.grew.heap + one.grew.external + one.grew.shared;
    },
    also: async () => [
      { name: 'of it the candles', value: most(({ candles }) => candles.heap + candles.external + candles.shared), unit: 'MB' },
      { name: 'of it the heap', value: most(({ grew }) => grew.heap), unit: 'MB' },
      { name: 'growth of the resident set', value: most(({ grew }) => grew.rss), unit: 'MB' },
    ],
  };
}
