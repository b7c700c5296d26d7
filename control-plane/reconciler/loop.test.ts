import { expect, test, vi } from 'vitest';
import { startLoop, type LoopOptions } from './loop.ts';

const PATIENCE = { timeout: 30_000, interval: 5 };

test('a replica whose places are all taken has not stopped claiming: it is ready, and says how many looks are under way', async () => {
  let clock = 1_000;
  const hanging = Promise.withResolvers<boolean>();
  const rows = ['machine-1', 'machine-2'].map((id) => ({ id, fence: 1, attempts: 0, fly_app: null }));
  const loop = startLoop({
    database: {
      replicaBeat: () => Promise.resolve({ live: 1, superseded: false }), replicaLeave: () => Promise.resolve(), giveTurns: () => Promise.resolve(0), renew: () => Promise.resolve(true),
      claim: () => Promise.resolve(rows.splice(0)), release: () => hanging.promise.then((kept) => ({ kept, claimed: [] })),
    },
    context: { replicaId: 'cp-test', now: () => clock, contract: { allowedOrigins: [] } }, log: { info: vi.fn(), warn: vi.fn(), error: vi.fn() },
    now: () => clock, random: () => 0.5, leaseSeconds: 300, parallel: 2, idleMs: 5, changed: () => undefined, looked: () => undefined,
  } as unknown as LoopOptions);
  await vi.waitFor(() => expect(loop.underWay()).toBe(2), PATIENCE);
  clock += 60_000;
  loop.wake();
  await vi.waitFor(() => expect(loop.lastClaimAt()).toBe(61_000), PATIENCE);
  hanging.resolve(true);
  await loop.stop();
  expect(loop.underWay()).toBe(0);
});

test('that machines cannot be given their turns is told, and keeps nobody from claiming', async () => {
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  let claims = 0;
  const loop = startLoop({
    database: {
      replicaBeat: () => Promise.resolve({ live: 1, superseded: false }), replicaLeave: () => Promise.resolve(), giveTurns: () => Promise.reject(new Error('there is no such function')), renew: () => Promise.resolve(true),
      claim: () => { claims += 1; return Promise.resolve([]); }, release: () => Promise.resolve({ kept: true, claimed: [] }),
    },
    context: { replicaId: 'cp-test', now: () => 1_000, contract: { allowedOrigins: [] } }, log,
    now: () => 1_000, random: () => 0.5, leaseSeconds: 300, parallel: 2, idleMs: 5, changed: () => undefined, looked: () => undefined,
  } as unknown as LoopOptions);
  await vi.waitFor(() => expect(log.warn.mock.calls.map(([, text]) => String(text))).toEqual([expect.stringContaining('no machine was given its turn')]), PATIENCE);
  await vi.waitFor(() => expect(claims).toBeGreaterThan(0), PATIENCE);
  await loop.stop();
});
