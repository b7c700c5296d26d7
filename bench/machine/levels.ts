import type { BenchRow, Figure } from '../frame/row.ts';
import { LEVELS, measureLevel, type LevelName, type Taken } from './load.ts';

const NAMES = Object.keys(LEVELS) as LevelName[];
const MEMORY_MB: Readonly<Record<LevelName, number>> = { idle: 75, live: 110, heavy: 180 };
const IDLE_PRIVATE_MB = 35;
const CPU_PERCENT: Readonly<Record<LevelName, number>> = { idle: 1, live: 5, heavy: 30 };
const HOW = 'each the real bundled process with the image\'s flags, in real time against the exchange stand-in, scraped every 15 s, over 45 s in which a candle of every symbol closes';
const what = NAMES.map((name) => `${name}: ${LEVELS[name].what}`).join('; ');

/** The first level is measured as the row itself, the others beside it. */
function rowOf(id: string, unit: string, musts: Readonly<Record<LevelName, number>>, valueOf: (taken: Taken) => number, more: (taken: Taken, name: LevelName) => Figure[]): BenchRow {
  let idle: Taken | undefined;
  return {
    id, unit, must: musts.idle, runs: 1, what: `${what}; ${HOW}`,
    measure: async () => valueOf((idle = await measureLevel('idle'))),
    also: async () => {
      const all = more(idle!, 'idle');
      for (const name of ['live', 'heavy'] as const) {
        const taken = await measureLevel(name);
        all.push({ name, unit, value: valueOf(taken), must: musts[name] }, ...more(taken, name));
      }
      return all;
    },
  };
}

/** Memory at rest and under load: the most of RSS in the window, and its private part. */
export const memoryRow = (): BenchRow => rowOf('machine.memory', 'MB', MEMORY_MB, ({ rssMb }) => rssMb, ({ anonMb, series, workers, passMs, analyses }, name) => [
  { name: `${name}: private (RssAnon)`, unit: 'MB', value: anonMb, ...(name === 'idle' && { must: IDLE_PRIVATE_MB }) },
  ...(name === 'idle' ? [] : [{ name: `${name}: series followed`, unit: '', value: series }, { name: `${name}: worker threads`, unit: '', value: workers }]),
  ...(name === 'heavy' ? [{ name: `${name}: a pass, all threads together`, unit: 'ms', value: passMs }, { name: `${name}: calls of the model in the window`, unit: '', value: analyses }] : []),
]);

/** The share of one core, at rest and under load. */
export const cpuRow = (): BenchRow => rowOf('machine.cpu', '%', CPU_PERCENT, ({ cpuPercent }) => cpuPercent, ({ candles }, name) => (name === 'idle' ? [] : [{ name: `${name}: candles screened`, unit: '', value: candles }]));
