import { intervalClose, type ConditionReading } from '@trademind/core';
import { byTime, type Match } from './match.ts';
import type { ActiveTrader } from './screening-graph.ts';

/**
 * Matches as numbers: between threads that is a fraction of the cost of objects. A match is {series, trader, open time, phase, price, then per condition whether it holds (NaN: not ready) and
 * its readings (NaN: not ready)}; all words come from the traders, whom both sides know.
 */
const PHASES: readonly Match['phase'][] = ['closed', 'forming'];

/** Numbers before those of the conditions. */
const HEAD = 5;

/** In which matches are encoded before they are copied at the length that they have. */
let room = new Float64Array(1_024);

/** Where each trader stands in a list that was named once and is used for long. */
const places = new WeakMap<readonly ActiveTrader[], ReadonlyMap<string, number>>();

function placesOf(traders: readonly ActiveTrader[]): ReadonlyMap<string, number> {
  let known = places.get(traders);
  if (known === undefined) places.set(traders, (known = new Map(traders.map(({ id }, at) => [id, at]))));
  return known;
}

/**
 * Oldest first, which is for the many threads that encode to see to, not for the one that decodes.
 * @param traders the same list each time, as long as nothing changes.
 * @param seriesOf the number under which both sides know a match's symbol and interval.
 */
export function encodeMatches(matches: readonly Match[], traders: readonly ActiveTrader[], seriesOf: (match: Match) => number): Float64Array {
  const index = placesOf(traders);
  let at = 0;
  const put = (number: number): void => {
    if (at === room.length) {
      const larger = new Float64Array(at * 2);
      larger.set(room);
      room = larger;
    }
    room[at++] = number;
  };
  let [symbol, interval, series]: [string, string, number] = ['', '', -1];
  for (const match of matches.toSorted(byTime)) {
    // Many of one series come one after the other.
    if (match.symbol !== symbol || match.interval !== interval) [symbol, interval, series] = [match.symbol, match.interval, seriesOf(match)];
    put(series);
    put(index.get(match.traderId)!);
    put(match.openTime);
    put(PHASES.indexOf(match.phase));
    put(match.price);
    for (const { holds, values } of match.conditions) {
      put(holds === null ? Number.NaN : Number(holds));
      for (const { value } of values) put(value ?? Number.NaN);
    }
  }
  return room.slice(0, at);
}

/**
 * In the order in which they were encoded.
 * @param symbolOf the symbol of a series by its number; undefined: it is no more, and its matches are left out.
 */
export function decodeMatches(numbers: Float64Array, traders: readonly ActiveTrader[], symbolOf: (series: number) => string | undefined): Match[] {
  const matches: Match[] = [];
  let series = -1;
  let symbol: string | undefined;
  for (let at = 0; at < numbers.length;) {
    if (numbers[at] !== series) symbol = symbolOf((series = numbers[at]!));
    const { id, version, compiled: { document, interval, conditions } } = traders[numbers[at + 1]!]!;
    const openTime = numbers[at + 2]!;
    const phase = PHASES[numbers[at + 3]!]!;
    const price = numbers[at + 4]!;
    at += HEAD;
    // By map, which makes lists no longer than they are: pushed to, each would have room for 17.
    const read = conditions.map(({ name, expression, readings }): ConditionReading => {
      const holds = numbers[at++]!;
      return {
        name, expression, holds: Number.isNaN(holds) ? null : holds === 1,
        values: readings.map((reading) => {
          const value = numbers[at++]!;
          return { expression: reading.expression, value: Number.isNaN(value) ? null : value };
        }),
      };
    });
    if (symbol === undefined) continue;
    matches.push({
      traderId: id, traderVersion: version, traderName: document.name, side: document.side, symbol, interval, openTime, closeTime: intervalClose(interval, openTime), price, phase, conditions: read,
    });
  }
  return matches;
}
