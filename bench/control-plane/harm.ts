import { TEST_IMAGES } from '../../tests/support/fly.ts';
import type { Citizen, MachineState, Town } from './town.ts';

type Random = () => number;
const one = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
const between = (random: Random, least: number, most: number) => Math.round(least + random() * (most - least));

/** What is done to Fly: every row of its error table and every state it was seen in, each for a while or so many times. */
const FAULTS: Readonly<Record<string, (random: Random) => { kind: string; [field: string]: unknown }>> = {
  'lost request': (random) => ({ kind: 'lost-request', only: 'writes', count: between(random, 1, 6), chance: 0.5 }),
  'lost answer': (random) => ({ kind: 'lost-answer', only: 'writes', count: between(random, 1, 6), chance: 0.5 }),
  'lost reads': (random) => ({ kind: 'lost-answer', only: 'reads', count: between(random, 1, 10), chance: 0.5 }),
  silence: (random) => ({ kind: 'hang', count: between(random, 1, 2), only: 'writes', done: random() < 0.5 }),
  slow: (random) => ({ kind: 'slow', ms: between(random, 200, 3_000), chance: 0.5, forMs: between(random, 1_000, 6_000) }),
  garbled: (random) => ({ kind: 'garbled', count: between(random, 1, 4), chance: 0.5 }),
  'cut off': (random) => ({ kind: 'cut', count: between(random, 1, 4), chance: 0.5 }),
  401: (random) => ({ kind: 'young-app', ms: between(random, 200, 1_500), forMs: 8_000 }),
  404: (random) => ({ kind: 'young-machine', ms: between(random, 200, 1_500), forMs: 8_000 }),
  408: (random) => ({ kind: 'status', status: 408, only: 'writes', count: between(random, 1, 4), done: random() < 0.5, chance: 0.5 }),
  409: (random) => ({ kind: 'status', status: 409, error: 'aborted: conflict', only: 'writes', count: between(random, 1, 4), chance: 0.5 }),
  412: (random) => ({ kind: 'status', status: 412, only: 'writes', count: between(random, 1, 4), chance: 0.5 }),
  429: (random) => ({ kind: 'status', status: 429, retryAfter: between(random, 1, 3), count: between(random, 1, 8), chance: 0.5 }),
  500: (random) => ({ kind: 'status', status: one(random, [500, 502, 503, 504]), html: random() < 0.3, done: random() < 0.5, count: between(random, 1, 8), chance: 0.5 }),
  'lease stolen': (random) => ({ kind: 'steal-lease', count: between(random, 1, 3), ttl: between(random, 2, 8) }),
  capacity: (random) => ({ kind: 'capacity', region: one(random, ['sin', 'fra', 'nrt']), of: one(random, ['machine', 'volume', 'all']), as: one(random, ['word', 'memory', 'gateway']), forMs: between(random, 1_000, 8_000) }),
  'host unreachable': (random) => ({ kind: 'host-unreachable', chance: 0.3, forMs: between(random, 2_000, 10_000) }),
  wedged: (random) => ({ kind: 'wedge', state: one(random, ['created', 'starting', 'stopping', 'replacing', 'destroying']), chance: 0.3, forMs: between(random, 2_000, 10_000) }),
  'launch fails': (random) => ({ kind: 'launch', count: between(random, 1, 3) }),
  'a crash': (random) => ({ kind: 'exit', exitCode: 3, region: one(random, ['sin', 'fra', 'nrt']) }),
  'late lists': (random) => ({ kind: 'eventual-list', ms: between(random, 300, 3_000), forMs: 8_000 }),
  'clock skew': (random) => ({ kind: 'clock-skew', ms: between(random, -90_000, 90_000), forMs: 8_000 }),
  'another dialect': (random) => ({ kind: 'dialect', form: one(random, ['name-taken-409', 'stale-version-409', 'flat-lease', 'bare-ips']), forMs: 8_000 }),
};

/** One fault at Fly; its name. */
export async function harmFly(town: Town, random: Random): Promise<string> {
  const name = one(random, Object.keys(FAULTS));
  await town.fly.admin.fault(FAULTS[name]!(random));
  return `Fly: ${name}`;
}

/** A host migration of some machine; its name. */
export async function migrate(town: Town, random: Random): Promise<string> {
  const apps = (await town.machines().catch(() => [])).flatMap(({ fly_app: app, phase }) => (app !== null && phase === 'screening' ? [app] : []));
  if (apps.length > 0) await town.fly.admin.fault({ kind: 'migrate', app: one(random, apps) });
  return 'Fly: migration';
}

/** What users wish, through the API where it has a route for it; its name. */
export async function wish(town: Town, random: Random): Promise<string> {
  const citizen = one(random, town.citizens);
  const machine = (await town.machines().catch((): MachineState[] => [])).find((row) => row.user_id === citizen.id);
  if (machine === undefined || machine.desired_state === 'destroyed') {
    await town.call(citizen, 'POST', '/v1/machines', { region: one(random, ['sin', 'fra', 'nrt']) });
    return 'deploy';
  }
  const what = one(random, ['resize', 'resize', 'move', 'stop', 'start', 'start', 'destroy', 'restart', 'rotate secret', 'allow regions', 'bad image', 'good image', 'too large', 'second machine']);
  await ask(town, citizen, machine, what, random).catch(() => undefined);
  return what;
}

async function ask(town: Town, citizen: Citizen, machine: MachineState, what: string, random: Random): Promise<void> {
  const path = `/v1/machines/${machine.id}`;
  const desire = (patch: object) => town.sql('select public.set_machine_desired($1, $2, $3)', [machine.id, citizen.id, JSON.stringify(patch)]);
  switch (what) {
    case 'resize': {
      const cpus = one(random, [1, 2, 4]);
      await town.call(citizen, 'PATCH', path, { size: { cpuKind: 'shared', cpus, memoryMb: 512 * cpus } });
      return;
    }
    // What the plan does not allow is refused, whoever is asked and whatever else goes on.
    case 'too large': await town.call(citizen, 'PATCH', path, { size: { cpuKind: 'shared', cpus: 8, memoryMb: 4_096 } }); return;
    case 'second machine': await town.call(citizen, 'POST', '/v1/machines', { environment: 'other', region: 'sin' }); return;
    case 'move': await town.call(citizen, 'PATCH', path, { region: one(random, ['sin', 'fra', 'nrt']) }); return;
    case 'stop': await town.call(citizen, 'PATCH', path, { desired: 'stopped' }); return;
    case 'start': await town.call(citizen, 'PATCH', path, { desired: 'started' }); return;
    case 'destroy': await town.call(citizen, 'DELETE', path); return;
    case 'restart': await town.call(citizen, 'POST', `${path}/restart`); return;
    case 'rotate secret': await town.call(citizen, 'POST', `${path}/rotate-secret`); return;
    case 'allow regions': await town.call(citizen, 'PATCH', path, { otherRegions: ['fra', 'nrt'] }); return;
    case 'bad image': await desire({ desired_image: TEST_IMAGES.broken }); return;
    default: await desire({ desired_image: TEST_IMAGES.tiny });
  }
}

/** A broken image is broken whatever else is cleared. */
export const BROKEN = { kind: 'boot', image: TEST_IMAGES.broken, exitCode: 3 } as const;
