import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seeded } from '../../bench/frame/chaos.ts';
import { removeDataDir, startPlatform, type Platform } from '../support/platform.ts';
import { recordings } from '../support/recordings.ts';
import { compareWithOracle, storedSignals } from './compare.ts';
import { countMachines, kill, planHarm, untilCalm } from './harm.ts';
import { setTimeout as sleep } from 'node:timers/promises';

const folder = recordings('klines');
const NOTHING_WRONG = { missing: [], unexpected: [], twice: [], mismarked: [] };

describe.skipIf(folder === null)('a machine on the real recordings', () => {
  let platform: Platform;
  beforeAll(async () => { platform = await startPlatform({ market: folder!, speed: 120 }); }, 300_000);
  afterAll(async () => {
    await platform.stop();
    await removeDataDir(platform.dataDir);
  }, 240_000);

  test('has stored exactly the signals that the oracle expects: none missing, none twice, each marked history or live', async () => {
    await platform.line((line) => line.event === 'signal', 120_000);
    const comparison = await compareWithOracle(platform);
    expect(comparison).toMatchObject(NOTHING_WRONG);
    expect(comparison.expected).toBeGreaterThan(100);
  }, 300_000);

  test('still has exactly those, and is exactly one, after machine, control plane and Fly stand-in were each killed ten times', async () => {
    const seed = Number(process.env['TRADEMIND_SEED'] ?? 20_261_122);
    for (const { victim, afterMs } of planHarm(['machine', 'control-plane', 'fly'], 10, 1_500, seeded(seed))) {
      await sleep(afterMs);
      await kill(platform, victim);
    }
    const since = Date.now();
    await untilCalm(platform, since);
    expect(await compareWithOracle(platform), `seed ${seed}`).toMatchObject(NOTHING_WRONG);
    expect(await countMachines(platform)).toEqual({ processes: 1, apps: 1, machines: 1 });
    const told = platform.lines.filter((line) => line.event === 'signal').map((line) => line['id']);
    expect(new Set(told).size).toBe(told.length);
  }, 480_000);

  test('a second start continues: same machine, same market, no signal twice', async () => {
    const before = await storedSignals(platform);
    const { machine } = platform.ready;
    expect(await platform.stop()).toBe(0);
    platform = await startPlatform({ market: folder!, speed: 120, dataDir: platform.dataDir });
    expect(platform.ready.machine.id).toBe(machine.id);
    const after = new Set((await storedSignals(platform)).map((signal) => signal.id));
    expect(before.filter((signal) => !after.has(signal.id))).toEqual([]);
    expect(await compareWithOracle(platform)).toMatchObject(NOTHING_WRONG);
  }, 300_000);
});
