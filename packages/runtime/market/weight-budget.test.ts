import { TradeMindError } from '@trademind/core';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { systemWall, type Wall } from '../time.ts';
import { PRIORITIES, WeightBudget, type Priority } from './weight-budget.ts';

/** A wall clock that a test moves. */
class HandWall implements Wall {
  ms = 30_000;
  #timers: { at: number; work: () => void }[] = [];
  epoch = () => this.ms;
  now = () => this.ms;
  random = () => 0;
  after = (ms: number, work: () => void) => {
    const timer = { at: this.ms + ms, work };
    this.#timers.push(timer);
    return () => { this.#timers = this.#timers.filter((other) => other !== timer); };
  };
  async move(ms: number): Promise<void> {
    for (const end = this.ms + ms; ;) {
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (!next || next.at > end) { this.ms = end; break; }
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.ms = Math.max(this.ms, next.at);
      next.work();
      await Promise.resolve();
    }
    await Promise.resolve();
  }
}

let wall: HandWall;
let budget: WeightBudget;
let through: string[];
const { signal } = new AbortController();
const refused = new TradeMindError({ code: 'exchange_limited', message: 'Too much.' });
beforeEach(() => {
  wall = new HandWall();
  budget = new WeightBudget(wall);
  through = [];
});
async function ask(name: string, weight: number, priority: Priority): Promise<void> {
  void budget.spend(weight, priority, signal).then(() => through.push(name));
  await Promise.resolve();
  await Promise.resolve();
}

test('each priority stops at its share of the limit, and goes on in the next minute', async () => {
  budget.answered(0, { used: 5_000 });
  await ask('backfill', 2, 'backfill');
  await ask('repair', 2, 'repair');
  await ask('order', 1, 'order');
  expect(through).toEqual(['repair', 'order']);
  await wall.move(31_000);
  expect(through).toEqual(['repair', 'order', 'backfill']);
});

test('who waits goes by urgency, not by arrival', async () => {
  budget.close(10_000, refused);
  for (const priority of ['audit', 'backfill', 'order', 'repair'] as const) await ask(priority, 2, priority);
  expect(budget.problem).toEqual({ code: 'exchange_limited', message: 'Too much. It may be asked again in 10 s.' });
  await wall.move(9_000);
  expect(through).toEqual([]);
  await wall.move(1_500);
  expect(through).toEqual([...PRIORITIES]);
  expect(budget.problem).toBeNull();
});

test('a refusal that repeats right after its end closes the gate for longer, several at once count as one', async () => {
  for (const wait of [1_000, 4_000, 8_000]) {
    budget.close(1_000, refused);
    budget.close(1_000, refused);
    await ask('next', 1, 'order');
    await wall.move(wait - 10);
    expect(through).toEqual([]);
    await wall.move(20);
    expect(through).toEqual(['next']);
    through = [];
  }
  budget.answered(1);
  budget.close(1_000, refused);
  await wall.move(1_010);
  expect(budget.problem).toBeNull();
});

test('the exchange\'s minute counts, by its own clock: ours turning first frees nothing', async () => {
  wall.ms = 50_000;
  budget.answered(0, { used: 4_800, date: 20_000 });
  await ask('backfill', 2, 'backfill');
  await wall.move(20_000);
  expect(through).toEqual([]);
  await wall.move(20_100);
  expect(through).toEqual(['backfill']);
});

test('what is aborted waits no longer and holds nobody up', async () => {
  budget.close(1_000, refused);
  const stop = new AbortController();
  const waiting = budget.spend(2, 'order', stop.signal);
  await ask('repair', 2, 'repair');
  stop.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
  await wall.move(1_100);
  expect(through).toEqual(['repair']);
  await expect(budget.spend(1, 'order', stop.signal)).rejects.toThrow('over');
});

test('whatever comes in whatever order, the exchange never counts more than its limit in a minute', async () => {
  const request = fc.record({ weight: fc.constantFrom(2, 20, 80, 250), priority: fc.constantFrom(...PRIORITIES), latency: fc.integer({ min: 1, max: 9_000 }), pause: fc.integer({ min: 0, max: 300 }) });
  await fc.assert(fc.asyncProperty(fc.array(request, { minLength: 50, maxLength: 250 }), fc.integer({ min: -900_000, max: 900_000 }), async (requests, skew) => {
    const clock = new HandWall();
    clock.ms = 3_600_000;
    const own = new WeightBudget(clock);
    let minute = -1;
    let used = 0;
    let most = 0;
    for (const { weight, priority, latency, pause } of requests) {
      void own.spend(weight, priority, signal).then(() => {
        // The request reaches the exchange at some moment of its way.
        clock.after(latency / 2, () => {
          const now = clock.ms + skew;
          if (Math.floor(now / 60_000) !== minute) used = 0;
          minute = Math.floor(now / 60_000);
          used += weight;
          most = Math.max(most, used);
          const told = { used, date: Math.floor(now / 1_000) * 1_000 };
          clock.after(latency / 2, () => own.answered(weight, told));
        });
      });
      await clock.move(pause);
    }
    await clock.move(600_000);
    expect(most).toBeLessThanOrEqual(6_000);
  }), { numRuns: 60 });
});

test('a real wall clock is enough', async () => {
  const own = new WeightBudget(systemWall);
  await own.spend(1, 'audit', signal);
  expect(own.used).toBe(1);
});
