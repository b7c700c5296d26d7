import { RolloutSettings } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge } from './gates.ts';
import { planRollout, reached, type Step } from './plan.ts';
import type { ClaimedRollout, Health, UnderWay } from './view.ts';

const NOW = 1_800_000_000_000;
const health = (change: Partial<Health> = {}): Health => ({ machines: 10, reporting: 10, errorsPerMinute: 0.1, failing: 0, lagMs: 2_000, bootMs: 20_000, crashing: [], ...change });
const view = (change: Partial<ClaimedRollout> = {}): ClaimedRollout => ({
  id: 'r', fence: 1, state: 'running', wave: 1, settings: RolloutSettings.parse({ waves: [{ machines: 1 }, { machines: 10 }, { share: 1 }], pauseSeconds: 60, parallel: 4 }), reason: null, now: NOW,
  waveSettledAt: null, version: '2', image: 'new', waiting: 0, candidates: [], counts: { healthy: 10 }, failed: 0, failures: [], underWay: [], toRevert: [], updated: health(), others: health(), baseline: {}, ...change,
});
const machine = (change: Partial<UnderWay> = {}): UnderWay => ({
  machineId: 'm', userId: 'u', state: 'updating', counted: true, changedAt: NOW - 1_000, previousImage: 'old', generation: 2, desiredState: 'started', desiredImage: 'new', image: 'old', phase: 'starting',
  observedGeneration: 1, lastError: null, wentBack: false, failure: null, bootMs: null, crashes: 0, ...change,
});
const done = { phase: 'screening', image: 'new', observedGeneration: 2 };

describe('a machine under way', () => {
  const cases: [string, Partial<UnderWay>, Step['marks']][] = [
    ['is waited for while it boots', {}, []],
    ['is healthy when it runs the image, its wish is fulfilled and it screens', { ...done, bootMs: 900 }, [{ machineId: 'm', state: 'healthy', bootMs: 900 }]],
    ['is not healthy while it screens still with the version before', { phase: 'screening', image: 'old', observedGeneration: 1 }, []],
    ['is not healthy before its wish was seen fulfilled', { ...done, observedGeneration: 1 }, []],
    ['has failed when it does not boot in time', { changedAt: NOW - 601_000 }, [{ machineId: 'm', state: 'failed', reason: 'It did not say within 10 min that it is ready; it is starting.' }]],
    ['has failed when Fly cannot run it', { phase: 'failed', lastError: { code: 'x', message: 'Exit code 3.', at: new Date(NOW).toISOString() } }, [{ machineId: 'm', state: 'failed', reason: 'Exit code 3.' }]],
    ['has not failed by an error from before', { phase: 'failed', lastError: { code: 'x', message: 'Exit code 3.', at: new Date(NOW - 90_000).toISOString() } }, []],
    ['has failed when it ends again and again', { crashes: 2 }, [{ machineId: 'm', state: 'failed', reason: 'It ended against its will 2 times since it was updated.' }]],
    ['has failed when the reconciler gave the version up', { wentBack: true, failure: 'Exit code 3.' }, [{ machineId: 'm', state: 'failed', reason: 'Exit code 3.' }]],
    ['has failed when it was taken back', { desiredImage: 'old' }, [{ machineId: 'm', state: 'failed', reason: 'It was taken back to another image.' }]],
    ['is left when its user stops it', { desiredState: 'stopped' }, [{ machineId: 'm', state: 'left', reason: 'Its user wished it stopped meanwhile.' }]],
    ['is left when it did not run before either', { counted: false, crashes: 2 }, [{ machineId: 'm', state: 'left', reason: 'It did not run before either. It ended against its will 2 times since it was updated.' }]],
  ];
  test.each(cases)('%s', (_name, change, marks) => {
    expect(planRollout(view({ underWay: [machine(change)], counts: { updating: 1, healthy: 60 } })).marks).toEqual(marks);
  });
});

describe('the gates', () => {
  const none = { failed: [], healthy: 0 };
  const cases: [string, Partial<ClaimedRollout>, string | null][] = [
    ['let pass what is as before', {}, null],
    ['let nothing fail in the canary', { wave: 0, failed: 1, counts: { failed: 1 } }, 'canary_failed'],
    ['let a few fail later', { failed: 1, counts: { failed: 1, healthy: 40 } }, null],
    ['do not let many fail', { failed: 3, counts: { failed: 3, healthy: 40 } }, 'too_many_failed'],
    ['hold boot time against what it was at the start', { updated: health({ bootMs: 90_000 }), baseline: { bootMs: 40_000 } }, 'boot_slower'],
    ['do not mind twice of very little', { updated: health({ bootMs: 29_000 }), baseline: { bootMs: 4_000 } }, null],
    ['hold errors against the machines on the version before', { updated: health({ errorsPerMinute: 5 }), others: health({ errorsPerMinute: 2 }) }, 'more_errors'],
    ['do not mind errors that all have', { updated: health({ errorsPerMinute: 5 }), others: health({ errorsPerMinute: 4 }) }, null],
    ['compare with the start when nobody runs the version before', { updated: health({ errorsPerMinute: 5 }), others: health({ errorsPerMinute: null }), baseline: { errorsPerMinute: 3 } }, null],
    ['hold the feed\'s lag against the others', { updated: health({ lagMs: 40_000 }) }, 'feed_later'],
    ['do not mind a market that is late for all', { updated: health({ lagMs: 40_000 }), others: health({ lagMs: 39_000 }) }, null],
    ['see machines that say that they fail', { updated: health({ failing: 3 }) }, 'more_failing'],
  ];
  test.each(cases)('%s', (_name, change, code) => { expect(judge(view(change), none)?.code ?? null).toBe(code); });

  test('halt everything, and say why with the figures', () => {
    const step = planRollout(view({ updated: health({ lagMs: 40_000 }), waiting: 5, candidates: [{ machineId: 'a', userId: 'a' }] }));
    expect(step).toMatchObject({ state: 'rolling_back', take: [], reason: { code: 'feed_later', value: 40_000, before: 2_000 }, events: [{ kind: 'halted' }] });
  });

  test('watch while it is paused, and while a wave is watched', () => {
    const bad = { updated: health({ crashing: [{ machineId: 'a', crashes: 4 }, { machineId: 'b', crashes: 4 }] }) };
    for (const change of [{ state: 'paused' as const }, { waveSettledAt: NOW }]) expect(planRollout(view({ ...bad, ...change }))).toMatchObject({ state: 'rolling_back', reason: { code: 'too_many_failed' } });
  });
});

describe('a wave', () => {
  test('is watched for the pause once all its machines are judged, then the next begins', () => {
    const settled = view({ waiting: 30 });
    expect(planRollout(settled)).toMatchObject({ settled: true, take: [], events: [{ kind: 'wave.settled' }] });
    expect(planRollout({ ...settled, waveSettledAt: NOW - 59_000 })).toMatchObject({ take: [], nextSeconds: 1 });
    expect(planRollout({ ...settled, waveSettledAt: NOW - 60_000 })).toMatchObject({ wave: 2, settled: false, take: [] });
  });

  test('counts those before it, and the last ends when nobody waits', () => {
    expect([reached({ machines: 3 }, 2), reached({ share: 0.1 }, 25), reached({ share: 1 }, 25)]).toEqual([2, 3, 25]);
    const last = view({ wave: 2, waveSettledAt: NOW - 60_000 });
    expect(planRollout(last)).toMatchObject({ state: 'succeeded' });
    // somebody's machine is made, or a user's other machine was under way: it is not the end
    expect(planRollout({ ...last, waiting: 1 })).toMatchObject({ settled: false });
  });

  test('takes nothing while paused, and goes on marking', () => {
    expect(planRollout(view({ state: 'paused', waiting: 1, candidates: [{ machineId: 'a', userId: 'a' }], underWay: [machine(done)] }))).toMatchObject({ take: [], marks: [{ state: 'healthy' }] });
  });
});

describe('going back', () => {
  const back = (change: Partial<ClaimedRollout>) => planRollout(view({ state: 'rolling_back', reason: { code: 'x', message: 'It was bad.' }, ...change }));
  test('takes back a few at a time, waits for each, and ends when none is left', () => {
    const toRevert = Array.from({ length: 4 }, (_, index) => ({ machineId: `m${index}`, userId: `u${index}` }));
    expect(back({ toRevert, underWay: [machine({ state: 'reverting', desiredImage: 'old' })] })).toMatchObject({ revert: ['m0', 'm1', 'm2'], marks: [] });
    const last = back({ underWay: [machine({ state: 'reverting', desiredImage: 'old', phase: 'screening', image: 'old', observedGeneration: 2 })], counts: { reverted: 2, reverting: 1 } });
    expect(last).toMatchObject({ marks: [{ state: 'reverted' }], events: [] });
    // another machine of its user may have waited for it: the end is the next step
    expect(last.state).toBeUndefined();
    expect(back({ counts: { reverted: 3 } })).toMatchObject({ state: 'rolled_back', events: [{ message: '3 machines run the version before again. It was bad.' }] });
  });

  test('gives up on a machine that does not come back, and says so', () => {
    expect(back({ underWay: [machine({ state: 'reverting', desiredImage: 'old', changedAt: NOW - 601_000 })] })).toMatchObject({ marks: [{ state: 'stuck', reason: 'It did not come back within 600 s: it is starting' }] });
    expect(back({ counts: { stuck: 1 } })).toMatchObject({ state: 'rolled_back', events: [{ message: '0 machines run the version before again; 1 did not come back and need somebody. It was bad.' }] });
  });
});

/** A fleet in memory that follows the steps as the database does. */
function follow(fleet: { user: string; bad: boolean }[], parallel: number, order: readonly number[]) {
  const rows = fleet.map((one, index) => ({ machineId: `m${index}`, userId: one.user, bad: one.bad, state: null as string | null, image: 'old', desired: 'old', times: 0 }));
  let [state, wave, settledAt, now] = ['running' as ClaimedRollout['state'], 0, null as number | null, NOW];
  let turn = 0;
  for (let round = 0; round < 2_000 && (state === 'running' || state === 'rolling_back'); round += 1) {
    now += 10_000;
    const busy = rows.filter((row) => row.state === 'updating' || row.state === 'reverting');
    expect(new Set(busy.map((row) => row.userId)).size, 'never two machines of one user at once').toBe(busy.length);
    expect(busy.length).toBeLessThanOrEqual(parallel);
    const free = rows.filter((row) => !busy.some((other) => other.userId === row.userId));
    const count = (name: string) => rows.filter((row) => row.state === name).length;
    const step = planRollout(view({
      state, wave, now, waveSettledAt: settledAt, settings: RolloutSettings.parse({ waves: [{ machines: 2 }, { share: 0.4 }, { share: 1 }], pauseSeconds: 30, parallel, gates: { bootSeconds: 60 } }),
      waiting: rows.filter((row) => row.state === null).length, candidates: free.filter((row) => row.state === null).slice(0, parallel),
      counts: { updating: count('updating'), healthy: count('healthy'), failed: count('failed'), reverting: count('reverting'), reverted: count('reverted') }, failed: count('failed'), failures: ['It failed.'],
      underWay: busy.map((row) => machine({
        machineId: row.machineId, userId: row.userId, state: row.state as 'updating', desiredImage: row.desired, image: row.image, changedAt: now - 20_000, generation: 1, observedGeneration: 1,
        phase: row.image === row.desired && !(row.bad && row.image === 'new') ? 'screening' : 'starting', crashes: row.bad && row.image === 'new' ? 3 : 0,
      })),
      toRevert: state === 'rolling_back' ? [...busy.filter((row) => row.state === 'updating'), ...free.filter((row) => ['healthy', 'failed', 'left'].includes(row.state ?? ''))].slice(0, parallel) : [],
    }));
    // some steps are lost with their replica: the next plans them again
    if ((order[turn++ % order.length] ?? 1) === 0) continue;
    for (const mark of step.marks) for (const row of rows) if (row.machineId === mark.machineId) row.state = mark.state;
    for (const id of step.take) for (const row of rows) if (row.machineId === id) Object.assign(row, { state: 'updating', desired: 'new', times: row.times + 1 });
    for (const id of step.revert) for (const row of rows) if (row.machineId === id) Object.assign(row, { state: 'reverting', desired: 'old' });
    if (step.settled === true) settledAt ??= now;
    if (step.settled === false) settledAt = null;
    wave = step.wave ?? wave;
    state = step.state ?? state;
    // machines take a round to follow
    for (const row of rows) row.image = row.desired;
  }
  return { rows, state };
}

test('whatever steps are lost: a good release reaches each machine once, a bad one none but its canary, and it always ends', () => {
  const users = fc.array(fc.record({ user: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), bad: fc.boolean() }), { minLength: 1, maxLength: 20 });
  fc.assert(fc.property(users, fc.integer({ min: 1, max: 5 }), fc.array(fc.constantFrom(0, 1, 1), { minLength: 1, maxLength: 7 }).filter((order) => order.includes(1)), fc.constantFrom('good', 'bad', 'mixed'), (fleet, parallel, order, kind) => {
    const { rows, state } = follow(fleet.map((one) => ({ ...one, bad: kind === 'mixed' ? one.bad : kind === 'bad' })), parallel, order);
    if (kind === 'good') {
      expect(state).toBe('succeeded');
      expect(rows.every((row) => row.state === 'healthy' && row.times === 1 && row.image === 'new')).toBe(true);
    }
    if (kind === 'bad') {
      expect(state).toBe('rolled_back');
      expect(rows.filter((row) => row.times > 0).length).toBeLessThanOrEqual(2);
    }
    expect(['succeeded', 'rolled_back']).toContain(state);
    if (state === 'rolled_back') expect(rows.every((row) => row.image === 'old')).toBe(true);
  }), { numRuns: 300 });
});
