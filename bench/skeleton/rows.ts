import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { newDataDir, removeDataDir, startPlatform, type Platform } from '../../tests/support/platform.ts';
import { recordings } from '../../tests/support/recordings.ts';
import type { BenchRow } from '../frame/row.ts';

const seconds = (ms: number) => ms / 1000;

/** Runs `body` with a data folder that is removed afterwards. */
async function inDataDir<T>(body: (dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = newDataDir();
  try {
    return await body(dataDir);
  } finally {
    await removeDataDir(dataDir);
  }
}

async function ended(platform: Platform): Promise<void> {
  const code = await platform.stop();
  if (code !== 0) throw new Error(`The platform ended with status ${code}.\n${platform.stderr()}`);
}

/** The whole platform as a user starts it: from the command to what it says. */
export function rows(): BenchRow[] {
  const market = recordings('klines') ?? 'simulated';
  return [
    {
      id: 'skeleton.boot', unit: 's', must: 8, runs: 5,
      what: '`npm start` with an empty data folder on an installed clone: from the command to ready (the machine screens)',
      measure: () => inDataDir(async (dataDir) => {
        const platform = await startPlatform({ market, dataDir });
        await ended(platform);
        return seconds(platform.readyAfterMs);
      }),
    },
    {
      id: 'skeleton.restart', unit: 's', must: 5, runs: 5,
      what: 'a second start on the same data folder: from the command to ready (the same machine screens again)',
      measure: () => inDataDir(async (dataDir) => {
        await ended(await startPlatform({ market, dataDir }));
        const second = await startPlatform({ market, dataDir });
        await ended(second);
        return seconds(second.readyAfterMs);
      }),
    },
    {
      id: 'skeleton.first-signal', unit: 's', must: 25, runs: 5,
      what: `from the command to the first live signal at ×60 on ${market === 'simulated' ? 'the simulated market' : 'the recorded candles'}`,
      measure: () => inDataDir(async (dataDir) => {
        const began = performance.now();
        const platform = await startPlatform({ market, dataDir });
        await platform.line((line) => line.event === 'signal', 120_000);
        const took = performance.now() - began;
        await ended(platform);
        return seconds(took);
      }),
    },
    {
      id: 'skeleton.test-time', unit: 's', must: 360, runs: 1,
      what: '`npm test` on an installed clone, coverage included',
      measure: () => new Promise<number>((resolve, reject) => {
        const began = performance.now();
        const child = spawn('npm', ['test'], { cwd: join(import.meta.dirname, '../..'), stdio: 'ignore' });
        child.once('error', reject);
        child.once('exit', (code) => {
          if (code === 0) resolve(seconds(performance.now() - began));
          else reject(new Error(`npm test ended with status ${code}: run it to see why.`));
        });
      }),
    },
  ];
}
