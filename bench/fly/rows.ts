import { rm } from 'node:fs/promises';
import { fleetPages } from '../../packages/fly/index.ts';
import { spawnTestFly, tempFolder, TEST_IMAGES, testMachine, type SpawnedFly } from '../../tests/support/fly.ts';
import { percentile, type BenchRow, type Figure } from '../frame/row.ts';

const MACHINES = 10_000;
/** Deploys under way at once. */
const WIDTH = 64;
const ORG = 'bench';

interface World { cloud: SpawnedFly; emptyMb: number; deploySeconds: number; createMs: number[] }

/** Ten thousand apps, each with volume, secret and a running machine, in one stand-in process without durations. */
async function populate(): Promise<World> {
  const cloud = await spawnTestFly(await tempFolder(), ['--runtime', 'simulated', '--latency', '0']);
  const { fly, admin } = cloud;
  const emptyMb = (await admin.memory()).rss / 2 ** 20;
  const createMs: number[] = [];
  const began = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: WIDTH }, async () => {
    for (let index = next++; index < MACHINES; index = next++) {
      const app = `bench-${index}`;
      await fly.apps.create({ name: app, orgSlug: ORG, network: app });
      const volume = await fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1 });
      await fly.secrets.set(app, { MACHINE_SECRET: 'x'.repeat(40) });
      const sent = performance.now();
      const { id } = await fly.machines.create(app, { name: 'main', region: 'sin', config: testMachine(volume.id, { image: TEST_IMAGES.tiny, env: { SETTINGS: 'x'.repeat(600) } }) });
      await fly.machines.wait(app, id, { state: 'started' });
      createMs.push(performance.now() - sent);
    }
  }));
  return { cloud, emptyMb, deploySeconds: (performance.now() - began) / 1000, createMs };
}

/** The Fly stand-in at the size of the whole fleet: what it costs the measurements that are made against it. */
export function rows(): BenchRow[] {
  let world: Promise<World> | undefined;
  return [{
    id: 'fly.listing', unit: 'ms', must: 1500, runs: 10,
    what: `the whole organisation listing of ${MACHINES.toLocaleString('en')} simulated machines, read page by page through our client`,
    measure: async () => {
      const { cloud } = await (world ??= populate());
      const began = performance.now();
      let seen = 0;
      for await (const page of fleetPages(cloud.fly.listOrgMachines, { org: ORG, limit: 1000 })) seen += page.machines.length;
      if (seen !== MACHINES) throw new Error(`The listing showed ${seen} machines.`);
      return performance.now() - began;
    },
    also: async (): Promise<readonly Figure[]> => {
      const { cloud, emptyMb, deploySeconds, createMs } = await (world ??= populate());
      const { rss } = await cloud.admin.memory();
      await cloud.kill('SIGTERM');
      await rm(cloud.dataDir, { recursive: true, force: true });
      return [
        { name: 'memory of the stand-in with all of them', value: rss / 2 ** 20, unit: 'MB', must: 400 },
        { name: 'of which it holds when empty', value: emptyMb, unit: 'MB' },
        { name: 'deploys a second (app, volume, secret, machine, wait)', value: MACHINES / deploySeconds, unit: '/s' },
        { name: `create to started, p99 at ${WIDTH} at once`, value: percentile(createMs, 0.99), unit: 'ms' },
      ];
    },
  }];
}
