import type { BenchRow } from '../frame/row.ts';
import { apiRow } from './api.ts';
import { deploysRow } from './deploys.ts';
import { overheadRow } from './overhead.ts';
import { growthRow, sweepRow } from './sweep.ts';

/** Rows of the control plane by id; each makes ready what it needs when it is asked for. */
export const ROWS: Readonly<Record<string, () => BenchRow>> = {
  'control-plane.sweep': sweepRow,
  'control-plane.deploys': deploysRow,
  'control-plane.overhead': overheadRow,
  'control-plane.api': apiRow,
  'control-plane.growth': growthRow,
};
