import { intervalMs } from '@trademind/core';
import type { Frame } from './frames.ts';
import { LIMITS } from './limits.ts';
import { errorAt, type Source } from './parse.ts';

/** Refuses graphs that need more candles until they have settled, or more memory per symbol, than the limits; throws LanguageError with the figure. */
export function checkSizes(source: Source, frames: readonly Frame[]): void {
  const settle = Math.max(...frames.flatMap(({ dag }) => dag.settle));
  const stateSize = frames.reduce((sum, { dag }) => sum + dag.stateSize, 0);
  const span = { start: 0, end: 1 };
  if (settle > LIMITS.settle) throw errorAt(source, 'too_far', span, `the trader needs ${settle} candles until its indicators have settled, more than ${LIMITS.settle}.`, 'Use shorter lengths.');
  if (stateSize > LIMITS.stateSize) throw errorAt(source, 'too_large', span, `the trader keeps ${stateSize} numbers per symbol, more than ${LIMITS.stateSize}.`, 'Use shorter lengths or fewer of them.');
}

const YEAR_MS = 365.25 * 86_400_000;
/** Few markets have been traded for longer: what needs more will hardly ever have settled. */
const LONG_YEARS = 10;

/** Warns of graphs that need more than ten years of candles until they have settled, with the figure. */
export function warnAboutAge(field: string, frames: readonly Frame[], warnings: string[]): void {
  for (const { symbol, interval, dag } of frames) {
    const settle = Math.max(...dag.settle);
    const years = (settle * intervalMs(interval)) / YEAR_MS;
    if (years <= LONG_YEARS) continue;
    const warning = `${field}: ${settle} candles of ${interval}${symbol === undefined ? '' : ` of ${symbol}`} are needed until it has settled, ${Math.round(years)} years: few markets have been traded for so long.`;
    if (!warnings.includes(warning)) warnings.push(warning);
  }
}
