// `docs/scaling.md`, made from the policies and the ladder of sizes that machine and control plane use. `npm run docs` writes it.
import { CPU_LADDER, SCALE_COOLDOWN_MS, SCALE_POLICIES, coresOf, memoryRange, monthlyPrice, sizeName, type MachineSize } from '@trademind/core';

const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** The whole page. */
export function scalingPage(): string {
  const sizes = CPU_LADDER.map(({ cpuKind, cpus }): MachineSize => ({ cpuKind, cpus, memoryMb: memoryRange(cpuKind, cpus)[0] }));
  return `<!-- Made by \`npm run docs\` from packages/core and docs/scaling-page.ts; a change here is lost. -->
# How a machine finds its size
A machine computes from what it measures which size its load wants, and **asks** the control plane for it with its evidence. The control plane judges by plan, bounds and budget, answers with a
decision and its reason, waits until the machine has drained, and changes the size just after a candle close. A user who has not switched this on sees the advice and its price, and nothing changes.

- **More** is asked for when the last five minutes were fuller than \`full\`, or fuller than \`pressed\` while the machine falls behind (late candles, long passes, traders left out), or when
  memory ran short. The next size is the least whose CPU would then be \`target\` full.
- **Less** is asked for when the busiest five minutes of a whole hour would leave the smaller size no fuller than \`calm\`, and it saves at least a dollar a month.
- **Never** twice within ${SCALE_COOLDOWN_MS / 60_000} minutes; who is refused waits twice as long each time, up to an hour; never beyond the user's bounds and budget; never without evidence.
- A shared vCPU is a sixteenth of a core for long, with bursts that the host banks; a performance vCPU is a whole one. Load is measured in cores, what the host withheld included.

| policy | full | pressed | target | calm |
| --- | --- | --- | --- | --- |
${Object.entries(SCALE_POLICIES).map(([name, { full, pressed, target, calm }]) => `| ${name} | ${[full, pressed, target, calm].map(percent).join(' | ')} |`).join('\n')}

## Sizes, from small to large
Each with the least memory it can have, and its price in Singapore for 30 days of running (prices as dated in \`packages/core/sizing.ts\`; storage and traffic come on top).

| size | cores for long | a month |
| --- | --- | --- |
${sizes.map((size) => `| ${sizeName(size)} | ${coresOf(size)} | ${price(size)} |`).join('\n')}
`;
}

function price(size: MachineSize): string {
  const usd = monthlyPrice(size, 'sin');
  return usd === null ? 'not known' : `$${usd.toFixed(2)}`;
}
