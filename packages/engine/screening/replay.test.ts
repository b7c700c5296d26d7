import { intervalClose, intervalMs, TraderDocument, type Candle, type Interval, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { alignedMarkets, folded } from '../../../tests/support/markets.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { TEMPLATE_TRADERS } from '../templates/index.ts';
import { signalOf, type Match } from './match.ts';
import { Screener, type RunningTrader } from './screener.ts';

const { recorded, markets } = alignedMarkets();
const SYMBOLS = [...markets.keys()];
const INTERVALS: readonly Interval[] = ['1m', '5m', '15m'];
const SEED = 20_210_219;

let count = 0;
const running = (input: TraderInput, interval = input.interval): RunningTrader =>
  ({ id: `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`, version: 1, document: TraderDocument.parse({ ...input, name: `${input.name} ${interval}`, interval }) });
/** The templates on their own intervals, where they signal seldom, and on one-minute candles, where they signal often: with `on`, `of`, `rank` and `percentile` among them. */
const TRADERS: readonly RunningTrader[] = [...TEMPLATE_TRADERS.map((template) => running(template)), ...TEMPLATE_TRADERS.filter(({ interval }) => interval !== '1m').map((template) => running(template, '1m'))];
const SETTLED = new Map(TRADERS.map(({ id, document }) => [id, settlingMs(document)]));

interface Closed { readonly symbol: string; readonly interval: Interval; readonly candle: Candle; readonly closeTime: number }
/** Every candle of every symbol and interval in the order in which they close; of one instant the shorter intervals first. */
const STREAM: readonly Closed[] = INTERVALS.flatMap((interval) => SYMBOLS.flatMap((symbol) =>
  folded(markets.get(symbol)!, interval).map((candle): Closed => ({ symbol, interval, candle, closeTime: intervalClose(interval, candle.openTime) })))).sort((a, b) => a.closeTime - b.closeTime);
const BEGIN = STREAM[0]!.candle.openTime;

function screenerOf(traders: readonly RunningTrader[], capacity = 10_080): Screener {
  const screener = new Screener({ defaultInterval: '5m', capacity: () => capacity });
  for (const { id } of traders) screener.setUniverse(id, new Set(SYMBOLS));
  screener.setTraders(traders);
  return screener;
}
const feed = (screener: Screener, part: readonly Closed[]): Match[] => part.flatMap(({ symbol, interval, candle }) => screener.onCandle(symbol, interval, candle));
/** All that a screener still waits for is let go. */
const finish = (screener: Screener): Match[] => screener.advanceTime(Infinity);

const ids = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id);
/** In an order that does not depend on when each was told. */
const ordered = (matches: readonly Match[]): Match[] =>
  [...matches].sort((a, b) => a.closeTime - b.closeTime || (a.traderId < b.traderId ? -1 : a.traderId > b.traderId ? 1 : a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0));

/** How long after its first candle a trader gives the signals that it gives wherever its candles began. */
function settlingMs(document: TraderDocument): number {
  const { interval, settle, elsewhere } = compileTrader(document, '5m');
  // The first higher candle may be cut and is dropped; a trader begins to count when what it reads elsewhere has settled.
  const waits = elsewhere.map((one) => (one.settle + 2) * intervalMs(one.interval));
  return Math.max(0, ...waits) + (settle + 1) * intervalMs(interval);
}

const whole = ((): Match[] => {
  const screener = screenerOf(TRADERS);
  return ordered([...feed(screener, STREAM), ...finish(screener)]);
})();

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`${report.join('\n')}\n`);
});

test('every template signals on the replayed market, each signal once', () => {
  for (const { id, document } of TRADERS) report.push(`${document.name.padEnd(30)} ${String(whole.filter(({ traderId }) => traderId === id).length).padStart(5)} signals`);
  report.push(`${whole.length} signals of ${TRADERS.length} traders on ${STREAM.length} candles of ${SYMBOLS.join(', ')}`);
  expect(new Set(ids(whole)).size).toBe(whole.length);
  const signalling = new Set(whole.map(({ traderId }) => traderId));
  const silent = TRADERS.filter(({ id }) => !signalling.has(id)).map(({ document }) => document.name);
  if (recorded) expect(silent).toEqual([]);
  expect(whole.length).toBeGreaterThan(2_000);
});

test('one batch of stored candles gives the same signals as candle by candle: the same ids, and numbers equal to the last bit', () => {
  const screener = screenerOf([]);
  feed(screener, STREAM);
  for (const { id } of TRADERS) screener.setUniverse(id, new Set(SYMBOLS));
  const { matches } = screener.setTraders(TRADERS);
  expect(ids(ordered(matches))).toEqual(ids(whole));
  expect(ordered(matches)).toEqual(whole);
});

test('stopped at random places and restored from a snapshot, it gives the same signals as one that never stopped', () => {
  fc.assert(fc.property(fc.uniqueArray(fc.nat(STREAM.length - 1), { minLength: 1, maxLength: 5 }), (stops) => {
    // Rings that come round, so that restored candles lie at other places.
    let screener = screenerOf(TRADERS, 2_500);
    const found: Match[] = [];
    let from = 0;
    for (const stop of [...stops].sort((a, b) => a - b)) {
      found.push(...feed(screener, STREAM.slice(from, stop)));
      const next = new Screener({ defaultInterval: '5m', capacity: () => 2_500 });
      next.restore(Buffer.concat(screener.snapshot()));
      expect(next.setTraders(TRADERS)).toEqual({ added: [], removed: [], invalid: [], matches: [] });
      screener = next;
      from = stop;
    }
    found.push(...feed(screener, STREAM.slice(from)), ...finish(screener));
    expect(ids(ordered(found))).toEqual(ids(whole));
    expect(ordered(found)).toEqual(whole);
  }), { numRuns: 6, seed: SEED });
}, 120_000);

test('begun at other places, it gives the same signals once a trader has settled', () => {
  let compared = 0;
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 * 1_440 }), (minute) => {
    const start = BEGIN + minute * 60_000;
    const screener = screenerOf(TRADERS);
    const later = [...feed(screener, STREAM.filter(({ candle }) => candle.openTime >= start)), ...finish(screener)];
    const settled = ({ traderId, openTime, interval }: Match): boolean => openTime >= start + SETTLED.get(traderId)! + intervalMs(interval);
    const expected = whole.filter(settled);
    compared += expected.length;
    // Before that some are not given yet; but none is given that would not have been.
    const known = new Set(ids(whole));
    expect(ids(later).filter((id) => !known.has(id))).toEqual([]);
    expect(ids(ordered(later.filter(settled)))).toEqual(ids(expected));
  }), { numRuns: 10, seed: SEED });
  report.push(`${compared} signals compared with those of replays that began elsewhere`);
  expect(compared).toBeGreaterThan(5_000);
});

describe('a forming candle', () => {
  const local = TRADERS.filter(({ document }) => !compileTrader(document, '5m').waits).map((trader) => ({ ...trader, document: { ...trader.document, candles: 'forming' as const } }));
  const waiting = TRADERS.filter(({ document }) => compileTrader(document, '5m').waits);
  const traders = [...local, ...waiting];
  const part = STREAM.slice(0, 9_000);

  test('changes, however it is updated before each close, neither a signal already given nor any later one, and leaves no trace', () => {
    const undisturbed = screenerOf(traders);
    const expected = feed(undisturbed, part);
    const given = new Set(ids(expected));
    let peeks = 0;
    let forming = 0;
    fc.assert(fc.property(fc.infiniteStream(fc.record({ many: fc.nat(3), at: fc.double({ min: 0, max: 1, noNaN: true }), volume: fc.double({ min: 0, max: 1.5, noNaN: true }) })), (chances) => {
      const screener = screenerOf(traders);
      const found: Match[] = [];
      for (const { symbol, interval, candle } of part) {
        const { many, at, volume } = chances.next().value;
        for (let update = 1; update <= many; update++) {
          const seen = screener.peek(symbol, interval, partial(candle, at, volume * (update / many)));
          peeks++;
          forming += seen.length;
          // What is not closed yet is a fact of its own.
          for (const match of seen) {
            expect(match.phase).toBe('forming');
            expect(given.has(signalOf(match, 'live').id)).toBe(false);
          }
        }
        found.push(...screener.onCandle(symbol, interval, candle));
      }
      expect(found).toEqual(expected);
      expect(Buffer.compare(Buffer.concat(screener.snapshot()), Buffer.concat(undisturbed.snapshot()))).toBe(0);
    }), { numRuns: 2, seed: SEED });
    report.push(`${peeks} updates of forming candles gave ${forming} forming signals and left ${expected.length} closed ones as they were`);
    expect(forming).toBeGreaterThan(100);
  });

  test('that is given its final numbers says exactly what its close will say', () => {
    // What lies on longer intervals is that of the last close, so those that look there may still say another thing.
    const screener = screenerOf(local.filter(({ document }) => compileTrader(document, '5m').elsewhere.length === 0));
    let edges = 0;
    for (const { symbol, interval, candle } of part) {
      const seen = screener.peek(symbol, interval, candle);
      const closed = screener.onCandle(symbol, interval, candle);
      edges += closed.length;
      if (seen.length > 0 || closed.length > 0) expect(seen.map((match) => ({ ...match, phase: 'closed' }))).toEqual(closed);
    }
    expect(edges).toBeGreaterThan(300);
  });
});

/** A candle as it may stand before its close: the price somewhere in its range, or a little outside of it. */
function partial(candle: Candle, at: number, share: number): Candle {
  const price = candle.low + (candle.high - candle.low) * (at * 1.2 - 0.1);
  return {
    ...candle, close: price, high: Math.max(candle.open, price), low: Math.min(candle.open, price),
    volume: candle.volume * share, quoteVolume: candle.quoteVolume * share, trades: Math.round(candle.trades * share), takerBuy: candle.takerBuy * share,
  };
}
