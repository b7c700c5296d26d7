import type { BenchRow } from '../frame/row.ts';
import { rows as archive } from './archive.ts';
import { rows as standIn } from './stand-in.ts';

/** Market data: the candle archive, the exchange stand-in. */
export function rows(): BenchRow[] {
  return [...archive(), ...standIn()];
}
