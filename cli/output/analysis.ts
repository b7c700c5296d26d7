import type { MachineStatus } from '@trademind/core';

const tokensText = (tokens: number): string => tokens.toLocaleString('en-US');

/** `1,000,000 tokens and $1.00`; money alone where tokens are not limited. */
export const capsText = ({ tokensPerDay, usdPerDay }: { tokensPerDay: number | null; usdPerDay: number }): string =>
  `${tokensPerDay === null ? '' : `${tokensText(tokensPerDay)} tokens and `}$${usdPerDay.toFixed(2)}`;

/** What waits, and what is used up today of what may be. */
export function analysisText({ waiting, running, today, caps }: NonNullable<MachineStatus['analysis']>): string {
  return `${waiting} waiting, ${running} under way; today (UTC) ${tokensText(today.tokens)} tokens and $${today.usd.toFixed(4)}${caps === undefined ? '' : ` of ${capsText(caps)}`}`;
}
