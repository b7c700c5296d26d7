import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { startTestFly, TEST_IMAGES, type TestFly } from '../../tests/support/fly.ts';

async function deploy({ fly }: TestFly, name: string): Promise<number> {
  await fly.apps.create({ name, orgSlug: 'o' });
  const began = performance.now();
  const { id } = await fly.machines.create(name, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } });
  await fly.machines.wait(name, id, { state: 'started', timeoutSeconds: 30 });
  return performance.now() - began;
}

test('durations are those of Fly, scaled by the latency, down to none at all', async () => {
  const [slow, quick] = await Promise.all([startTestFly({ latency: 0.5, seed: 4 }), startTestFly({ latency: 0 })]);
  try {
    const [slowest, quickest] = await Promise.all([deploy(slow, 'a'), deploy(quick, 'b')]);
    // half of at least 300 ms for the answer and 400 ms for the boot
    expect(slowest).toBeGreaterThan(349);
    expect(quickest).toBeLessThan(slowest);
  } finally {
    await Promise.all([slow.close(), quick.close()]);
  }
});

type Harm = 'lost-request' | 'lost-answer' | 'status' | 'garbled' | 'none';
const HARM: readonly Harm[] = ['lost-request', 'lost-answer', 'status', 'garbled', 'none'];

test('whatever is lost: what the journal calls done is there, what it does not is not, and who repeats by name makes nothing twice', async () => {
  const cloud = await startTestFly();
  let apps = 0;
  try {
    await fc.assert(fc.asyncProperty(fc.array(fc.record({ harm: fc.constantFrom(...HARM), name: fc.constantFrom('a', 'b', 'c'), done: fc.boolean() }), { maxLength: 12 }), async (steps) => {
      const app = `any-${(apps += 1)}`;
      await cloud.fly.apps.create({ name: app, orgSlug: 'any' });
      for (const { harm, name, done } of steps) {
        if (harm !== 'none') await cloud.admin.fault({ kind: harm, verb: 'machine.create', app, count: 1, ...(harm === 'status' ? { status: 502, done } : {}) });
        await cloud.fly.machines.create(app, { name, region: 'sin', config: { image: TEST_IMAGES.tiny }, skipLaunch: true }).catch(() => undefined);
      }
      const made = (await cloud.fly.machines.list(app)).map((machine) => machine.id);
      const done = (await cloud.admin.journal({ app, verb: 'machine.create' })).filter((entry) => entry.status === 200).map((entry) => entry.machine);
      expect(made).toEqual(done);
      expect(new Set((await cloud.fly.machines.list(app)).map((machine) => machine.name)).size).toBe(made.length);
    }), { numRuns: 40 });
  } finally {
    await cloud.close();
  }
});
