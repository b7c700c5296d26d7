import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StoredTrader } from '../state/state-store.ts';
import { TraderFollower } from './trader-follower.ts';

const trader = (id: string): StoredTrader => ({ id, version: 1, document: { name: id } }) as unknown as StoredTrader;
let may: boolean;
let fails: boolean;
let did: string[];
let said: string[];
let changes: number;
let cached: StoredTrader[] | undefined;
let ending: AbortController;
let follower: TraderFollower;
beforeEach(() => {
  vi.useFakeTimers();
  [may, fails, did, said, changes, cached, ending] = [true, false, [], [], 0, undefined, new AbortController()];
  const act = (what: string): void => { if (fails) throw Object.assign(new Error('disk is full'), { code: 'ERR_SQLITE_ERROR' }); did.push(what); };
  follower = new TraderFollower({
    traders: { set: (traders) => act(`set ${traders.map(({ id }) => id).join(' ')}`), reselect: () => act('reselect'), pause: (id, why) => act(`pause ${id} ${why}`) },
    store: { cachedTraders: () => cached }, mayScreen: () => may, log: (level, code) => said.push(`${level} ${code}`), signal: ending.signal, onChanged: () => { changes += 1; },
  });
});
afterEach(() => { vi.useRealTimers(); });
const known = async (): Promise<boolean> => Promise.race([follower.known.then(() => true), Promise.resolve().then(() => Promise.resolve()).then(() => false)]);

test('traders run as soon as the machine may screen, and those named last are the ones', async () => {
  may = false;
  expect([await known(), follower.count]).toEqual([false, 0]);
  follower.set([trader('a')], []);
  follower.set([trader('a'), trader('b')], []);
  expect([await known(), follower.count, did]).toEqual([true, 2, []]);
  may = true;
  follower.apply();
  expect([did, changes]).toEqual([['set a b'], 1]);
  follower.set([], []);
  expect(did.at(-1)).toBe('set ');
});

test('cached traders stand in only where none were named and some are known', async () => {
  follower.useCached();
  expect(await known()).toBe(false);
  cached = [trader('old')];
  follower.useCached();
  expect([did, said]).toEqual([['set old'], ['warn traders_cached']]);
  follower.set([trader('new')], []);
  follower.useCached();
  expect(did).toEqual(['set old', 'set new']);
});

test('symbols are chosen anew only once traders run: before that there is nothing to choose for, and nothing to forget', () => {
  follower.reselect();
  expect(did).toEqual([]);
  follower.set([trader('a')], []);
  follower.reselect();
  expect([did, changes]).toEqual([['set a', 'reselect'], 2]);
});

test('what cannot be applied is said and tried again, until it can or the machine ends', async () => {
  fails = true;
  follower.set([trader('a')], []);
  expect([did, said, changes]).toEqual([[], ['error ERR_SQLITE_ERROR'], 0]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(said).toHaveLength(2);
  fails = false;
  await vi.advanceTimersByTimeAsync(5_000);
  expect([did, changes]).toEqual([['set a'], 1]);
  fails = true;
  follower.reselect();
  ending.abort();
  fails = false;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(did).toEqual(['set a']);
});

test('a trader that has gone wrong stops after what found that out, and not in a machine that has ended', async () => {
  follower.pauseSoon('a', 'Too many.');
  expect(did).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(did).toEqual(['pause a Too many.']);
  follower.pauseSoon('b', 'Too many.');
  ending.abort();
  await vi.advanceTimersByTimeAsync(1);
  expect(did).toHaveLength(1);
});

test('whoever waits for traders waits no longer when it ends', async () => {
  follower.stop();
  expect(await known()).toBe(true);
});
