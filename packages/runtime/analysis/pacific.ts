const HOUR_MS = 3_600_000;
const ZONE = 'America/Los_Angeles';

/** The next midnight (ms since 1970, after `now`) in California: when Google's daily quotas begin anew. */
export function nextPacificMidnight(now: number): number {
  const { day, month, year } = partsOf(now);
  // Midnight there is 07:00 or 08:00 UTC, as summer time has it: the one at which their clocks show 0.
  const summer = Date.UTC(year, month - 1, day + 1, 7);
  return partsOf(summer).hour === 0 ? summer : summer + HOUR_MS;
}

function partsOf(ms: number): { year: number; month: number; day: number; hour: number } {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: ZONE, year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', hourCycle: 'h23' }).formatToParts(ms);
  const of = (type: string) => Number(parts.find((part) => part.type === type)?.value);
  return { year: of('year'), month: of('month'), day: of('day'), hour: of('hour') };
}
