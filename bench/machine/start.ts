import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchRow } from '../frame/row.ts';
import { startLoaded, startWorld, twenty, type World } from './load.ts';

const RUNS = 5;
const WITH_SNAPSHOT_S = 0.6;
const WITHOUT_S = 4;

/** From the start of the process to `/ready`, 20 traders × 100 symbols: with the snapshot that the run before it left, and without any. */
export function startRow(): BenchRow {
  let world: World | undefined;
  const withoutS: number[] = [];
  return {
    id: 'machine.start', unit: 's', must: WITH_SNAPSHOT_S, runs: RUNS,
    what: '20 traders × 100 symbols on 5m, one vCPU: from the start of the process to ready with a snapshot; a run without one (all history fetched from the exchange stand-in and screened) comes before each',
    measure: async () => {
      world ??= await startWorld({ symbols: 104, speed: 1 });
      const dataDir = mkdtempSync(join(world.folder, 'start-'));
      const first = await startLoaded(world, twenty(), { cpus: 1, dataDir });
      withoutS.push(first.process.readyAfterMs / 1_000);
      await first.stop();
      const second = await first.again();
      await second.stop();
      return second.process.readyAfterMs / 1_000;
    },
    also: async () => {
      await world?.close();
      const sorted = withoutS.toSorted((a, b) => a - b);
      return [{ name: 'without a snapshot, median', unit: 's', value: sorted[sorted.length >> 1]!, must: WITHOUT_S }];
    },
  };
}
