import { rows as standIn } from './stand-in.ts';
import type { BenchRow } from '../frame/row.ts';

/** Market data: the exchange stand-in. */
export function rows(): BenchRow[] {
  return standIn();
}
