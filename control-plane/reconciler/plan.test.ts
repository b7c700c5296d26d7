import { DESIRED_STATES, MACHINE_PHASES, type DesiredState } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action, Memory } from './actions.ts';
import { plan } from './plan.ts';
import { FLY_STATES, type FlyState, type Seen, type SeenMachine, type SeenVolume } from './seen.ts';
import type { Wish } from './wish.ts';

const NOW = 1_800_000_000_000;
const IMAGE = `registry.local/machine@sha256:${'a'.repeat(64)}`;

const wish = (state: DesiredState, change: Partial<Wish> = {}): Wish => ({
  state, app: 'tm-1', machineName: 'tm-1-sin', region: 'sin', size: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, image: IMAGE, configHash: 'hash', ...change,
});
const machine = (change: Partial<SeenMachine> = {}): SeenMachine => ({
  id: 'm1', name: 'tm-1-sin', state: 'started', word: change.state ?? 'started', region: 'sin', instanceId: 'i1', image: IMAGE, size: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
  configHash: 'hash', owner: 'row', volumeId: 'v1', hostOk: true, since: NOW - 1_000, exit: null, ...change,
});
const volume = (change: Partial<SeenVolume> = {}): SeenVolume => ({ id: 'v1', region: 'sin', attachedTo: 'm1', ...change });
const seen = (change: Partial<Seen> = {}): Seen => ({ app: 'ours', secretSet: true, volumes: [volume()], machines: [machine()], ready: null, ...change });
const memory = (change: Partial<Memory> = {}): Memory => ({ machineId: 'row', phase: 'screening', phaseSince: NOW - 1_000, instanceId: 'i1', everMade: true, ...change });

const kinds = (actions: readonly Action[]) => actions.map((action) => action.kind).join(' ');

/** What is done about a machine that is as configured, in every state Fly can show, for every wish: started, stopped, destroyed. */
const TABLE: Readonly<Record<FlyState, readonly [started: string, stopped: string, destroyed: string]>> = {
  created: ['wait', 'none', 'destroy-machine wait'],
  creating: ['wait', 'wait', 'wait'],
  starting: ['wait', 'stop wait', 'stop wait'],
  started: ['none', 'stop wait', 'stop wait'],
  stopping: ['wait', 'wait', 'wait'],
  stopped: ['start wait', 'none', 'destroy-machine wait'],
  suspending: ['wait', 'wait', 'wait'],
  suspended: ['start wait', 'none', 'destroy-machine wait'],
  restarting: ['wait', 'wait', 'wait'],
  updating: ['wait', 'wait', 'wait'],
  replacing: ['wait', 'wait', 'wait'],
  replaced: ['wait', 'wait', 'destroy-machine wait'],
  migrated: ['wait', 'wait', 'destroy-machine wait'],
  launch_failed: ['start back-off', 'none', 'destroy-machine wait'],
  failed: ['start back-off', 'none', 'destroy-machine wait'],
  destroying: ['wait', 'wait', 'wait'],
  // gone: made again, left alone, or the rest of it deleted
  destroyed: ['create-machine wait', 'none', 'wait'],
  unknown: ['wait', 'wait', 'wait'],
};

describe('every state that Fly can show × every wish', () => {
  const cells = FLY_STATES.flatMap((state) => DESIRED_STATES.map((desired, column) => ({ state, desired, actions: TABLE[state][column] ?? '' })));
  test.each(cells)('$state, wished to be $desired: $actions', ({ state, desired, actions }) => {
    const gone = state === 'destroyed';
    expect(kinds(plan(wish(desired), seen({ machines: [machine({ state, word: state })], ...(gone ? { volumes: [volume({ attachedTo: null })] } : {}) }), memory(), NOW).actions)).toBe(actions);
  });

  test.each(FLY_STATES.filter((state) => ['creating', 'starting', 'stopping', 'restarting', 'suspending', 'destroying', 'updating', 'replacing', 'replaced', 'migrated', 'unknown'].includes(state)))(
    'a machine that stays in %s too long is looked at ever more rarely, and destroyed by force when that is wished', (state) => {
      const wedged = seen({ machines: [machine({ state, word: state, since: NOW - 11 * 60_000 })] });
      const left = plan(wish('started'), wedged, memory(), NOW);
      expect(left.actions).toMatchObject([{ kind: 'back-off', trouble: { code: 'machine_wedged' } }]);
      expect(kinds(plan(wish('destroyed'), wedged, memory(), NOW).actions)).toBe('destroy-machine wait');
    });
});

describe('making', () => {
  test('nothing there: app, volume, secret and machine are made, in this order', () => {
    const made = plan(wish('started'), seen({ app: 'absent', secretSet: null, volumes: null, machines: [] }), memory({ phase: 'requested', everMade: false }), NOW);
    expect(kinds(made.actions)).toBe('create-app create-volume set-secret create-machine wait');
    expect(made.sighting).toBe('building');
  });

  test('what an earlier request made is used: a free volume, a secret', () => {
    const made = plan(wish('started'), seen({ machines: [], volumes: [volume({ id: 'v9', attachedTo: null })] }), memory({ everMade: false }), NOW);
    expect(made.actions).toMatchObject([{ kind: 'create-machine', volumeId: 'v9' }, { kind: 'wait' }]);
  });

  test('a volume that is still bound to a machine that is going is waited for, not replaced: it holds what must survive', () => {
    expect(plan(wish('started'), seen({ machines: [], volumes: [volume({ attachedTo: 'gone' })] }), memory(), NOW).actions).toMatchObject([{ kind: 'back-off', trouble: { code: 'volume_bound' } }]);
  });

  test('a name that another organisation has is not fought for', () => {
    expect(plan(wish('started'), seen({ app: 'foreign', machines: [], volumes: null }), memory(), NOW)).toMatchObject({ sighting: 'broken', actions: [{ kind: 'give-up', trouble: { code: 'app_name_taken' } }] });
  });

  test('a machine that is not wished to run is not made', () => {
    expect(plan(wish('stopped'), seen({ app: 'absent', machines: [], volumes: null }), memory(), NOW)).toMatchObject({ sighting: 'halted', actions: [{ kind: 'none' }] });
  });
});

describe('keeping', () => {
  test.each([
    ['its size', machine({ size: { cpuKind: 'shared', cpus: 2, memoryMb: 512 }, configHash: 'before' })],
    ['its image', machine({ image: IMAGE.replaceAll('a', 'b'), configHash: 'before' })],
    ['anything else of its configuration', machine({ configHash: 'before' })],
    ['all of it: it was made by hand', machine({ configHash: null })],
  ])('a running machine that differs in %s is updated with the volume it has', (_what, other) => {
    expect(plan(wish('started'), seen({ machines: [other] }), memory(), NOW).actions).toMatchObject([{ kind: 'update', machineId: 'm1', volumeId: 'v1' }, { kind: 'wait' }]);
  });

  test('what Fly accepted and yet shows otherwise is asked for again, ever more rarely', () => {
    const other = machine({ size: { cpuKind: 'shared', cpus: 1, memoryMb: 256 } });
    expect(plan(wish('started'), seen({ machines: [other] }), memory(), NOW).actions).toMatchObject([{ kind: 'update' }, { kind: 'back-off', trouble: { code: 'read_back_differs' } }]);
  });

  test('a stopped machine whose wish changed is updated, which starts it', () => {
    expect(kinds(plan(wish('started'), seen({ machines: [machine({ state: 'stopped', configHash: 'before' })] }), memory({ phase: 'stopped' }), NOW).actions)).toBe('update wait');
  });

  test('a machine that ended by itself with an error is started again, ever later, and says how it ended', () => {
    const exit = { code: 3, oomKilled: false, requested: false, at: NOW - 500 };
    expect(plan(wish('started'), seen({ machines: [machine({ state: 'stopped', exit })] }), memory(), NOW)).toMatchObject({
      sighting: 'broken', actions: [{ kind: 'start' }, { kind: 'back-off', trouble: { code: 'machine_crashed', message: 'The machine ended with exit code 3.' } }],
    });
    expect(plan(wish('started'), seen({ machines: [machine({ state: 'failed', exit: { ...exit, oomKilled: true } })] }), memory(), NOW).actions).toMatchObject([{}, { trouble: { code: 'machine_out_of_memory' } }]);
  });

  test('an old exit does not make a machine that was stopped on purpose look crashed', () => {
    const exit = { code: 143, oomKilled: false, requested: true, at: NOW - 500 };
    expect(plan(wish('started'), seen({ machines: [machine({ state: 'stopped', exit })] }), memory({ phase: 'stopped' }), NOW)).toMatchObject({ sighting: 'booting', actions: [{ kind: 'start' }, { kind: 'wait' }] });
  });

  test('a machine whose host is unreachable is left alone: nothing is concluded from what is missing', () => {
    const unreachable = machine({ hostOk: false, size: null, image: null, configHash: null, volumeId: null });
    expect(plan(wish('started'), seen({ machines: [unreachable] }), memory(), NOW)).toMatchObject({ sighting: 'screening', actions: [{ kind: 'back-off', trouble: { code: 'host_unreachable' } }] });
  });

  test('Fly says started, the machine says nothing yet: it is starting, and is asked again less and less often', () => {
    const waits = [1_000, 60_000, 600_000].map((ago) => plan(wish('started'), seen({ ready: false }), memory({ phase: 'starting', phaseSince: NOW - ago }), NOW));
    expect(waits.map((one) => [one.sighting, one.actions])).toEqual([400, 1_000, 5_000].map((ms) => ['booting', [{ kind: 'wait', ms }]]));
  });

  test('a machine that was restarted behind our back has to say anew that it is ready', () => {
    const restarted = seen({ machines: [machine({ instanceId: 'i2' })], ready: false });
    expect(plan(wish('started'), restarted, memory(), NOW).sighting).toBe('booting');
    expect(plan(wish('started'), { ...restarted, ready: true }, memory(), NOW).sighting).toBe('screening');
  });

  test('a second volume that nothing uses is deleted once the machine runs; the one in use never', () => {
    const two = seen({ volumes: [volume(), volume({ id: 'v2', attachedTo: null }), volume({ attachedTo: null })], ready: true });
    expect(plan(wish('started'), two, memory(), NOW).actions).toEqual([{ kind: 'delete-volume', volumeId: 'v2' }, { kind: 'none' }]);
  });
});

describe('moving to another region', () => {
  const there = wish('started', { region: 'fra', machineName: 'tm-1-fra' });
  test('the old machine stops, the new one is made, and only when that one is ready the old one goes', () => {
    expect(plan(there, seen(), memory(), NOW).actions).toMatchObject([{ kind: 'stop', machineId: 'm1' }, { kind: 'wait' }]);
    const stopped = machine({ state: 'stopped' });
    expect(kinds(plan(there, seen({ machines: [stopped] }), memory(), NOW).actions)).toBe('create-volume create-machine wait');
    const fresh = machine({ id: 'm2', name: 'tm-1-fra', region: 'fra', volumeId: 'v2' });
    expect(plan(there, seen({ machines: [stopped, fresh], ready: false }), memory({ phase: 'starting' }), NOW).actions).toMatchObject([{ kind: 'wait' }]);
    expect(plan(there, seen({ machines: [stopped, fresh], ready: true }), memory(), NOW).actions).toMatchObject([{ kind: 'destroy-machine', machineId: 'm1' }, { kind: 'wait' }]);
  });
});

describe('destroying', () => {
  test('no machine left: volumes and app are deleted; no app left: it is gone', () => {
    expect(kinds(plan(wish('destroyed'), seen({ machines: [] }), memory(), NOW).actions)).toBe('delete-volume delete-app wait');
    expect(plan(wish('destroyed'), seen({ app: 'absent', machines: [], volumes: null }), memory(), NOW)).toMatchObject({ sighting: 'gone', actions: [{ kind: 'none' }] });
  });

  test('an app of somebody else under our name is never deleted', () => {
    expect(plan(wish('destroyed'), seen({ app: 'foreign', machines: [] }), memory(), NOW)).toMatchObject({ sighting: 'gone', actions: [{ kind: 'none' }] });
  });
});

describe('whatever is seen', () => {
  const ENDS = new Set(['wait', 'back-off', 'give-up', 'none']);
  const arbMachine = fc.record({
    id: fc.constantFrom('m1', 'm2', 'm3'), state: fc.constantFrom(...FLY_STATES), region: fc.constantFrom('sin', 'fra'), configHash: fc.constantFrom('hash', 'before', null),
    instanceId: fc.constantFrom('i1', 'i2', null), volumeId: fc.constantFrom('v1', 'v2', null), hostOk: fc.boolean(), owner: fc.constantFrom('row', 'other', null),
    since: fc.integer({ min: 0, max: 20 * 60_000 }).map((ago) => NOW - ago),
    exit: fc.option(fc.record({ code: fc.option(fc.integer({ min: 0, max: 255 })), oomKilled: fc.boolean(), requested: fc.boolean(), at: fc.constant(NOW) })),
  }).map((change) => machine({ ...change, word: change.state, name: `tm-1-${change.region}` }));
  const arbSeen: fc.Arbitrary<Seen> = fc.record({
    app: fc.constantFrom('ours', 'absent', 'foreign'), secretSet: fc.constantFrom(true, false, null), ready: fc.constantFrom(true, false, null),
    volumes: fc.option(fc.array(fc.record({ id: fc.constantFrom('v1', 'v2', 'v3'), region: fc.constantFrom('sin', 'fra'), attachedTo: fc.constantFrom(null, 'm1', 'm2') }), { maxLength: 3 })),
    machines: fc.uniqueArray(arbMachine, { maxLength: 3, selector: (one) => one.id }),
  });
  const arbMemory = fc.record({ phase: fc.constantFrom(...MACHINE_PHASES), instanceId: fc.constantFrom('i1', null), everMade: fc.boolean(), phaseSince: fc.constant(NOW - 1_000) }).map(memory);

  test('the plan is the same for the same facts, ends in exactly one of four ways, and never makes a second machine of one place', () => {
    fc.assert(fc.property(fc.constantFrom(...DESIRED_STATES), arbSeen, arbMemory, (state, facts, known) => {
      const made = plan(wish(state), facts, known, NOW);
      expect(plan(wish(state), facts, known, NOW)).toEqual(made);
      const ends = made.actions.map((action, at) => [ENDS.has(action.kind), at] as const).filter(([isEnd]) => isEnd);
      expect(ends).toEqual([[true, made.actions.length - 1]]);
      const makes = made.actions.some((action) => action.kind === 'create-machine');
      const lives = facts.machines.filter((one) => one.state !== 'destroyed');
      if (makes) {
        expect(state).toBe('started');
        expect(lives.some((one) => one.region === 'sin')).toBe(false);
        expect(lives.some((one) => one.state === 'started')).toBe(false);
      }
      if (state !== 'destroyed') {
        expect(made.actions.some((action) => action.kind === 'delete-app')).toBe(false);
        const inUse = new Set(facts.machines.filter((one) => one.region === 'sin').map((one) => one.volumeId));
        for (const action of made.actions) if (action.kind === 'delete-volume') expect(inUse.size > 1 || !inUse.has(action.volumeId)).toBe(true);
      }
      if (state === 'stopped') expect(made.actions.some((action) => action.kind === 'start' || action.kind === 'update')).toBe(false);
    }), { numRuns: 2_000 });
  });
});
