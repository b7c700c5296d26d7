import { DESIRED_STATES, MACHINE_PHASES, nextPhase, type DesiredState } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action, Memory, Plan } from './actions.ts';
import { DRAIN_LEASE_S, DRAIN_MS, msUntilAfterClose, type DrainState } from './drain.ts';
import { choose, plan } from './plan.ts';
import { mayRun } from './plan-run.ts';
import { FLY_STATES, type FlyState, type Seen, type SeenMachine, type SeenVolume } from './seen.ts';
import type { Wish } from './wish.ts';

const NOW = 1_800_000_000_000;
const IMAGE = `registry.local/machine@sha256:${'a'.repeat(64)}`;

const wish = (state: DesiredState, change: Partial<Wish> = {}): Wish => ({
  state, app: 'tm-1', machineName: 'tm-1-sin', region: 'sin', size: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, image: IMAGE, configHash: 'hash', envHash: 'env',
  secret: 1, failure: null, proven: true, contract: 'given', before: null, refused: false, ...change,
});
const machine = (change: Partial<SeenMachine> = {}): SeenMachine => ({
  id: 'm1', name: 'tm-1-sin', state: 'started', word: change.state ?? 'started', region: 'sin', instanceId: 'i1', image: IMAGE, size: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
  configHash: 'hash', owner: 'row', volumeId: 'v1', hostOk: true, since: NOW - 1_000, exit: null, exits: change.exit ? [change.exit] : [], configuredAt: 0, digest: `sha256:${'a'.repeat(64)}`, envHash: 'env', ...change,
});
const volume = (change: Partial<SeenVolume> = {}): SeenVolume => ({ id: 'v1', region: 'sin', attachedTo: 'm1', ...change });
const ips = [{ ip: '1.2.3.4', type: 'shared_v4' }, { ip: '::1', type: 'v6' }];
const seen = (change: Partial<Seen> = {}): Seen => ({ app: 'ours', secretSet: true, volumes: [volume()], ips, machines: [machine()], ready: null, ...change });
const memory = (change: Partial<Memory> = {}): Memory => ({
  machineId: 'row', phase: 'screening', phaseSince: NOW - 1_000, flyMachineId: 'm1', instanceId: 'i1', everMade: true, secretVersion: 1, secretOldest: 1, configSentAt: NOW - 60_000,
  unreachableSince: null, doubt: null, attempts: 0, wishedAt: NOW - 60_000, turn: null, drain: SILENT, ...change,
});

/** Nobody beats: there is nobody to be drained. */
const SILENT: DrainState = { beating: false, askedMs: null, drained: false, untilCloseMs: 0 };

const words = (actions: readonly Action[]) => actions.map((action) => (action.kind === 'stop' && action.force ? 'stop!' : action.kind)).join(' ');

/** How a machine stands in a state: on its way, in it for too long, on a host that Fly does not reach, on one it has not reached for 10 minutes. */
const SITUATIONS = {
  fresh: [{}, {}],
  wedged: [{ since: NOW - 11 * 60_000 }, {}],
  'beyond hope': [{ since: NOW - 40 * 60_000 }, {}],
  unreachable: [{ hostOk: false, size: null, image: null, configHash: null, envHash: null, digest: null, volumeId: null }, { unreachableSince: NOW - 60_000 }],
  lost: [{ hostOk: false, size: null, image: null, configHash: null, envHash: null, digest: null, volumeId: null }, { unreachableSince: NOW - 11 * 60_000 }],
} as const satisfies Record<string, readonly [Partial<SeenMachine>, Partial<Memory>]>;
type Situation = keyof typeof SITUATIONS;
type Answers = readonly [started: string, stopped: string, destroyed: string];

/** A state that rests is the same however long it lasts. */
const rests = (...answers: Answers) => ({ fresh: answers, wedged: answers, 'beyond hope': answers });
const passes = (stopped: string, destroyed: string) => ({
  fresh: ['wait', stopped, destroyed], wedged: ['stop! back-off', 'stop! back-off', 'destroy-machine wait'], 'beyond hope': ['replace-machine wait', 'stop! back-off', 'destroy-machine wait'],
}) as const;
const GOES = { fresh: ['wait', 'wait', 'wait'], wedged: ['replace-machine wait', 'none', 'destroy-machine back-off'], 'beyond hope': ['replace-machine wait', 'none', 'destroy-machine back-off'] } as const;
const WENT = { fresh: ['wait', 'wait', 'destroy-machine wait'], wedged: ['replace-machine wait', 'none', 'destroy-machine wait'], 'beyond hope': ['replace-machine wait', 'none', 'destroy-machine wait'] } as const;
const AWAY = { unreachable: ['back-off', 'back-off', 'destroy-machine wait'], lost: ['replace-machine wait', 'back-off', 'destroy-machine wait'] } as const;

/** What is done about a machine that is as configured, in every state Fly can show, in every situation, for every wish. `stop!` is by force. Total: the compiler refuses a missing cell. */
const TABLE: Readonly<Record<FlyState, Readonly<Record<Situation, Answers>>>> = {
  // Fly starts it by itself, unless it has not for a while
  created: { ...rests('start wait', 'none', 'destroy-machine wait'), fresh: ['wait', 'wait', 'destroy-machine wait'], ...AWAY },
  creating: { ...passes('wait', 'wait'), ...AWAY },
  starting: { ...passes('stop wait', 'stop wait'), ...AWAY },
  started: { ...rests('none', 'stop wait', 'stop wait'), ...AWAY },
  stopping: { ...passes('wait', 'wait'), ...AWAY },
  stopped: { ...rests('start wait', 'none', 'destroy-machine wait'), ...AWAY },
  suspending: { ...passes('wait', 'wait'), ...AWAY },
  suspended: { ...rests('start wait', 'none', 'destroy-machine wait'), ...AWAY },
  restarting: { ...passes('wait', 'wait'), ...AWAY },
  updating: { ...passes('wait', 'wait'), wedged: ['stop! back-off', 'stop! back-off', 'destroy-machine wait'], ...AWAY },
  replacing: { ...passes('wait', 'wait'), ...AWAY },
  replaced: { ...WENT, ...AWAY },
  migrated: { ...WENT, ...AWAY },
  // Fly launches it again by itself, and does not for ever
  launch_failed: { ...rests('start back-off', 'none', 'destroy-machine wait'), fresh: ['start back-off', 'stop wait', 'destroy-machine wait'], ...AWAY },
  failed: { ...rests('start back-off', 'none', 'destroy-machine wait'), ...AWAY },
  // by force it may only be marked, on a dead host: its app goes in the end
  destroying: { ...GOES, unreachable: ['back-off', 'back-off', 'destroy-machine back-off'], lost: ['replace-machine wait', 'back-off', 'destroy-machine back-off'] },
  // gone: made again, left alone, or the rest of it deleted
  destroyed: { ...rests('create-machine wait', 'none', 'delete-volume release-ip release-ip wait'), unreachable: ['create-machine wait', 'none', 'delete-volume release-ip release-ip wait'], lost: ['create-machine wait', 'none', 'delete-volume release-ip release-ip wait'] },
  // what Fly invents tomorrow is never touched unless it is to go
  unknown: { fresh: ['wait', 'wait', 'wait'], wedged: ['back-off', 'back-off', 'destroy-machine wait'], 'beyond hope': ['back-off', 'back-off', 'destroy-machine wait'], ...AWAY },
};

describe('every state that Fly can show × every situation × every wish', () => {
  const cells = FLY_STATES.flatMap((state) => (Object.keys(SITUATIONS) as Situation[]).flatMap((situation) =>
    DESIRED_STATES.map((desired, column) => ({ state, situation, desired, actions: TABLE[state][situation][column] ?? '' }))));
  test.each(cells)('$state ($situation), wished to be $desired: $actions', ({ state, situation, desired, actions }) => {
    const [how, known] = SITUATIONS[situation];
    const gone = state === 'destroyed';
    const shown = seen({ machines: gone ? [] : [machine({ state, word: state, ...how })], ...(gone ? { volumes: [volume({ attachedTo: null })] } : {}) });
    expect(words(plan(wish(desired), shown, memory(known), NOW).actions)).toBe(actions);
  });

  test('a machine that Fly does not get rid of is destroyed again a few times; then its app is deleted with all that is in it', () => {
    const stuck = seen({ machines: [machine({ state: 'destroying', word: 'destroying', since: NOW - 6 * 60_000 })] });
    expect(plan(wish('destroyed'), stuck, memory({ attempts: 2 }), NOW).actions).toMatchObject([{ kind: 'destroy-machine' }, { kind: 'back-off', trouble: { code: 'destroy_wedged' } }]);
    expect(plan(wish('destroyed'), stuck, memory({ attempts: 5 }), NOW).actions).toMatchObject([{ kind: 'delete-app' }, { kind: 'back-off', trouble: { code: 'destroy_wedged' } }]);
  });

  test('a machine that is given up leaves its name and, when Fly still binds it, its volume: the next one has its own', () => {
    const dying = machine({ state: 'destroying', word: 'destroying', hostOk: false, volumeId: null });
    const next = wish('started', { machineName: 'tm-1-sin-2' });
    const made = plan(next, seen({ machines: [dying], volumes: [volume()] }), memory({ flyMachineId: null, unreachableSince: NOW - 11 * 60_000 }), NOW);
    expect(words(made.actions)).toBe('create-volume create-machine wait');
  });
});

describe('a boot that fails', () => {
  const at = (ago: number) => ({ code: 3, oomKilled: false, requested: false, at: NOW - ago });
  const crashing = (exits: SeenMachine['exits'], change: Partial<SeenMachine> = {}) => seen({ machines: [machine({ state: 'stopped', word: 'stopped', exits, exit: exits.at(-1) ?? null, ...change })] });
  const fresh = wish('started', { proven: false });

  test('three times gives the version up, with how it ended', () => {
    const made = plan(fresh, crashing([at(3_000), at(2_000), at(1_000)]), memory({ phase: 'starting' }), NOW);
    expect(made.actions).toMatchObject([{ kind: 'give-up-version', exit: { code: 3 }, trouble: { code: 'machine_crashed', message: 'The machine ended with exit code 3. It did so 3 times.' } }, { kind: 'wait' }]);
    const oom = plan(fresh, crashing([at(3_000), at(2_000), { ...at(1_000), oomKilled: true }]), memory({ phase: 'starting' }), NOW);
    expect(oom.actions).toMatchObject([{ trouble: { code: 'machine_out_of_memory', nextStep: expect.stringContaining('more memory') as string } }, {}]);
  });

  test('is not held against a version that may be younger than it, or that screens', () => {
    const often = [at(3_000), at(2_000), at(1_000)];
    expect(words(plan(fresh, crashing(often, { configuredAt: NOW - 1_500 }), memory({ phase: 'starting' }), NOW).actions), 'the answer to the update was lost').toBe('start back-off');
    expect(words(plan(fresh, crashing(often), memory({ phase: 'starting', configSentAt: 0 }), NOW).actions), 'nobody knows').toBe('start back-off');
    expect(words(plan(fresh, crashing(often, { state: 'started', word: 'started' }), memory(), NOW).actions)).toBe('none');
  });

  test('is not counted when it was before this version, asked for, or of a version that has worked', () => {
    expect(words(plan(fresh, crashing([at(90_000), at(80_000), at(1_000)]), memory({ phase: 'starting' }), NOW).actions)).toBe('start back-off');
    expect(words(plan(fresh, crashing([at(3), at(2), at(1)].map((exit) => ({ ...exit, requested: true }))), memory({ phase: 'starting' }), NOW).actions)).toBe('start wait');
    expect(words(plan(wish('started'), crashing([at(3_000), at(2_000), at(1_000)]), memory(), NOW).actions)).toBe('start back-off');
  });

  test('without a crash, but silent for ten minutes, is given up too; one that reads history is not', () => {
    const silent = seen({ ready: false });
    expect(plan(fresh, silent, memory({ phase: 'starting', phaseSince: NOW - 11 * 60_000 }), NOW).actions).toMatchObject([{ kind: 'give-up-version', trouble: { code: 'boot_timeout' } }, {}]);
    expect(words(plan(fresh, silent, memory({ phase: 'backfilling', phaseSince: NOW - 11 * 60_000 }), NOW).actions)).toBe('wait');
  });

  test('afterwards all that is left is said to whoever wished it, whether there was a version before or none', () => {
    const failure = { code: 'machine_crashed', message: 'It crashed.', nextStep: 'Look.', at: '', exitCode: 3, oomKilled: false, logs: [] };
    expect(plan(wish('started', { failure }), seen({ ready: true }), memory(), NOW)).toMatchObject({ sighting: 'screening', actions: [{ kind: 'give-up', trouble: { code: 'machine_crashed', nextStep: 'Look.' } }] });
    expect(plan(wish('stopped', { failure }), crashing([]), memory({ phase: 'failed' }), NOW)).toMatchObject({ sighting: 'broken', actions: [{ kind: 'give-up' }] });
  });
});

describe('before a reboot', () => {
  const smaller = seen({ machines: [machine({ configHash: 'before', size: { cpuKind: 'shared', cpus: 2, memoryMb: 512 } })] });
  const after = (drain: Partial<DrainState>, change: Partial<Memory> = {}) => words(plan(wish('started'), smaller, memory({ drain: { beating: true, askedMs: null, drained: false, untilCloseMs: 0, ...drain }, ...change }), NOW).actions);

  test('a machine at work is asked to finish it, waited for, and changed when it has, just after a close', () => {
    expect(after({})).toBe('drain wait');
    expect(after({ askedMs: 4_000 })).toBe('wait');
    expect(after({ askedMs: 9_000, drained: true, untilCloseMs: 20_000 })).toBe('wait');
    expect(after({ askedMs: 9_000, drained: true })).toBe('update wait');
  });

  test('five minutes are enough, whatever it answers', () => {
    expect(after({ askedMs: DRAIN_MS })).toBe('update wait');
    expect(after({ askedMs: DRAIN_MS - 5_000, drained: true, untilCloseMs: 30_000 })).toBe('update wait');
  });

  test('nobody is asked who is not there to answer: it does not beat, or has not begun to work', () => {
    expect(after({ beating: false })).toBe('update wait');
    expect(after({}, { phase: 'starting' })).toBe('update wait');
  });

  test('a wish that is taken back lets the machine go on', () => {
    expect(words(plan(wish('started'), seen(), memory({ drain: { beating: true, askedMs: 5_000, drained: true, untilCloseMs: 0 } }), NOW).actions)).toBe('end-drain none');
  });

  test('the moment after a close is long after it, and far enough before the next', () => {
    fc.assert(fc.property(fc.nat(10 ** 9), fc.constantFrom(60_000, 300_000, 3_600_000), (now, every) => {
      const wait = msUntilAfterClose(now, every);
      const since = (now + wait) % every;
      expect(wait).toBeLessThanOrEqual(every);
      expect(since).toBeGreaterThanOrEqual(2_000);
      expect(every - since).toBeGreaterThanOrEqual(45_000);
      expect(msUntilAfterClose(now + wait, every)).toBe(0);
    }));
  });
});

describe('a secret', () => {
  test('that is wished anew is set before the machine restarts for it, and the old one ends when it is ready', () => {
    const before = seen({ machines: [machine({ configHash: 'before' })] });
    expect(words(plan(wish('started', { secret: 2 }), before, memory(), NOW).actions)).toBe('set-secret update wait');
    expect(words(plan(wish('started', { secret: 2 }), before, memory({ secretVersion: 2 }), NOW).actions)).toBe('update wait');
    expect(plan(wish('started', { secret: 2 }), seen({ ready: true }), memory({ secretVersion: 2 }), NOW).actions).toEqual([{ kind: 'retire-secrets', version: 2 }, { kind: 'none' }]);
  });
});

describe('after a write of which nobody knows whether it happened', () => {
  test('nothing is made again before a list can have shown it', () => {
    const nothing = seen({ machines: [], volumes: [], secretSet: true });
    expect(words(plan(wish('started'), nothing, memory({ doubt: { kind: 'create-volume', at: NOW - 1_000 } }), NOW).actions)).toBe('wait');
    expect(words(plan(wish('started'), nothing, memory({ doubt: { kind: 'create-volume', at: NOW - 6_000 } }), NOW).actions)).toBe('create-volume create-machine wait');
  });
});

describe('making', () => {
  test('nothing there: app, addresses, volume, secret and machine are made, in this order', () => {
    const made = plan(wish('started'), seen({ app: 'absent', secretSet: null, volumes: null, ips: null, machines: [] }), memory({ phase: 'requested', flyMachineId: null, everMade: false }), NOW);
    expect(words(made.actions)).toBe('create-app create-ip create-ip create-volume set-secret create-machine wait');
    expect(made.sighting).toBe('building');
  });

  test('what an earlier request made is used: a free volume, a secret', () => {
    const made = plan(wish('started'), seen({ machines: [], volumes: [volume({ id: 'v9', attachedTo: null })] }), memory({ everMade: false }), NOW);
    expect(made.actions).toMatchObject([{ kind: 'create-machine', volumeId: 'v9' }, { kind: 'wait' }]);
  });

  test('a volume that is still bound to a machine that is going is waited for, not replaced: it holds what must survive', () => {
    const bound = seen({ machines: [], volumes: [volume({ attachedTo: 'gone' })] });
    expect(words(plan(wish('started'), bound, memory(), NOW).actions)).toBe('wait');
    expect(plan(wish('started'), bound, memory({ phaseSince: NOW - 30_000 }), NOW).actions).toMatchObject([{ kind: 'back-off', trouble: { code: 'volume_bound' } }]);
  });

  test('a name that another organisation has is not fought for', () => {
    expect(plan(wish('started'), seen({ app: 'foreign', machines: [], volumes: null }), memory(), NOW)).toMatchObject({ sighting: 'broken', actions: [{ kind: 'give-up', trouble: { code: 'app_name_taken' } }] });
  });

  test('where the exchange refuses to answer none is made', () => {
    expect(plan(wish('started', { region: 'iad', refused: true }), seen({ app: 'absent', machines: [], volumes: null, ips: null }), memory(), NOW)).toMatchObject({ sighting: 'broken', actions: [{ kind: 'give-up', trouble: { code: 'region_refused', message: expect.stringContaining('451') as string } }] });
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
    expect(words(plan(wish('started'), seen({ machines: [machine({ state: 'stopped', configHash: 'before' })] }), memory({ phase: 'stopped' }), NOW).actions)).toBe('update wait');
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

describe('what all machines are given', () => {
  /** It was ready with its own wish when all were given something else, and still is what it was given then. */
  const shared = wish('started', { configHash: 'hash', proven: false, contract: 'new', before: { configHash: 'before', envHash: 'env-before' } });
  const old = (change: Partial<SeenMachine> = {}) => seen({ machines: [machine({ configHash: 'before', envHash: 'env-before', ...change })], volumes: null });
  const after = (change: Partial<Memory> = {}, facts: Seen = old(), wished: Wish = shared) => plan(wished, facts, memory(change), NOW);

  test('is waited for by a machine that works until its turn has come, and that is said', () => {
    expect(after()).toEqual({ sighting: 'screening', awaitsTurn: true, detail: 'What all machines are given changed: this one takes it when its turn comes.', actions: [{ kind: 'none' }] });
    expect(after({ turn: 'what was given before' })).toMatchObject({ awaitsTurn: true, actions: [{ kind: 'none' }] });
    expect(after({ turn: 'new' }).actions).toMatchObject([{ kind: 'update', why: 'What all machines are given changed' }, { kind: 'wait' }]);
  });

  test('is taken after a drain, like everything for which a machine restarts', () => {
    expect(words(after({ turn: 'new', drain: { ...SILENT, beating: true } }).actions)).toBe('drain wait');
  });

  test.each<[string, Partial<Memory>, Seen, Partial<Wish>]>([
    ['does not work', { phase: 'starting' }, old(), {}],
    ['has failed', { phase: 'failed' }, old(), {}],
    ['was restarted by Fly', {}, old({ instanceId: 'i2' }), {}],
    ['starts', { phase: 'stopped' }, old({ state: 'stopped' }), {}],
    ['is wished otherwise by its user', {}, old(), { before: null }],
    ['differs in its size as well', {}, old({ size: { cpuKind: 'shared', cpus: 2, memoryMb: 512 } }), {}],
    ['differs in its image as well', {}, old({ image: IMAGE.replaceAll('a', 'b') }), {}],
    ['is not what it was given before', {}, old({ configHash: 'by hand' }), {}],
    ['has another environment than it was given before', {}, old({ envHash: 'by hand' }), {}],
  ])('is taken at once by one that %s', (_what, known, facts, change) => {
    expect(words(after(known, facts, { ...shared, ...change }).actions)).toContain('update');
  });

  test('that does not work is not the fault of a version that did: there is none to go back to, it is tried ever later, and the next that is given is taken at once', () => {
    const crash = { code: 3, oomKilled: false, requested: false, at: NOW - 500 };
    const broken = machine({ state: 'stopped', exit: crash, exits: [crash, crash, crash] });
    expect(after({ phase: 'failed', turn: 'new' }, seen({ machines: [broken] })).actions).toMatchObject([{ kind: 'start' }, { kind: 'back-off', trouble: { code: 'machine_crashed' } }]);
    expect(words(after({ phase: 'failed', turn: 'new' }, seen({ machines: [broken] }), { ...shared, configHash: 'mended', contract: 'third' }).actions)).toBe('update wait');
  });
});

describe('moving to another region', () => {
  test('begins with a drain of the machine that works, for as long as that may take', () => {
    const away = wish('started', { region: 'fra', machineName: 'tm-1-fra-2' });
    const asked = (drain: Partial<DrainState>) => words(plan(away, seen(), memory({ drain: { beating: true, askedMs: null, drained: false, untilCloseMs: 0, ...drain } }), NOW).actions);
    expect([asked({}), asked({ askedMs: 5_000 }), asked({ askedMs: 5_000, drained: true }), asked({ askedMs: DRAIN_MS })]).toEqual(['drain wait', 'wait', 'stop wait', 'stop wait']);
  });

  const there = wish('started', { region: 'fra', machineName: 'tm-1-fra' });
  test('the old machine stops, the new one is made, and only when that one is ready the old one goes', () => {
    expect(plan(there, seen(), memory(), NOW).actions).toMatchObject([{ kind: 'stop', machineId: 'm1' }, { kind: 'wait' }]);
    const stopped = machine({ state: 'stopped' });
    expect(words(plan(there, seen({ machines: [stopped] }), memory(), NOW).actions)).toBe('create-volume create-machine wait');
    const fresh = machine({ id: 'm2', name: 'tm-1-fra', region: 'fra', volumeId: 'v2' });
    expect(plan(there, seen({ machines: [stopped, fresh], ready: false }), memory({ phase: 'starting' }), NOW).actions).toMatchObject([{ kind: 'wait' }]);
    expect(plan(there, seen({ machines: [stopped, fresh], ready: true }), memory(), NOW).actions).toMatchObject([{ kind: 'destroy-machine', machineId: 'm1' }, { kind: 'wait' }]);
  });
});

describe('destroying', () => {
  test('no machine left: volumes and addresses are deleted; none of them left: the app; no app left: it is gone', () => {
    expect(words(plan(wish('destroyed'), seen({ machines: [] }), memory(), NOW).actions)).toBe('delete-volume release-ip release-ip wait');
    expect(words(plan(wish('destroyed'), seen({ machines: [], volumes: [], ips: [] }), memory(), NOW).actions)).toBe('delete-app wait');
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
    since: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 20 * 60_000 }).map((ago) => NOW - ago) }, { weight: 1, arbitrary: fc.constant(0) }),
    exit: fc.option(fc.record({ code: fc.option(fc.integer({ min: 0, max: 255 })), oomKilled: fc.boolean(), requested: fc.boolean(), at: fc.constant(NOW) })),
  }).map((change) => machine({ ...change, word: change.state, name: `tm-1-${change.region}` }));
  const arbSeen: fc.Arbitrary<Seen> = fc.record({
    app: fc.constantFrom('ours', 'absent', 'foreign'), secretSet: fc.constantFrom(true, false, null), ready: fc.constantFrom(true, false, null),
    volumes: fc.option(fc.array(fc.record({ id: fc.constantFrom('v1', 'v2', 'v3'), region: fc.constantFrom('sin', 'fra'), attachedTo: fc.constantFrom(null, 'm1', 'm2') }), { maxLength: 3 })),
    ips: fc.option(fc.constant(ips)),
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
        const went = new Set(['destroying', 'replaced', 'migrated']);
        expect(lives.some((one) => one.region === 'sin' && one.hostOk && one.volumeId !== null && !went.has(one.state))).toBe(false);
        // none that may act for the user, wherever it is and however little Fly says of it
        expect(lives.some((one) => mayRun(one, NOW))).toBe(false);
      }
      if (state !== 'destroyed') {
        expect(made.actions.some((action) => action.kind === 'delete-app')).toBe(false);
        const inUse = new Set(facts.machines.filter((one) => one.region === 'sin').map((one) => one.volumeId));
        for (const action of made.actions) if (action.kind === 'delete-volume') expect(inUse.size > 1 || !inUse.has(action.volumeId)).toBe(true);
      }
      if (state === 'stopped') expect(made.actions.some((action) => action.kind === 'start' || action.kind === 'update')).toBe(false);
    }), { numRuns: 2_000 });
  });

  test('nothing is waited for without end and without a word: whatever Fly shows and goes on to show, something else is done in the end, or somebody is told', () => {
    fc.assert(fc.property(fc.constantFrom(...DESIRED_STATES), arbSeen, arbMemory, fc.boolean(), (state, facts, known, beating) => {
      const ends = outlast(wish(state), facts, { ...known, drain: { ...SILENT, beating } });
      expect(ends, 'three hours were waited').not.toBeNull();
      if (ends?.actions.at(-1)?.kind === 'none') expect({ started: ['screening'], stopped: ['halted'], destroyed: ['gone'] }[state]).toContain(ends.sighting);
    }), { numRuns: 2_000 });
  });
});

/** The plan that ends a wait, or changes what the next look goes by, while Fly shows the same for three hours; null: none. What is remembered goes on as the row does. */
function outlast(wished: Wish, facts: Seen, known: Memory): Plan | null {
  const progress: ReadonlySet<string> = new Set(['create-machine', 'give-up-version', 'replace-machine']);
  const remembered: Memory = { ...known, unreachableSince: facts.machines.some(({ hostOk }) => !hostOk) ? NOW : null };
  let drainAt: number | null = null;
  for (let now = NOW; now < NOW + 3 * 3_600_000;) {
    if (drainAt !== null && now - drainAt > DRAIN_LEASE_S * 1_000) drainAt = null;
    const made = plan(wished, facts, { ...remembered, drain: { ...remembered.drain, askedMs: drainAt === null ? null : now - drainAt } }, now);
    const last = made.actions.at(-1);
    if (last?.kind !== 'wait' || made.actions.some(({ kind }) => progress.has(kind))) return made;
    if (made.actions.some(({ kind }) => kind === 'drain')) drainAt = now;
    if (made.actions.some(({ kind }) => kind === 'end-drain')) drainAt = null;
    const phase = nextPhase(remembered.phase, made.sighting);
    remembered.instanceId = choose(wished, facts, remembered, now).current?.instanceId ?? remembered.instanceId;
    if (phase !== remembered.phase) Object.assign(remembered, { phase, phaseSince: now });
    now += Math.max(10_000, last.ms);
  }
  return null;
}

describe('a machine that Fly has just made elsewhere', () => {
  const elsewhere = (since: number) => machine({ id: 'm2', name: 'tm-1-fra', state: 'created', region: 'fra', since });
  const makes = { machines: [elsewhere(NOW - 100)], volumes: [volume({ id: 'v2', attachedTo: 'm2', region: 'fra' })] };

  test('is about to start: none is made beside it before it was seen to start and was stopped', () => {
    expect(words(plan(wish('started'), seen(makes), memory({ flyMachineId: 'm2', phase: 'starting' }), NOW).actions)).toBe('wait');
    expect(words(plan(wish('started'), seen({ ...makes, machines: [machine(), elsewhere(NOW - 100)] }), memory(), NOW).actions)).toBe('wait');
    const started = machine({ id: 'm2', name: 'tm-1-fra', region: 'fra', since: NOW - 100 });
    expect(words(plan(wish('started'), seen({ ...makes, machines: [started] }), memory({ flyMachineId: 'm2', phase: 'starting' }), NOW).actions)).toBe('stop wait');
  });

  test('or could not launch, which it tries again: it is stopped before another is made', () => {
    const failing = (since: number) => ({ machines: [machine({ id: 'm2', name: 'tm-1-fra', state: 'launch_failed', region: 'fra', since })], volumes: [volume({ id: 'v2', attachedTo: 'm2', region: 'fra' })] });
    const known = memory({ flyMachineId: 'm2', phase: 'starting' });
    expect(words(plan(wish('started'), seen(failing(NOW - 100)), known, NOW).actions)).toBe('stop wait');
    expect(words(plan(wish('started'), seen(failing(NOW - 6 * 60_000)), known, NOW).actions)).toContain('create-machine');
  });

  test('and hangs in a passing state is stopped by force', () => {
    const hanging = machine({ id: 'm2', name: 'tm-1-fra', state: 'replacing', region: 'fra', since: NOW - 11 * 60_000 });
    expect(words(plan(wish('started'), seen({ machines: [hanging] }), memory({ flyMachineId: 'm2', phase: 'starting' }), NOW).actions)).toBe('stop! wait');
  });

  test('and does not come to rest is stopped by force too, and told when that does not help', () => {
    const stopping = machine({ id: 'm2', name: 'tm-1-fra', state: 'stopping', region: 'fra', since: NOW - 6 * 60_000 });
    const known = (ago: number) => memory({ flyMachineId: 'm2', phase: 'stopping', phaseSince: NOW - ago, wishedAt: NOW - ago });
    expect(words(plan(wish('started'), seen({ machines: [stopping] }), known(6 * 60_000), NOW).actions)).toBe('stop! wait');
    expect(plan(wish('started'), seen({ machines: [stopping] }), known(16 * 60_000), NOW).actions).toMatchObject([{ kind: 'stop', force: true }, { kind: 'back-off', trouble: { code: 'takes_long' } }]);
  });

  test('and never left `created` is not waited for', () => {
    expect(words(plan(wish('started'), seen({ ...makes, machines: [elsewhere(NOW - 120_000)] }), memory({ flyMachineId: 'm2', phase: 'starting' }), NOW).actions)).toContain('create-machine');
  });
});
