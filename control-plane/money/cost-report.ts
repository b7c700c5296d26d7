import { sizeName, type CostReport, type MachineSize } from '@trademind/core';
import type { CostFacts } from '../database/account.ts';

type Costs = CostReport['spent'];
const none = (): Costs => ({ compute: 0, volume: 0, egress: 0, analysis: 0, total: 0 });
const micro = (usd: number): number => Math.round(usd * 1e6) / 1e6;
const rounded = (costs: Costs): Costs => ({ compute: micro(costs.compute), volume: micro(costs.volume), egress: micro(costs.egress), analysis: micro(costs.analysis), total: micro(costs.total) });

/** What a month cost, by day and by machine, from what the database measured. Pure. */
export function costReport(facts: CostFacts): CostReport {
  const spent = none();
  const days = new Map<string, { seconds: number; costs: Costs }>();
  const machines = new Map<string, { sizes: Map<string, { region: string; size: string; seconds: number; usd: number }>; costs: Costs }>();
  for (const row of facts.rows) {
    const day = entry(days, row.day, () => ({ seconds: 0, costs: none() }));
    const machine = entry(machines, row.machine_id, () => ({ sizes: new Map<string, { region: string; size: string; seconds: number; usd: number }>(), costs: none() }));
    for (const costs of [spent, day.costs, machine.costs]) {
      costs[row.kind] += row.usd;
      costs.total += row.usd;
    }
    if (row.kind !== 'compute' || row.cpus === null || row.memory_mb === null) continue;
    day.seconds += row.seconds;
    const size = sizeName({ cpuKind: row.cpu_kind as MachineSize['cpuKind'], cpus: row.cpus, memoryMb: row.memory_mb });
    const used = entry(machine.sizes, `${row.region} ${size}`, () => ({ region: row.region ?? '', size, seconds: 0, usd: 0 }));
    used.seconds += row.seconds;
    used.usd += row.usd;
  }
  const { budget } = facts;
  return {
    currency: 'USD', month: new Date(facts.from).toISOString().slice(0, 7), from: new Date(facts.from).toISOString(), to: new Date(facts.to).toISOString(), spent: rounded(spent),
    days: [...days].map(([day, { seconds, costs }]) => ({ day, seconds: Math.round(seconds), costs: rounded(costs) })),
    machines: [...machines].map(([machineId, { sizes, costs }]) => ({
      machineId, sizes: [...sizes.values()].map((used) => ({ ...used, seconds: Math.round(used.seconds), usd: micro(used.usd) })), costs: rounded(costs),
    })),
    monthlyRateUsd: micro(facts.month_rate_usd), forecastUsd: micro(facts.forecast_usd), pricesReadAt: facts.prices_read_at, estimated: ['egress'],
    budget: budget === null ? null : { monthlyUsd: budget.monthly_usd, action: budget.action, usedPercent: budget.percent, warnings: budget.notices.map(({ percent, at }) => ({ percent, at: new Date(at).toISOString() })) },
  };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}
