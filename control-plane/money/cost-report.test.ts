import { randomUUID } from 'node:crypto';
import { CostReport } from '@trademind/core';
import { expect, test } from 'vitest';
import type { CostFacts } from '../database/account.ts';
import { costReport } from './cost-report.ts';

const [one, two] = [randomUUID(), randomUUID()];
const row = (over: Partial<CostFacts['rows'][number]>): CostFacts['rows'][number] => ({ machine_id: one, day: '2026-11-01', kind: 'compute', region: 'sin', cpu_kind: 'shared', cpus: 1, memory_mb: 512, seconds: 3_600, usd: 0.01, ...over });
const facts: CostFacts = {
  from: '2026-11-01T00:00:00+00:00', to: '2026-11-02T12:00:00+00:00', until: '2026-12-01T00:00:00+00:00', spent_usd: 1.56, month_rate_usd: 4.5, forecast_usd: 5.9, prices_read_at: '2026-10-09',
  rows: [
    row({}), row({ kind: 'egress', cpu_kind: null, cpus: null, memory_mb: null, usd: 0.001 }), row({ kind: 'analysis', region: null, cpu_kind: null, cpus: null, memory_mb: null, seconds: 7, usd: 1.5 }),
    row({ day: '2026-11-02', seconds: 1_800, usd: 0.005 }), row({ day: '2026-11-02', cpus: 2, memory_mb: 1_024, seconds: 1_800, usd: 0.02 }), row({ machine_id: two, kind: 'volume', cpu_kind: null, cpus: null, memory_mb: null, usd: 0.005 }),
  ],
  budget: { monthly_usd: 10, action: 'stop', percent: 15.6, notices: [{ percent: 50, at: '2026-11-02T01:00:00+00:00' }] },
};

test('the same money is told by day, by machine and size, and in all', () => {
  const report = CostReport.parse(costReport(facts));
  expect(report).toMatchObject({ month: '2026-11', spent: { compute: 0.035, volume: 0.005, egress: 0.001, analysis: 1.5, total: 1.541 }, forecastUsd: 5.9, estimated: ['egress'], budget: { usedPercent: 15.6, warnings: [{ percent: 50 }] } });
  for (const parts of [report.days, report.machines]) expect(parts.reduce((sum, { costs }) => sum + costs.total, 0)).toBeCloseTo(report.spent.total, 6);
  expect(report.days.map(({ day, seconds }) => `${day} ${seconds}`)).toEqual(['2026-11-01 3600', '2026-11-02 3600']);
  expect(report.machines[0]?.sizes).toEqual([{ region: 'sin', size: 'shared-1x 512 MB', seconds: 5_400, usd: 0.015 }, { region: 'sin', size: 'shared-2x 1024 MB', seconds: 1_800, usd: 0.02 }]);
});

test('of a month in which nothing ran there is nothing, and no budget where none was set', () => {
  expect(costReport({ ...facts, rows: [], spent_usd: 0, budget: null })).toMatchObject({ spent: { total: 0 }, days: [], machines: [], budget: null });
});
