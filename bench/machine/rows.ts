import type { BenchRow } from '../frame/row.ts';
import { batchWriteRows } from './batch-write.ts';

/** A user's machine. */
export function rows(): BenchRow[] {
  return [...batchWriteRows];
}
