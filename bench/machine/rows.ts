import type { BenchRow } from '../frame/row.ts';
import { batchWriteRow } from './batch-write.ts';
import { cpuRow, memoryRow } from './levels.ts';
import { startRow } from './start.ts';

/** Rows of a user's machine by id; each makes ready what it needs when it is asked for. */
export const ROWS: Readonly<Record<string, () => BenchRow>> = {
  'machine.batch-write': batchWriteRow,
  'machine.memory': memoryRow,
  'machine.cpu': cpuRow,
  'machine.start': startRow,
};
