import type { BenchRow } from '../frame/row.ts';
import { rows as archive } from './archive.ts';
import { rows as backfill } from './backfill.ts';
import { rows as ingest } from './ingest.ts';
import { rows as liveLoad } from './live-load.ts';
import { rows as standIn } from './stand-in.ts';

/** Market data: frames taken in, a live hour, history, the candle archive, the exchange stand-in. */
export function rows(): BenchRow[] {
  return [...ingest(), ...liveLoad(), ...backfill(), ...archive(), ...standIn()];
}
