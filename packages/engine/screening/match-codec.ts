import { intervalClose, type ConditionReading } from '@trademind/core';
import { byTime, type Match } from './match.ts';
import type { ActiveTrader } from './screening-graph.ts';

/**
 * Matches as numbers: between threads that is a fraction of the cost of objects. A match is {series, trader, open time, phase, price, then per condition whether it holds (NaN: not ready) and
 * its readings (NaN: not ready)}; all words come from the traders, whom both sides know.
 */
const PHASES: readonly Match['phase'][] = ['closed', 'forming'];

/** @param seriesOf the number under which both sides know a match's symbol and interval. */
export function encodeMatches(matches: readonly Match[], traders: readonly ActiveTrader[], seriesOf: (match: Match) => number): Float64Array {
  const index = new Map(traders.map(({ id }, at) => [id, at]));
  const numbers: number[] = [];
  for (const match of matches) {
    numbers.push(seriesOf(match), index.get(match.traderId)!, match.openTime, PHASES.indexOf(match.phase), match.price);
    for (const { holds, values } of match.conditions) {
      numbers.push(holds === null ? Number.NaN : Number(holds));
      for (const { value } of values) numbers.push(value ?? Number.NaN);
    }
  }
  return Float64Array.from(numbers);
}

/** @param symbolOf the symbol of a series by its number; undefined: it is no more, and its matches are left out. */
export function decodeMatches(numbers: Float64Array, traders: readonly ActiveTrader[], symbolOf: (series: number) => string | undefined): Match[] {
  const matches: Match[] = [];
  let at = 0;
  const next = (): number => numbers[at++]!;
  while (at < numbers.length) {
    const symbol = symbolOf(next());
    const { id, version, compiled } = traders[next()]!;
    const openTime = next();
    const phase = PHASES[next()]!;
    const price = next();
    const conditions = compiled.conditions.map(({ name, expression, readings }): ConditionReading => {
      const holds = next();
      return {
        name, expression, holds: Number.isNaN(holds) ? null : holds === 1,
        values: readings.map((reading) => {
          const value = next();
          return { expression: reading.expression, value: Number.isNaN(value) ? null : value };
        }),
      };
    });
    if (symbol === undefined) continue;
    const { document, interval } = compiled;
    matches.push({
      traderId: id, traderVersion: version, traderName: document.name, side: document.side, symbol, interval, openTime, closeTime: intervalClose(interval, openTime), price, phase, conditions,
    });
  }
  return matches.sort(byTime);
}
