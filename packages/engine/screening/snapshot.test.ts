import { TraderDocument, type Candle, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import type { Match } from './match.ts';
import { Screener, type RunningTrader } from './screener.ts';
import { SnapshotReader, SnapshotWriter, type SavedNumbers } from './snapshot.ts';

const START = Date.parse('2026-01-05T00:00Z');
const SYMBOLS = ['AUSDT', 'BUSDT', 'BTCUSDT'];
const trader = (index: number, where: Record<string, string>, rest: Partial<TraderInput> = {}): RunningTrader =>
  ({ id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, version: 1, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where, ...rest }) });
const TRADERS = [
  trader(1, { turn: 'crossover(ema(5), ema(13))' }), trader(2, { low: 'rsi(7) < 40', busy: 'volume > sma(volume, 20)' }), trader(3, { up: 'on("5m", rsi(2)) > 50', over: 'close > sma(3)' }),
  trader(4, { top: 'rank(roc(close, 3)) == 1' }), trader(5, { btc: 'of("BTCUSDT", on("5m", ema(3) > close))', self: 'rising(close, 2)' }), trader(6, { low: 'close < bollinger(20, 2).lower' }),
];
const data = new Map(SYMBOLS.map((symbol, index) => [symbol, simulateCandles(500, { seed: index + 11, openTime: START })]));
/** Closes minute by minute, the symbols in an order that changes. */
const stream: readonly [symbol: string, candle: Candle][] = Array.from({ length: 500 }, (_, minute) => SYMBOLS.map((_one, index) => SYMBOLS[(index + minute) % 3]!).map((symbol): [string, Candle] => [symbol, data.get(symbol)![minute]!])).flat();

const fresh = (capacity: number): Screener => new Screener({ defaultInterval: '1m', capacity: () => capacity });
function started(capacity: number): Screener {
  const screener = fresh(capacity);
  for (const { id } of TRADERS) screener.setUniverse(id, new Set(SYMBOLS));
  screener.setTraders(TRADERS);
  return screener;
}
/** As a file holds it. */
const bytesOf = (screener: Screener): Uint8Array => Buffer.concat(screener.snapshot());
const run = (screener: Screener, part: readonly [string, Candle][]): Match[] => part.flatMap(([symbol, candle]) => screener.onCandle(symbol, '1m', candle));

test('a screener restored from a snapshot gives, to the last digit, what one gives that never stopped', () => {
  // The ring is shorter than the data, so that it has come round.
  const whole = run(started(250), stream);
  for (const { id } of TRADERS) expect(whole.filter(({ traderId }) => traderId === id).length).toBeGreaterThan(2);
  fc.assert(fc.property(fc.array(fc.nat(stream.length), { minLength: 1, maxLength: 4 }), (stops) => {
    let screener = started(250);
    const found: Match[] = [];
    let from = 0;
    for (const stop of [...stops].sort((a, b) => a - b)) {
      found.push(...run(screener, stream.slice(from, stop)));
      const next = fresh(250);
      // As a file gives it: at some place in a larger memory.
      next.restore(Buffer.concat([Buffer.from('odd'), bytesOf(screener)]).subarray(3));
      expect(next.setTraders(TRADERS)).toEqual({ added: [], removed: [], invalid: [], matches: [] });
      for (const { id } of TRADERS) {
        expect(next.setUniverse(id, new Set(SYMBOLS))).toEqual([]);
        expect(next.counts(id)).toEqual(screener.counts(id));
      }
      screener = next;
      from = stop;
    }
    found.push(...run(screener, stream.slice(from)));
    expect(found).toEqual(whole);
  }), { numRuns: 15 });
});

test('traders that changed meanwhile are told apart: who stays goes on, who is new warms up', () => {
  const before = started(600);
  const found = run(before, stream.slice(0, 900));
  const after = fresh(600);
  after.restore(bytesOf(before));
  const edited = { ...TRADERS[1]!, version: 2 };
  expect(after.setTraders([TRADERS[0]!, edited, ...TRADERS.slice(2, 5)])).toMatchObject({ added: [edited.id], removed: [edited.id, TRADERS[5]!.id] });
  const whole = run(started(600), stream);
  const rest = run(after, stream.slice(900));
  const of = (matches: readonly Match[], id: string): Match[] => matches.filter(({ traderId }) => traderId === id);
  for (const { id } of [TRADERS[0]!, TRADERS[2]!, TRADERS[3]!]) expect([...of(found, id), ...of(rest, id)]).toEqual(of(whole, id));
  expect(of(rest, edited.id).length).toBeGreaterThan(0);
  expect(of(rest, TRADERS[5]!.id)).toEqual([]);
});

test('torn, damaged and foreign bytes are refused, and the screener stays as new', () => {
  const screener = started(250);
  run(screener, stream.slice(0, 300));
  const bytes = bytesOf(screener);
  fc.assert(fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
    const damaged = cut ? bytes.slice(0, at) : bytes.slice();
    if (!cut) damaged[at] = damaged[at]! ^ flip;
    const next = fresh(250);
    expect(() => next.restore(damaged)).toThrow(expect.objectContaining({ code: 'snapshot_unreadable' }));
    expect(next.intervals()).toEqual([]);
    expect(next.candles.symbols('1m')).toEqual([]);
  }), { numRuns: 100 });
  expect(() => fresh(250).restore(new Uint8Array())).toThrow(expect.objectContaining({ code: 'snapshot_unreadable' }));
});

test('states that lie otherwise than today are not taken in: such lanes are computed again from the candles of the snapshot, and go on as if they had never stopped', () => {
  const screener = started(500);
  run(screener, stream.slice(0, 900));
  const bytes = bytesOf(screener);
  // As an engine writes it that lays states out in another order: numbers that would mislead, under another fingerprint.
  const reader = new SnapshotReader(bytes);
  const header = structuredClone(reader.header) as { lanes: { fingerprint: string; place: SavedNumbers }[]; market: { fingerprint: string }[] };
  const writer = new SnapshotWriter();
  const words = JSON.stringify(reader.header);
  const places = [...words.matchAll(/\{"at":(\d+),"length":(\d+)\}/g)].map(([, at, length]) => ({ at: Number(at), length: Number(length) })).sort((a, b) => a.at - b.at);
  const misleading = new Set(header.lanes.map(({ place }) => place.at));
  for (const place of places) writer.add(misleading.has(place.at) ? reader.at(place).map((value) => value + 1) : reader.at(place));
  for (const lane of header.lanes) lane.fingerprint = 'of another layout';
  const next = fresh(500);
  next.restore(writer.finish(header));
  next.setTraders(TRADERS);
  const local = new Set(TRADERS.filter(({ id }) => screener.trader(id)?.waits === false).map(({ id }) => id));
  const of = (matches: readonly Match[]): Match[] => matches.filter(({ traderId }) => local.has(traderId));
  // What is computed again from the candles is found again: of that, what came before the stop is history.
  const since = stream[900]![1].openTime;
  const again = of(run(next, stream.slice(900))).filter(({ openTime }) => openTime >= since);
  expect(again).toEqual(of(run(screener, stream.slice(900))).filter(({ openTime }) => openTime >= since));
  expect(again.length).toBeGreaterThan(5);
});
