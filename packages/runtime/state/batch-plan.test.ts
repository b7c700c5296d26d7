import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FIRST_PLAN, pickAfter, planAfter, type BatchPlan } from './batch-plan.ts';

/** Sends rows through the plan to a database that is well but for these rows; answers in how many batches all was written or set aside. */
function send(rows: number, refused: ReadonlySet<number>, failing: ReadonlySet<number>): { written: number[]; aside: number[]; batches: number } {
  let plan: BatchPlan = FIRST_PLAN;
  let waiting = Array.from({ length: rows }, (_, seq) => seq);
  const written: number[] = [];
  const aside: number[] = [];
  let batches = 0;
  for (let now = 0; waiting.length > 0 && batches < 10_000; now += 1_000) {
    const pick = pickAfter(plan, now);
    const batch = 'only' in pick ? [pick.only] : waiting.filter((seq) => !pick.except.includes(seq)).slice(0, plan.rows);
    if (batch.length === 0) continue;
    batches += 1;
    const end = batch.some((seq) => failing.has(seq)) ? 'failing' : batch.some((seq) => refused.has(seq)) ? 'refused' : 'written';
    const after = planAfter(plan, batch, end, now);
    ({ plan } = after);
    if (end === 'written') written.push(...batch);
    if (after.next === 'set aside') aside.push(...batch);
    if (end === 'written' || after.next === 'set aside') waiting = waiting.filter((seq) => !batch.includes(seq));
  }
  return { written, aside, batches };
}

test('whichever rows are at fault, exactly those are set aside, and all others are written in their order', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 3_000 }), fc.array(fc.nat(2_999), { maxLength: 12 }), fc.array(fc.nat(2_999), { maxLength: 5 }), (rows, refused, failing) => {
    const { written, aside } = send(rows, new Set(refused), new Set(failing));
    const faulty = new Set([...refused, ...failing].filter((seq) => seq < rows));
    expect(aside.toSorted((a, b) => a - b)).toEqual([...faulty].toSorted((a, b) => a - b));
    expect(written).toEqual(Array.from({ length: rows }, (_, seq) => seq).filter((seq) => !faulty.has(seq)));
  }), { numRuns: 200 });
});

test('one bad row among a thousand costs about twice its logarithm in batches', () => {
  expect(send(1_000, new Set([500]), new Set()).batches).toBeLessThan(25);
});

test('while nothing is known batches shrink to one, nothing is suspected, and they grow again when it answers', () => {
  let plan = FIRST_PLAN;
  for (let batch = 1_000; ; batch = plan.rows) {
    plan = planAfter(plan, Array.from({ length: batch }, (_, seq) => seq), 'away', 0).plan;
    if (batch === 1) break;
  }
  expect(plan).toEqual({ rows: 1, suspects: [] });
  for (let round = 0; round < 10; round++) ({ plan } = planAfter(plan, [round], 'written', 0));
  expect(plan.rows).toBe(1_000);
});

test('a row on which a database fails that is well otherwise gets three chances, a minute apart, alone', () => {
  let plan: BatchPlan = FIRST_PLAN;
  for (const [now, next] of [[0, 'go on'], [60_000, 'go on'], [120_000, 'set aside']] as const) {
    const after = planAfter(plan, [5], 'failing', now);
    expect(after.next).toBe(next);
    ({ plan } = after);
    if (next === 'go on') expect([pickAfter(plan, now + 59_999), pickAfter(plan, now + 60_000)]).toEqual([{ except: [5] }, { only: 5 }]);
  }
  expect(plan.suspects).toEqual([]);
});
