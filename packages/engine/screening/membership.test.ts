// Who was in at each close, and who was missing when it was screened, is all that a replay needs beside the candles.
import { intervalClose, TraderDocument, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import { signalOf, type Match } from './match.ts';
import { Membership, withAbsence, type MemberSpan } from './membership.ts';
import { Screener, type RunningTrader } from './screener.ts';

const START = Date.parse('2026-01-05T00:00Z');
const MINUTE = 60_000;
const COUNT = 100;
const SYMBOLS = ['AUSDT', 'BUSDT', 'CUSDT', 'DUSDT', 'EUSDT'];
const ALL = [...SYMBOLS, 'BTCUSDT'];
const data = new Map(ALL.map((symbol, index) => [symbol, simulateCandles(COUNT, { seed: index + 3, openTime: START, flatness: 0.05 })]));
const trader = (index: number, where: string, rest: Partial<TraderInput> = {}): RunningTrader =>
  ({ id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, version: 1, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where: { best: where }, ...rest }) });
const TRADERS = [
  trader(1, 'rank(roc(close, 3)) <= 2'), trader(2, 'percentile(rsi(5)) > 60 && of("BTCUSDT", close > open)'), trader(3, 'rank(close / of("BTCUSDT", close)) == 1', { repeat: 'every-candle' }),
  trader(4, 'within(rank(volume) == 1, 4)'), trader(5, 'of("BTCUSDT", on("5m", close > open)) && close > open'),
];
const closeOf = (minute: number): number => START + (minute + 1) * MINUTE;
const ordered = (matches: readonly Match[]): string[] => matches.map((match) => JSON.stringify(match)).sort();
const screenerOf = (now: () => number): Screener => new Screener({ defaultInterval: '1m', capacity: () => 600, marketNow: now });

/** All candles at once, to a screener that is told what was recorded. */
function replay(one: RunningTrader, membership: Membership): Match[] {
  const screener = screenerOf(() => closeOf(COUNT));
  screener.setUniverse(one.id, Membership.restored(JSON.parse(JSON.stringify(membership.save())) as ReturnType<Membership['save']>));
  for (const [symbol, candles] of data) for (const candle of candles) screener.onCandle(symbol, '1m', candle);
  return screener.setTraders([one]).matches;
}

interface Plan {
  readonly first: readonly string[];
  /** Universes from some minute on, chosen before its candles come or while they do. */
  readonly changes: readonly { readonly minute: number; readonly amid: boolean; readonly symbols: readonly string[] }[];
  /** Candles that come late, by so many minutes. */
  readonly late: readonly { readonly symbol: string; readonly minute: number; readonly by: number }[];
  /** Minutes at which it is stopped and goes on from a snapshot. */
  readonly stops: readonly number[];
  readonly turn: number;
}
const plans: fc.Arbitrary<Plan> = fc.record({
  first: fc.subarray(SYMBOLS, { minLength: 2 }),
  changes: fc.array(fc.record({ minute: fc.integer({ min: 20, max: COUNT - 10 }), amid: fc.boolean(), symbols: fc.subarray(SYMBOLS, { minLength: 1 }) }), { maxLength: 4 }),
  late: fc.array(fc.record({ symbol: fc.constantFrom(...ALL), minute: fc.integer({ min: 10, max: COUNT - 8 }), by: fc.integer({ min: 1, max: 5 }) }), { minLength: 2, maxLength: 6 }),
  stops: fc.array(fc.integer({ min: 5, max: COUNT - 5 }), { maxLength: 2 }),
  turn: fc.nat(100),
});

/** As the market goes on: minute by minute, with what comes late; the universe changes, and the candles of who joins come all at once. */
function live(one: RunningTrader, { first, changes, late, stops, turn }: Plan): { found: Match[]; again: Match[]; membership: Membership } {
  let now = START;
  const spans: MemberSpan[] = [{ after: START - 1, symbols: first }];
  let membership = new Membership(spans);
  let screener = screenerOf(() => now);
  screener.setUniverse(one.id, membership);
  screener.setTraders([one]);
  const found: Match[] = [];
  const again: Match[] = [];
  const given = new Set<string>();
  /** As the ledger does: what was told before is old. */
  const take = (matches: readonly Match[]): void => {
    for (const match of matches) {
      const { id } = signalOf(match, 'live');
      (given.has(id) ? again : found).push(match);
      given.add(id);
    }
  };
  const next = new Map(ALL.map((symbol) => [symbol, 0]));
  const feed = (symbol: string, until: number): void => {
    for (let minute = next.get(symbol)!; minute <= until; minute++) {
      const held = late.some((gap) => gap.symbol === symbol && gap.minute <= minute && until < gap.minute + gap.by);
      if (held) return;
      next.set(symbol, minute + 1);
      take(screener.onCandle(symbol, '1m', data.get(symbol)![minute]!));
    }
  };
  for (let minute = 0; minute < COUNT; minute++) {
    const change = changes.find((some) => some.minute === minute);
    const choose = (after: number): void => {
      spans.push({ after, symbols: change!.symbols });
      membership = new Membership(spans, membership.absences);
      take(screener.setUniverse(one.id, membership));
    };
    if (change?.amid === false) choose(closeOf(minute - 1));
    if (stops.includes(minute)) {
      const restored = screenerOf(() => now);
      restored.restore(Buffer.concat(screener.snapshot()));
      screener = restored;
      take(screener.setTraders([one]).matches);
      take(screener.setUniverse(one.id, membership));
    }
    now = closeOf(minute) + 1_000;
    const wanted = ALL.filter((symbol) => symbol === 'BTCUSDT' || membership.symbols.has(symbol));
    for (let index = 0; index < wanted.length; index++) {
      if (index === 2 && change?.amid) choose(closeOf(minute));
      feed(wanted[(index + minute * turn) % wanted.length]!, minute);
    }
    now = closeOf(minute) + 10_000;
    take(screener.advanceTime(now));
    for (const { closeTime, symbols } of screener.takeAbsent()) membership.noteAbsent(closeTime, '1m', symbols);
  }
  return { found, again, membership };
}

test.each(TRADERS)('$document.where.best: what was found live, with a universe that changes, candles that come late and restarts, is found by a replay of the candles with what was recorded', (one) => {
  let matches = 0;
  let missing = 0;
  fc.assert(fc.property(plans, (plan) => {
    const { found, again, membership } = live(one, plan);
    const replayed = ordered(replay(one, membership));
    expect(ordered(found)).toEqual(replayed);
    // Whatever is computed again on the way, for who joined, is what it was.
    expect(ordered(again).filter((match) => !replayed.includes(match))).toEqual([]);
    matches += found.length;
    missing += found.filter((match) => match.missing).length;
  }), { numRuns: 20 });
  expect(matches).toBeGreaterThan(100);
  expect(missing).toBeGreaterThan(0);
});

test('without what was recorded a replay ranks today\'s universe, and finds other signals', () => {
  const plan: Plan = { first: SYMBOLS, changes: [{ minute: 60, amid: false, symbols: SYMBOLS.slice(3) }], late: [], stops: [], turn: 1 };
  const { found } = live(TRADERS[0]!, plan);
  expect(ordered(replay(TRADERS[0]!, Membership.always(SYMBOLS.slice(3))))).not.toEqual(ordered(found));
});

describe('the membership', () => {
  const membership = new Membership([{ after: 100, symbols: ['A', 'B'] }, { after: 200, symbols: ['B', 'C'] }, { after: 300, symbols: ['C', 'A'] }]);

  test('says who was in at a close; before the first span its symbols count', () => {
    expect([50, 200, 201, 300, 301].map((time) => [...membership.at(time)].join(''))).toEqual(['AB', 'AB', 'BC', 'BC', 'CA']);
    expect([...membership.symbols]).toEqual(['A', 'B', 'C']);
    expect(['A', 'B', 'C', 'D'].map((symbol) => membership.until(symbol))).toEqual([Infinity, 300, Infinity, -Infinity]);
    expect(new Membership([]).now.size).toBe(0);
  });

  test('keeps who was missing from one close to the next as one stretch', () => {
    let absences = withAbsence([], closeOf(0), '1m', ['A']);
    absences = withAbsence(absences, closeOf(1), '1m', ['A']);
    expect(absences).toEqual([{ from: closeOf(0), to: closeOf(1), symbols: ['A'] }]);
    expect(withAbsence(absences, closeOf(1), '1m', ['B'])).toEqual(absences);
    absences = withAbsence(withAbsence(absences, closeOf(2), '1m', ['A', 'B']), closeOf(4), '1m', ['A', 'B']);
    expect(absences.map(({ from, to }) => [from, to])).toEqual([[closeOf(0), closeOf(1)], [closeOf(2), closeOf(2)], [closeOf(4), closeOf(4)]]);
    const known = new Membership([{ after: 0, symbols: ['A'] }], absences.slice(0, 1));
    known.carry(new Membership([], absences));
    expect([0, 1, 2, 3, 4].map((minute) => known.absentAt(closeOf(minute)).join(''))).toEqual(['A', 'A', 'AB', '', 'AB']);
  });
});

test('explain at a past close speaks of the ranks that held then', () => {
  const membership = new Membership([{ after: START - 1, symbols: SYMBOLS }, { after: closeOf(79), symbols: SYMBOLS.slice(1) }]);
  const screener = screenerOf(() => closeOf(COUNT));
  const one = trader(9, 'rank(close) >= 1');
  screener.setUniverse(one.id, membership);
  screener.setTraders([one]);
  for (let minute = 0; minute < COUNT; minute++) for (const symbol of SYMBOLS) screener.onCandle(symbol, '1m', data.get(symbol)![minute]!);
  const ranks = (minute: number): number[] => SYMBOLS.flatMap((symbol) => screener.explain(one.id, symbol, intervalClose('1m', data.get(symbol)![minute]!.openTime)).conditions[0]?.values[0]?.value ?? []).sort((a, b) => a - b);
  expect(ranks(79)).toEqual([1, 2, 3, 4, 5]);
  expect(ranks(80)).toEqual([1, 2, 3, 4]);
  expect(screener.explain(one.id, 'AUSDT', closeOf(79)).verdict).toBe('matching');
  expect(screener.explain(one.id, 'AUSDT').verdict).toBe('not in the universe');
  expect(screener.counts(one.id)).toMatchObject({ symbols: 4, matching: 4 });
});
