import { MACHINE_ENV, NODE_FLAGS } from '../../machine-image/build/node.ts';
import { inChild, type growth } from '../frame/child.ts';
import type { BenchRow } from '../frame/row.ts';

const TRADERS = 1_000;
const SYMBOLS = 500;
const HISTORY = 500;
const PASSES = 150;
/** Passes until the compiler has done its work; a machine has them behind it within half an hour. */
const COLD = 30;

/** `engine.wide`: a crowd of traders on a whole exchange, in a process of its own with the settings of a machine. */
export function wideRow(): BenchRow {
  const grown: (ReturnType<typeof growth> & { shared: number })[] = [];
  return {
    id: 'engine.wide', unit: 'ms', must: 25, runs: 3,
    what: `one closed candle on each of ${SYMBOLS} symbols, ${TRADERS} traders that combine 66 conditions over less than 200 distinct nodes, ${HISTORY} candles kept, one thread`,
    measure: async () => {
      const { took, grew } = await inChild<{ took: number[]; grew: (typeof grown)[number] }>('engine/wide.bench.ts', { flags: ['--expose-gc', ...NODE_FLAGS], env: MACHINE_ENV, args: [SYMBOLS, TRADERS, HISTORY, PASSES].map(String) });
      grown.push(grew);
      return took.slice(COLD);
    },
    also: async () => [
      { name: 'memory: candles, graph and traders', value: Math.max(...grown.map(({ heap, external, shared }) => heap + external + shared)), unit: 'MB', must: 150 },
      { name: 'growth of the resident set', value: Math.max(...grown.map(({ rss }) => rss)), unit: 'MB', must: 150 },
    ],
  };
}
