/** 10^0 … 10^15: all exact as doubles. */
const POWERS = Array.from({ length: 16 }, (_, scale) => 10 ** scale);
/** A column with this scale is not scaled: its doubles lie as they are. */
export const RAW = 255;

/** 10^scale, exact. */
export function powerOf(scale: number): number {
  return POWERS[scale]!;
}

/**
 * The whole number n with n / 10^scale equal to `value` to the last bit; NaN if there is none below `limit`. Division of two exact doubles is correctly
 * rounded, so n / 10^scale is what the decimal text "n × 10^-scale" parses to: a price that came as text is found again exactly.
 */
export function unitsOf(value: number, scale: number, limit: number): number {
  const power = POWERS[scale]!;
  const near = Math.round(value * power);
  if (!(Math.abs(near) < limit - 2)) return Number.NaN;
  if (near / power === value) return near === 0 && Object.is(value, -0) ? Number.NaN : near;
  // Above 2^51 the product may be rounded to a neighbour.
  for (const step of [-1, 1, -2, 2]) if ((near + step) / power === value) return near + step;
  return Number.NaN;
}

/**
 * The smallest scale at which all of these columns are whole numbers below `limit`, with those numbers; undefined when there is none (NaN, infinity, −0, or
 * more digits than fit): then the column is stored raw.
 */
export function scaleColumns(columns: readonly Float64Array[], limit: number): { scale: number; units: Float64Array[] } | undefined {
  const units = columns.map((column) => new Float64Array(column.length));
  let scale = 0;
  for (let c = 0; c < columns.length;) {
    if (scaleInto(units[c]!, columns[c]!, scale, limit)) c++;
    else if (++scale === POWERS.length) return undefined;
    else c = 0;
  }
  return { scale, units };
}

function scaleInto(units: Float64Array, column: Float64Array, scale: number, limit: number): boolean {
  for (let i = 0; i < column.length; i++) {
    const n = unitsOf(column[i]!, scale, limit);
    if (Number.isNaN(n)) return false;
    units[i] = n;
  }
  return true;
}
