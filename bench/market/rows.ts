import type { BenchRow } from '../frame/row.ts';
import { rows as archive } from './archive.ts';
import { rows as ingest } from './ingest.ts';
import { rows as standIn } from './stand-in.ts';

/** Market data: the candle archive, frames taken in, the exchange stand-in. */
export function rows(): BenchRow[] {
  return [...archive(), ...ingest(), ...standIn()];
}
