/** From here on a number of ms is later than 1973-03-03, and below it a number of seconds is earlier than the year 5138: the units do not overlap. */
const EARLIEST_MS = 1e11;
/** Days, or an instant of ISO 8601. Without a zone it is UTC: never the zone of the computer that reads it. */
const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?) ?(Z|UTC|[+-]\d{2}:?\d{2})?)?$/i;

/**
 * An open time as files write it, in ms UTC; undefined for what is none. A number is in s, ms or µs by its size (times from 1973-03-03 on, so that
 * none can be taken for another); text is ISO 8601, in UTC where it names no zone.
 */
export function parseOpenTime(text: string): number | undefined {
  if (/^\d{1,16}(\.\d+)?$/.test(text)) {
    const value = Number(text);
    const ms = value < EARLIEST_MS ? value * 1_000 : value < EARLIEST_MS * 1_000 ? value : value / 1_000;
    return ms >= EARLIEST_MS ? Math.round(ms) : undefined;
  }
  const [, year, month, day, time = '00:00', zone = 'Z'] = ISO.exec(text) ?? [];
  if (year === undefined) return undefined;
  const midnight = Date.parse(`${year}-${month}-${day}T00:00Z`);
  // JavaScript takes 30 February for 2 March
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day)) return undefined;
  const at = Date.parse(`${year}-${month}-${day}T${time}${/^utc$/i.test(zone) ? 'Z' : zone.toUpperCase().replace(/^(.\d\d)(\d\d)$/, '$1:$2')}`);
  return Number.isNaN(at) ? undefined : at;
}
