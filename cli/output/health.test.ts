import { judgeHealth, type HealthReport, type Readings } from '@trademind/core';
import { createColors } from 'picocolors';
import { expect, test } from 'vitest';
import { testMachine } from '../../tests/support/dashboard.ts';
import { testStatus } from '../../tests/support/feed.ts';
import { machineLines } from '../commands/status.ts';
import { healthLines } from './health.ts';

const NOW = Date.UTC(2026, 9, 10, 12);
const plain = createColors(false);
const judged = (readings: Readings): HealthReport => judgeHealth({}, readings, [], { mono: 0, epoch: NOW - 90_000 }).report;

test('one line says that all is well', () => {
  expect(healthLines(plain, judged({ diskUsed: 0.1, streamDownMs: 0 }), NOW)).toEqual(['all is well (2 parts)']);
});

test('what is not well is said with what to do, the worst first, and how the machine ended last', () => {
  const report: HealthReport = {
    ...judged({ diskUsed: 0.85, streamDownMs: 61_000 }),
    crash: { at: new Date(NOW - 7_200_000).toISOString(), kind: 'out-of-memory', code: 'memory_exhausted', message: 'The machine ran out of memory.', nextStep: 'Take a larger one.', version: '1', uptimeS: 5, memory: { rssMb: 1, limitMb: 1, heapMb: 1, heapLimitMb: 1 }, log: [] },
  };
  expect(healthLines(plain, report, NOW)).toEqual([
    'failing 2 of 2 parts',
    "● Exchange stream failing for 1 min 30 s: The exchange's stream has been down for 1 min 1 s: no candles come.",
    '  → It is tried again without end. If the exchange is up elsewhere, its address may be refused from this region: move the machine.',
    '● Disk degraded for 1 min 30 s: The volume of the data folder is 85 % full.',
    '  → Give it a larger volume soon.',
    '! 2 h 0 min ago: The machine ran out of memory. memory_exhausted',
    '  → Take a larger one.',
  ]);
});

test('the state shown is the state that the machine judged, and a machine that went silent is failing whatever it said', () => {
  const health = judged({ databaseSilenceMs: 100_000 });
  const lines = (beatAgo: number) => machineLines(plain, testMachine({ status: testStatus({ health }), beatAt: new Date(NOW - beatAgo).toISOString() }), NOW).join('\n');
  expect(lines(10_000)).toContain('Database degraded for');
  expect(lines(10_000)).not.toContain('has not reported');
  expect(lines(200_000)).toContain('● Machine failing for 50.0 s: The machine has not reported for 3 min 20 s');
});

test('what analyses have used up today is shown with what they may; a machine that does not say it shows what it knows', () => {
  const analysis = { waiting: 3, running: 4, model: 'gemini-3.5-flash-lite', today: { day: '2026-10-10', calls: 9, tokens: 31_250, usd: 0.01234 } };
  const line = (of: object) => machineLines(plain, testMachine({ status: testStatus({ analysis: { ...analysis, ...of } }) }), NOW).find((text) => text.includes('analysis'));
  expect(line({ caps: { tokensPerDay: 250_000, usdPerDay: 0.5 } })).toContain('3 waiting, 4 under way; today (UTC) 31,250 tokens and $0.0123 of 250,000 tokens and $0.50');
  expect(line({ caps: { tokensPerDay: null, usdPerDay: 2 } })).toMatch(/\$0\.0123 of \$2\.00$/);
  expect(line({})).toMatch(/and \$0\.0123$/);
  expect(line({ model: null })).toBeUndefined();
});
