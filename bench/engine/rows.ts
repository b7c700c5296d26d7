import type { BenchRow } from '../frame/row.ts';
import { addTraderRow } from './add-trader.ts';
import { allocationRow } from './allocation.ts';
import { driftRow } from './drift.ts';
import { memoryRow } from './memory.ts';
import { passRow } from './pass.ts';
import { warmupRow } from './warmup.ts';
import { wideRow } from './wide.ts';
import { workersRow } from './workers.ts';

/** The engine's table. */
export const ROWS: Readonly<Record<string, () => BenchRow>> = {
  'engine.pass': passRow,
  'engine.warmup': warmupRow,
  'engine.wide': wideRow,
  'engine.memory': memoryRow,
  'engine.add-trader': addTraderRow,
  'engine.workers': workersRow,
  'engine.allocation': allocationRow,
  'engine.drift': driftRow,
};
