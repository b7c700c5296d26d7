import type { ComponentHealth, HealthReport, HealthState } from '@trademind/core';
import { count, duration } from './format.ts';
import type { Colors } from './terminal.ts';

const COLORS = { healthy: 'green', degraded: 'yellow', failing: 'red' } as const satisfies Record<HealthState, keyof Colors>;

/** What is not well, the worst first. */
export function unwell({ components }: HealthReport): ComponentHealth[] {
  return [...components.filter(({ state }) => state === 'failing'), ...components.filter(({ state }) => state === 'degraded')];
}

/** A machine's health in lines: one when all is well, else each part that is not, with what to do; and how it ended last, if against its will. */
export function healthLines(c: Colors, report: HealthReport, now: number): string[] {
  const parts = unwell(report);
  const { crash } = report;
  return [
    parts.length === 0 ? c.green(`all is well (${count(report.components.length, 'part')})`) : `${c[COLORS[report.state]](report.state)} ${c.dim(`${parts.length} of ${report.components.length} parts`)}`,
    ...parts.flatMap(({ title, state, since, sentence, nextStep }) => [
      `${c[COLORS[state]]('●')} ${title} ${c.dim(`${state} for ${duration(Math.max(0, now - since))}`)}: ${sentence}`,
      ...(nextStep ? [c.dim(`  → ${nextStep}`)] : []),
    ]),
    ...(crash ? [`${c.yellow('!')} ${duration(Math.max(0, now - Date.parse(crash.at)))} ago: ${crash.message} ${c.dim(crash.code)}`, ...(crash.nextStep ? [c.dim(`  → ${crash.nextStep}`)] : [])] : []),
  ];
}
