import type { BenchRow, RowOptions } from '../frame/row.ts';
import { batchWriteRow } from './batch-write.ts';
import { feedCompressionRow } from './feed-compression.ts';
import { feedLatencyRow } from './feed-latency.ts';
import { cpuRow, memoryRow } from './levels.ts';
import { signalLatencyRow } from './signal-latency.ts';
import { soakRow } from './soak.ts';
import { startRow } from './start.ts';

/** Rows of a user's machine by id; each makes ready what it needs when it is asked for. */
export const ROWS: Readonly<Record<string, (options?: RowOptions) => BenchRow>> = {
  'machine.batch-write': batchWriteRow,
  'machine.feed-compression': feedCompressionRow,
  'machine.feed-latency': feedLatencyRow,
  'machine.memory': memoryRow,
  'machine.cpu': cpuRow,
  'machine.signal-latency': signalLatencyRow,
  'machine.start': startRow,
  'machine.soak': soakRow,
};
