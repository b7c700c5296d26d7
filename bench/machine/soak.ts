import type { BenchRow } from '../frame/row.ts';
import { marketTime, wait } from '../market/exchange-process.ts';
import { figures, startLoaded, startWorld, twenty } from './load.ts';
import { handlesOf, memoryOf } from './machine-process.ts';

const SPEED = 60;
const LOOK_MS = 1_000;
/** Until caches and compiled code are there: this part of the day is not counted. */
const SETTLE_SHARE = 0.25;
/** What counts as flat: less than this in an hour of the market, over a whole day; the collector alone comes and goes by some MB. */
const FLAT_MB_PER_HOUR = 0.5;

interface Look { atS: number; rss: number; anon: number; files: number; threads: number }

/** Growth by the line of least squares through the looks, a second. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (pick: 0 | 1) => points.reduce((sum, point) => sum + point[pick], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  return points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/** A trading day at ×60: what the machine's memory and handles do meanwhile. */
export function soakRow({ hours = 8 }: { hours?: number | undefined } = {}): BenchRow {
  const looks: Look[] = [];
  let candles = 0;
  let signals = 0;
  return {
    id: 'machine.soak', unit: 'MB/h', must: FLAT_MB_PER_HOUR, runs: 1,
    what: `${hours} hours of the market at ×${SPEED} (${hours} minutes): 20 traders × 100 symbols on 1m, two clients of the feed, one vCPU; growth of the process's private memory in an hour of the market, by the line of least squares over the last ${(1 - SETTLE_SHARE) * 100} %`,
    measure: async () => {
      const world = await startWorld({ symbols: 104, speed: SPEED });
      try {
        const loaded = await startLoaded(world, twenty('1m'), { cpus: 1 });
        await loaded.connect(2);
        const { process } = loaded;
        const [began, marketBegan] = [performance.now(), await marketTime(world.exchange)];
        while ((await marketTime(world.exchange)) - marketBegan < hours * 3_600_000) {
          await wait(LOOK_MS);
          looks.push({ atS: (performance.now() - began) / 1_000, ...memoryOf(process.pid), ...handlesOf(process.pid) });
        }
        const read = await figures(process);
        [candles, signals] = [read('trademind_candles_total'), read('trademind_signals_total\\{origin="live"\\}')];
        await loaded.stop();
        const counted = looks.slice(Math.floor(looks.length * SETTLE_SHARE));
        return slope(counted.map(({ atS, anon }) => [atS, anon])) * (3_600 / SPEED);
      } finally {
        await world.close();
      }
    },
    also: () => {
      const counted = looks.slice(Math.floor(looks.length * SETTLE_SHARE));
      const [first, last] = [counted[0]!, counted.at(-1)!];
      const most = (pick: 'files' | 'threads' | 'rss') => Math.max(...counted.map((look) => look[pick]));
      return Promise.resolve([
        { name: 'memory (RSS), first look counted', unit: 'MB', value: first.rss }, { name: 'memory (RSS), last look', unit: 'MB', value: last.rss }, { name: 'memory (RSS), most', unit: 'MB', value: most('rss') },
        { name: 'open files and sockets, growth', unit: '', value: last.files - first.files, must: 2 }, { name: 'open files and sockets, most', unit: '', value: most('files') },
        { name: 'threads, growth', unit: '', value: last.threads - first.threads, must: 0 },
        { name: 'candles screened', unit: '', value: candles }, { name: 'live signals', unit: '', value: signals },
      ]);
    },
  };
}
