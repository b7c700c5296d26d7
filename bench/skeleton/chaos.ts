import { setTimeout as sleep } from 'node:timers/promises';
import { compareWithOracle } from '../../tests/journeys/compare.ts';
import { countMachines, kill, pauses, untilCalm, untilReplaced, type Victim } from '../../tests/journeys/harm.ts';
import { removeDataDir, startPlatform } from '../../tests/support/platform.ts';
import { recordings } from '../../tests/support/recordings.ts';
import type { ChaosArea } from '../frame/chaos.ts';

const VICTIMS: readonly Victim[] = ['machine', 'control-plane', 'fly', 'exchange', 'supabase', 'postgres'];
/** Longest pause between two kills (ms): short enough that they overlap. */
const PAUSE_MS = 4_000;

/** Any process of the whole platform is killed at random moments while recorded candles flow; then the database is held against the oracle. */
export const area: ChaosArea = {
  what: 'kill -9 of machine, control plane, Fly stand-in, exchange, gateway and database at random moments, while recorded candles flow at ×60',
  defaultMinutes: 2,
  async run({ minutes, random, say }) {
    const market = recordings('klines');
    if (market === null) throw new Error('This area needs the real recordings: set TRADEMIND_DATA.');
    const harm: Record<string, number> = Object.fromEntries(VICTIMS.map((victim) => [victim, 0]));
    const violations: string[] = [];
    const recoverySeconds: number[] = [];
    const platform = await startPlatform({ market, speed: 60 });
    try {
      const end = performance.now() + minutes * 60_000;
      for (const { victim, afterMs } of pauses(VICTIMS, PAUSE_MS, random)) {
        if (performance.now() > end) break;
        await sleep(afterMs);
        const pid = await kill(platform, victim);
        harm[victim]! += 1;
        recoverySeconds.push((await untilReplaced(platform, victim, pid)) / 1000);
        say(`killed ${victim}, replaced after ${recoverySeconds.at(-1)!.toFixed(1)} s`);
      }
      await untilCalm(platform, Date.now());
      const compared = await compareWithOracle(platform);
      for (const kind of ['missing', 'unexpected', 'twice', 'mismarked'] as const) violations.push(...compared[kind].map((key) => `${kind}: ${key}`));
      const count = await countMachines(platform);
      if (count.apps !== 1 || count.machines !== 1 || count.processes !== 1) violations.push(`there are ${count.apps} apps, ${count.machines} machines, ${count.processes} processes instead of one each`);
      const told = platform.lines.filter((line) => line.event === 'signal').map((line) => line['id']);
      if (new Set(told).size !== told.length) violations.push('a live signal was told twice');
      const code = await platform.stop();
      if (code !== 0) violations.push(`the platform ended with status ${code}`);
      return {
        harm, violations, recoverySeconds,
        checked: [`${compared.stored} stored signals against ${compared.expected} of the oracle`, `${told.length} live signals told, each once`, 'one app, one machine, one process'],
      };
    } finally {
      platform.child.kill('SIGTERM');
      await platform.exited;
      await removeDataDir(platform.dataDir);
    }
  },
};
