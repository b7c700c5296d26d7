import fc from 'fast-check';
import type { DesiredPatch } from '../../../control-plane/database/rows.ts';
import { TEST_IMAGES, type TestFly } from '../../support/fly.ts';
import type { World } from './world.ts';

export interface Real { world: World; fly: TestFly; check(): Promise<void> }
type Model = Record<string, never>;

/** A step that can always be taken; after it what must never be wrong is looked at. */
class Step implements fc.AsyncCommand<Model, Real, true> {
  readonly #name: string;
  readonly #run: (real: Real) => Promise<void>;
  constructor(name: string, run: (real: Real) => Promise<void>) { this.#name = name; this.#run = run; }
  check(): Promise<boolean> { return Promise.resolve(true); }
  async run(_model: Model, real: Real): Promise<void> {
    await this.#run(real);
    await real.check();
  }
  toString(): string { return this.#name; }
}

/** No fault is left but that a broken image is broken. */
export async function calm(fly: TestFly): Promise<void> {
  await fly.admin.clearFaults();
  await fly.admin.fault({ kind: 'boot', image: TEST_IMAGES.broken, exitCode: 3 });
}

const wishes: fc.Arbitrary<DesiredPatch> = fc.oneof(
  fc.constantFrom<DesiredPatch>({ desired_state: 'started' }, { desired_state: 'stopped' }, { desired_state: 'destroyed' }),
  fc.constantFrom(1, 2).map((cpus): DesiredPatch => ({ desired_cpus: cpus, desired_memory_mb: 512 * cpus })),
  fc.constantFrom('sin', 'fra', 'nrt').map((region): DesiredPatch => ({ desired_region: region })),
  fc.constantFrom<DesiredPatch>({ desired_regions: ['fra', 'iad', 'nrt'] }, { desired_regions: [] }),
  fc.nat(3).map((restart): DesiredPatch => ({ desired_restart: restart })),
  fc.integer({ min: 2, max: 4 }).map((secret): DesiredPatch => ({ desired_secret: secret })),
  fc.constantFrom<DesiredPatch>({ desired_image: TEST_IMAGES.broken }, { desired_image: TEST_IMAGES.tiny }),
  fc.constantFrom<DesiredPatch>({ desired_env: { LOG_LEVEL: 'debug' } }, { desired_env: {} }),
);

/** Each as the stand-in takes it; those of the line strike so many times, the others until they are cleared. */
const line = fc.record({
  kind: fc.constantFrom('lost-answer', 'lost-request', 'garbled'), only: fc.constant('writes'), count: fc.integer({ min: 1, max: 3 }), skip: fc.nat(4),
});
const answers = fc.record({ kind: fc.constant('status'), status: fc.constantFrom(401, 408, 409, 412, 429, 500, 503), done: fc.boolean(), count: fc.integer({ min: 1, max: 3 }), skip: fc.nat(4) })
  .map((fault) => ({ ...fault, done: fault.done && fault.status >= 500 }));
const places = fc.constantFrom(
  { kind: 'capacity', region: 'sin' }, { kind: 'capacity', region: 'fra', as: 'memory' }, { kind: 'capacity', of: 'volume', region: 'nrt' }, { kind: 'young-app', ms: 500 },
  { kind: 'steal-lease', count: 1, ttl: 20 }, { kind: 'host-unreachable' }, { kind: 'wedge', state: 'starting' }, { kind: 'wedge', state: 'stopping' }, { kind: 'wedge', state: 'replacing' },
  { kind: 'launch', count: 2 }, { kind: 'dialect', form: 'flat-lease' }, { kind: 'dialect', form: 'name-taken-409' }, { kind: 'exit', exitCode: 3 }, { kind: 'exit', oomKilled: true },
);

export const steps = fc.commands<Model, Real, true>([
  wishes.map((patch) => new Step(`wish ${JSON.stringify(patch)}`, async ({ world }) => { world.wish(patch); })),
  fc.constantFrom('this', 'that').map((given) => new Step(`all are given ${given}`, ({ world }) => { world.give({ GIVEN: given }); return Promise.resolve(); })),
  fc.integer({ min: 1, max: 4 }).map((n) => new Step(`look ${n}`, async ({ world }) => { for (let at = 0; at < n; at += 1) await world.look(); })),
  fc.nat(5).map((writes) => new Step(`die after ${writes} writes`, async ({ world }) => { world.dieAfter(writes); await world.look(); })),
  fc.oneof(line, answers, places).map((fault) => new Step(`fault ${JSON.stringify(fault)}`, async ({ fly }) => { await fly.admin.fault(fault); })),
  fc.constant(new Step('migrate', async ({ world, fly }) => { if (world.row.fly_app !== null) await fly.admin.fault({ kind: 'migrate', app: world.row.fly_app }); })),
  fc.constant(new Step('faults end', async ({ fly }) => { await calm(fly); })),
  fc.integer({ min: 1, max: 12 }).map((minutes) => new Step(`${minutes} min pass`, async ({ world }) => { world.clock.now += minutes * 60_000; })),
  fc.constant(new Step('settle', async ({ world }) => { await world.settle(20); })),
], { maxCommands: 16, size: 'max' });
