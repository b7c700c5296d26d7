import fc from 'fast-check';
import { CPU_LADDER, MACHINE_PHASES, ScaleTerms, memoryRange, monthlyPrice, termsProblem, type MachineSize, type ScaleRequest } from '@trademind/core';
import { expect, test } from 'vitest';
import type { ScaleFacts } from '../database/machine.ts';
import { judgeScale, termsOf } from './judge-scale.ts';

const one: MachineSize = { cpuKind: 'shared', cpus: 1, memoryMb: 512 };
const two: MachineSize = { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 };
const settings = { automatic: true, policy: 'balanced', bounds: { smallest: one, largest: { cpuKind: 'shared', cpus: 4, memoryMb: 4_096 } } };
const FACTS: ScaleFacts = {
  generation: 3, observed_generation: 3, desired_state: 'started', phase: 'screening', region: 'sin', cpu_kind: 'shared', cpus: 1, memory_mb: 512, since_scaled_s: null, scaling: settings, vcpus_left: 8, performance: true, budget_left_usd: null,
};
const REQUEST: ScaleRequest = {
  generation: 3, from: one, to: two, direction: 'up', reasons: [{ code: 'cpu_full', sentence: 'x' }], sentence: 'x',
  evidence: { from: 0, to: 1, samples: 1, cpuCores: 1, deniedCores: 0, givenCores: 1, passShare: 0, workerUse: 0, candleLagMs: 0, loopDelayMs: 0, tradersShed: 0, rssMb: 1, outOfMemoryMb: null },
  price: { fromUsd: 0, toUsd: 0, differenceUsd: 0, pricesReadAt: 'x' },
};

test.each<[string, Partial<ScaleFacts>, Partial<ScaleRequest>, string]>([
  ['all is well', {}, {}, 'accepted accepted'],
  ['a smaller one', { cpus: 2, memory_mb: 1_024 }, { from: two, to: one, direction: 'down' }, 'accepted accepted'],
  ['the machine is meant to stop', { desired_state: 'stopped' }, {}, 'refused not_wished'],
  ['the wish is another by now', { generation: 4 }, {}, 'refused generation_changed'],
  ['its user changes the size', { scaling: null }, {}, 'refused not_automatic'],
  ['its settings are from another version', { scaling: { automatic: 'yes' } }, {}, 'refused not_automatic'],
  ['it thinks it has another size', {}, { from: two }, 'refused size_changed'],
  ['it has that size', {}, { to: one }, 'refused same_size'],
  ['Fly has no such size', {}, { to: { ...two, cpus: 3 } }, 'refused beyond_bounds'],
  ['more than its user allows', {}, { to: { cpuKind: 'shared', cpus: 8, memoryMb: 4_096 } }, 'refused beyond_bounds'],
  ['less than its user allows', {}, { to: { cpuKind: 'shared', cpus: 1, memoryMb: 256 } }, 'refused beyond_bounds'],
  ['more than the plan has left', { vcpus_left: 1 }, {}, 'refused beyond_bounds'],
  ['more than the budget has left', { budget_left_usd: 5 }, {}, 'refused beyond_budget'],
  ['nothing of the budget is left', { budget_left_usd: -3 }, {}, 'refused beyond_budget'],
  ['it was changed a minute ago', { since_scaled_s: 60 }, {}, 'deferred cooling_down'],
  ['it was changed long ago', { since_scaled_s: 301 }, {}, 'accepted accepted'],
  ['the last wish is not done', { observed_generation: 2 }, {}, 'deferred machine_busy'],
  ['it starts', { phase: 'starting' }, {}, 'deferred machine_busy'],
])('%s', (_what, facts, request, expected) => {
  const { decision, code, message } = judgeScale({ ...REQUEST, ...request }, { ...FACTS, ...facts });
  expect(`${decision} ${code}`).toBe(expected);
  expect(message).toMatch(/\.$/);
});

const size = fc.constantFrom(...CPU_LADDER).chain(({ cpuKind, cpus }) => { const [least, most] = memoryRange(cpuKind, cpus); return fc.integer({ min: least / 256, max: most / 256 }).map((steps): MachineSize => ({ cpuKind, cpus, memoryMb: steps * 256 })); });
const facts = fc.record({
  generation: fc.integer({ min: 1, max: 3 }), observed_generation: fc.integer({ min: 1, max: 3 }), desired_state: fc.constantFrom('started' as const, 'stopped' as const, 'destroyed' as const), phase: fc.constantFrom(...MACHINE_PHASES), region: fc.constantFrom('sin', 'fra', 'xyz'),
  since_scaled_s: fc.option(fc.integer({ min: 0, max: 1_000 })), vcpus_left: fc.integer({ min: -4, max: 16 }), performance: fc.boolean(), budget_left_usd: fc.option(fc.integer({ min: -10, max: 200 })),
  scaling: fc.option(fc.record({ automatic: fc.boolean(), policy: fc.constantFrom('thrifty', 'balanced', 'roomy'), bounds: fc.option(fc.record({ smallest: size, largest: size }), { nil: undefined }) })), now: size,
}).map(({ now, ...rest }): ScaleFacts => ({ ...rest, cpu_kind: now.cpuKind, cpus: now.cpus, memory_mb: now.memoryMb }));

test('whatever the facts, the terms are such as a machine can read, and nothing is accepted that they do not allow or that costs more than is left', () => {
  fc.assert(fc.property(facts, size, fc.integer({ min: 1, max: 3 }), (given, to, generation) => {
    const terms = ScaleTerms.parse(termsOf(given));
    const from: MachineSize = { cpuKind: given.cpu_kind, cpus: given.cpus, memoryMb: given.memory_mb };
    const { decision } = judgeScale({ ...REQUEST, generation, from, to }, given);
    if (decision !== 'accepted') return;
    expect(termsProblem(to, terms)).toBeNull();
    expect(given).toMatchObject({ desired_state: 'started', generation });
    expect(to.cpus).toBeLessThanOrEqual(Math.max(1, given.vcpus_left));
    if (given.budget_left_usd !== null) expect(monthlyPrice(to, given.region)!).toBeLessThanOrEqual(given.budget_left_usd);
    expect(given.since_scaled_s ?? 1_000).toBeGreaterThanOrEqual(300);
  }), { numRuns: 2_000 });
});
