import { setTimeout as sleep } from 'node:timers/promises';
import type { FlyClient } from '@trademind/fly';
import { expect, test } from 'vitest';
import { createFlyBudget } from './budget.ts';

/** A client that only notes when it is asked. */
function counting(now: () => number): { fly: FlyClient; asked: { what: string; at: number }[] } {
  const asked: { what: string; at: number }[] = [];
  const group = (name: string, methods: readonly string[]) => Object.fromEntries(methods.map((method) => [method, (...args: unknown[]) => {
    asked.push({ what: `${name}.${method} ${String(args[1] ?? args[0])}`, at: now() });
    return Promise.resolve({});
  }]));
  const fly = { apps: group('apps', ['create', 'get', 'delete']), machines: group('machines', ['get', 'list', 'start']), leases: group('leases', ['acquire']), volumes: group('volumes', ['list']), secrets: group('secrets', ['list']), ipAssignments: group('ips', ['list']) };
  return { fly: fly as unknown as FlyClient, asked };
}
const clock = () => performance.now();
const within = (asked: readonly { at: number }[], ms: number) => Math.max(0, ...asked.map((first) => asked.filter(({ at }) => at >= first.at && at < first.at + ms).length));

test('no machine is asked the same thing more than three times at once, nor more than once a second after that; another one does not wait for it', async () => {
  const { fly, asked } = counting(clock);
  const waits: number[] = [];
  const budget = createFlyBudget({ perSecond: 1_000, now: () => 0, sleep: (ms) => { waits.push(ms); return Promise.resolve(); } });
  const held = budget.spend(fly);
  await Promise.all([...Array.from({ length: 5 }, () => held.machines.start('a', 'm1')), held.machines.start('b', 'm2'), held.leases.acquire('a', 'm1', { ttlSeconds: 1 })]);
  expect(waits).toEqual([1_000, 2_000]);
  expect(asked).toHaveLength(7);
  waits.length = 0;
  await Promise.all(Array.from({ length: 12 }, () => held.machines.get('a', 'm1')));
  expect(waits).toEqual([200, 400]);
  await budget.stop();
});

test('the whole budget is never exceeded, and is divided by the replicas that live', async () => {
  const { fly, asked } = counting(clock);
  const budget = createFlyBudget({ perSecond: 80, now: clock, sleep });
  const held = budget.spend(fly);
  budget.share(2);
  await Promise.all(Array.from({ length: 60 }, (_, at) => held.volumes.list(`app-${at}`)));
  // slices of a quarter of a second: 20 were there at first, then 10 each
  expect(within(asked, 240)).toBeLessThanOrEqual(30);
  expect(asked.at(-1)!.at - asked[0]!.at).toBeGreaterThan(700);
  await budget.stop();
});

test.each([1, 3, 20])('in no minute more than a hundred apps are deleted by %i replicas; who would wait for long hears when to come again, and nothing else waits for deletes', async (replicas) => {
  let now = 0;
  const { fly, asked } = counting(() => now);
  const budgets = Array.from({ length: replicas }, () => createFlyBudget({ perSecond: 1_000_000, now: () => now, sleep: (ms) => { expect(ms).toBeLessThanOrEqual(2_000); return Promise.resolve(); } }));
  const held = budgets.map((budget) => { budget.share(replicas); return budget.spend(fly); });
  let refused = 0;
  let app = 0;
  // two minutes of a second each: everybody wants to delete, and one deploys meanwhile
  for (let second = 0; second < 120; second += 1) {
    now = second * 1_000;
    for (const one of held) {
      for (let at = 0; at < Math.ceil(4 / replicas); at += 1) {
        app += 1;
        await one.apps.delete(`app-${app}`).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'fly_rate_limited', outcome: 'known', retryAfterMs: expect.any(Number) as number });
          refused += 1;
        });
      }
    }
    await held[0]!.apps.create({ name: `new-${app}`, orgSlug: 'o' });
  }
  const deletes = asked.filter(({ what }) => what.startsWith('apps.delete'));
  expect(within(deletes, 60_000)).toBeLessThanOrEqual(100);
  expect(deletes.length).toBeGreaterThan(2 * 60);
  expect(refused).toBeGreaterThan(0);
  expect(asked.length - deletes.length).toBe(120);
  await Promise.all(budgets.map((budget) => budget.stop()));
});

test('who comes while there is room does not wait for a timer, also after a crowd has passed', async () => {
  const { fly, asked } = counting(clock);
  const budget = createFlyBudget({ perSecond: 40, now: clock, sleep });
  const held = budget.spend(fly);
  const atOnce = async (app: string): Promise<boolean> => {
    const before = asked.length;
    const done = held.volumes.list(app);
    await Promise.resolve();
    const went = asked.length > before;
    await done;
    return went;
  };
  expect(await atOnce('first')).toBe(true);
  await Promise.all(Array.from({ length: 30 }, (_, at) => held.volumes.list(`app-${at}`)));
  expect(within(asked, 240)).toBeLessThanOrEqual(20);
  let went = false;
  for (let n = 0; n < 40 && !went; n += 1) {
    await sleep(50);
    went = await atOnce(`later-${n}`);
  }
  expect(went).toBe(true);
  await budget.stop();
});

test('replicas that look at one app in turn, within a second, read it no more often than Fly takes', async () => {
  const now = 0;
  const { fly, asked } = counting(() => now);
  const waits: number[] = [];
  const budgets = Array.from({ length: 3 }, () => createFlyBudget({ perSecond: 1_000_000, now: () => now, sleep: (ms) => { waits.push(ms); return Promise.resolve(); } }));
  for (const budget of budgets) {
    budget.share(3);
    const held = budget.spend(fly);
    await held.apps.get('app-1');
    await held.volumes.list('app-1');
  }
  expect([asked.length, waits]).toEqual([6, []]);
  await budgets[0]!.spend(fly).apps.get('app-1');
  expect(waits).toEqual([1_000]);
  await Promise.all(budgets.map((budget) => budget.stop()));
});
