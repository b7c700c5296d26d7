// `docs/health.md`, made from the one table of thresholds. `npm run docs` writes it.
import { HEALTH_COMPONENTS, HEALTH_MEASURES, readingInWords, type HealthComponent, type MeasureRule } from '@trademind/core';

const OPENING = `<!-- Made by \`npm run docs\` from packages/core/health-table.ts and docs/health-page.ts; a change here is lost. -->
# Health
A machine measures itself every five seconds and judges by one table; the control plane and every screen judge by the same one. A part is **healthy**, **degraded** or **failing**, always with a
sentence and with what to do. A worse reading counts once it has stood for the time below; a better one once it has stayed clearly under the threshold, so that nothing flickers.

| where | what |
| --- | --- |
| \`GET /health\` | the process answers; cheap, for liveness checks |
| \`GET /ready\` | whether it screens, and what is still missing |
| \`GET /v1/status\`, the feed, the beat | every part with its sentence, what is wrong, and the last crash of 24 hours |
| \`GET /metrics\` on the private port | \`trademind_health\` by component (0 healthy, 1 degraded, 2 failing) and the figures behind it, as Prometheus text |
| \`DATA_DIR/last-words.json\` | how the processes before ended against their will: reason, memory, last log lines. It holds no secret |

"Process" shows why the last one ended: an error that nothing caught, no memory left, a kill from outside, a drain that took too long.`;

/** The whole page. */
export function healthPage(): string {
  const parts = (Object.entries(HEALTH_COMPONENTS) as [HealthComponent, { title: string; healthy: string; outside?: boolean }][]).map(([name, { title, healthy, outside }]) => [
    `## ${title}`,
    `\`${name}\`: ${healthy}${outside === true ? ' Judged by whoever looks at the machine, not by itself.' : ''}`,
    '| measure | degraded from | failing from | stands for | it means | what to do |\n| --- | --- | --- | --- | --- | --- |',
    ...(Object.entries(HEALTH_MEASURES) as [keyof typeof HEALTH_MEASURES, MeasureRule][]).filter(([, { component }]) => component === name).map(row),
  ].join('\n'));
  return `${[OPENING, ...parts].join('\n\n')}\n`;
}

function row([measure, rule]: [keyof typeof HEALTH_MEASURES, MeasureRule]): string {
  const at = (value: number | null) => (value === null ? 'never alone' : readingInWords(value, rule.unit));
  const todo = rule.todo.degraded === rule.todo.failing ? rule.todo.degraded : `${rule.todo.degraded} Failing: ${rule.todo.failing}`;
  const cells = [`\`${measure}\``, at(rule.degraded), at(rule.failing), rule.riseMs === 0 ? 'at once' : `${rule.riseMs / 1_000} s`, rule.means('…'), todo];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
