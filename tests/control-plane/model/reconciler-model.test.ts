import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { wishOf } from '../../../control-plane/reconciler/wish.ts';
import { startTestFly, type Machine, type TestFly } from '../../support/fly.ts';
import { calm, steps } from './commands.ts';
import { World } from './world.ts';

const clock = { now: Date.parse('2026-11-26T12:00:00Z') };
let fly: TestFly;
beforeAll(async () => { fly = await startTestFly({ now: () => clock.now }); });
afterAll(async () => { await fly.close(); });

const RUNS = Number(process.env['MODEL_RUNS'] ?? 40);
const appOf = (world: World) => wishOf(world.row, world.contract).app;

async function standing(app: string): Promise<{ machines: Machine[]; volumes: number; ips: string[] } | null> {
  try {
    await fly.fly.apps.get(app);
  } catch {
    return null;
  }
  const [machines, volumes, ips] = await Promise.all([fly.fly.machines.list(app), fly.fly.volumes.list(app), fly.fly.ipAssignments.list(app)]);
  return { machines: machines.filter((machine) => machine.state !== 'destroyed'), volumes: volumes.length, ips: ips.map((ip) => ip.type ?? '').toSorted() };
}

/** R1 to R4: what must hold after every step, whatever was done. */
async function checkAlways(world: World): Promise<void> {
  const app = appOf(world);
  const { overlaps, unleased } = await fly.admin.audit();
  expect(overlaps.filter((one) => one.owner === app), 'R1: two machines of one user ran at once').toEqual([]);
  expect(unleased.filter((one) => one.app === app), 'R2: a machine was changed without its lease').toEqual([]);
  if (world.row.phase === 'destroyed') expect(await standing(app), 'R3: destroyed, and something stands').toBeNull();
  for (const event of world.events) expect(event.message, 'R4: an event is a sentence').toMatch(/^[A-Z].*[.!]$/s);
}

/** R5 to R8: what must hold when no fault is left and nothing is left to do. */
async function checkSettled(world: World): Promise<void> {
  const { row } = world;
  const wish = wishOf(row, world.contract);
  const there = await standing(wish.app);
  if (wish.state === 'destroyed') {
    expect(row.phase, 'R5: what is to be destroyed is').toBe('destroyed');
    expect(there).toBeNull();
    return;
  }
  if (wish.state === 'started') {
    expect(there?.machines.map((machine) => `${machine.state} ${machine.region} ${machine.config?.guest?.cpus} ${machine.config?.image} ${machine.config?.env?.['GIVEN']} ${machine.id}`), 'R5: exactly the machine that is wished').toEqual([
      `started ${wish.region} ${wish.size.cpus} ${wish.image} ${world.contract.env['GIVEN']} ${row.fly_machine_id}`]);
    expect({ volumes: there?.volumes, ips: there?.ips }, 'R6: nothing is doubled or left').toEqual({ volumes: 1, ips: ['shared_v4', 'v6'] });
    expect(row.phase).toBe('screening');
    if (wish.failure === null) expect(row.observed_generation, 'R5: and the row says so').toBe(row.generation);
  } else {
    expect((there?.machines ?? []).filter((machine) => machine.state === 'started'), 'R5: nothing runs that is to rest').toEqual([]);
    expect(row.phase).toBe(row.failure !== null && row.failed_generation === row.generation && row.desired_state === 'started' ? 'failed' : 'stopped');
  }
  if (wish.failure !== null) {
    expect(row.last_error, 'R7: what could not be is told, with what to do').toMatchObject({ code: expect.any(String) as string, nextStep: expect.any(String) as string });
  }
  const before = (await fly.admin.journal({ app: wish.app, limit: 100_000 })).length;
  await world.look();
  expect((await fly.admin.journal({ app: wish.app, limit: 100_000 })).length, 'R8: a settled machine is only looked at').toBe(before);
}

test('whatever is wished, whatever Fly does, whenever a replica dies: one machine, leased, and in the end exactly as wished (R1 to R8)', async () => {
  await fc.assert(fc.asyncProperty(steps, async (commands) => {
    await calm(fly);
    const world = new World(fly, clock);
    await fc.asyncModelRun(() => ({ model: {}, real: { world, fly, check: () => checkAlways(world) } }), commands);
    await calm(fly);
    expect(await world.settle(), `it settles: ${JSON.stringify({ last: world.last, row: world.row, events: world.events.slice(-6) })}`).toBe(true);
    await checkAlways(world);
    await checkSettled(world);
  }), { numRuns: RUNS, endOnFailure: process.env['MODEL_SHRINK'] === undefined, ...(process.env['MODEL_PATH'] === undefined ? {} : { path: process.env['MODEL_PATH'] }) });
}, 300_000);

test('R9: while a secret is replaced the old one and every new one that Fly may have are valid; afterwards only the newest', async () => {
  await calm(fly);
  const world = new World(fly, clock);
  expect(await world.settle()).toBe(true);
  const [first] = world.secrets;
  world.wish({ desired_secret: 2 });
  await fly.admin.fault({ kind: 'lost-answer', verb: 'secret.set', count: 1 });
  await world.look();
  expect(world.secrets).toContainEqual(first);
  expect(await world.settle()).toBe(true);
  expect(world.secrets.every((secret) => secret.version === 2)).toBe(true);
  const digest = (await fly.fly.secrets.list(appOf(world))).secrets.find((secret) => secret.name === 'MACHINE_SECRET')?.digest;
  expect(digest).toBeDefined();
  expect(world.secrets.some((secret) => secret.hash.startsWith(String(digest)))).toBe(true);
});

test('R1 and a replica that dies between making a machine elsewhere and writing it down, while the move is taken back: the two never run together', async () => {
  await calm(fly);
  for (const writes of [0, 1, 2, 3, 4, 5, 6]) {
    const world = new World(fly, clock);
    expect(await world.settle()).toBe(true);
    world.wish({ desired_region: 'fra' });
    // until the old machine rests and the next look makes the new one
    for (let looks = 0; looks < 20 && (await fly.fly.machines.list(appOf(world))).some((machine) => machine.state !== 'stopped'); looks += 1) await world.look();
    world.dieAfter(writes);
    await world.look();
    world.wish({ desired_region: 'sin' });
    expect(await world.settle()).toBe(true);
    await checkAlways(world);
    await checkSettled(world);
  }
});
