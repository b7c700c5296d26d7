import { Signal, TraderDocument, type Candle, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateExpression } from '../language/evaluate.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { LanguageError } from '../language/language-error.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { signalOf, type Match } from './match.ts';
import { Screener, type RunningTrader } from './screener.ts';
import { ScreeningGraph } from './screening-graph.ts';

const id = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
const trader = (index: number, where: Record<string, string>, rest: Partial<TraderInput> = {}, version = 1): RunningTrader =>
  ({ id: id(index), version, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where, ...rest }) });
const newScreener = (capacity = 2_000): Screener => new Screener({ defaultInterval: '1m', capacity: () => capacity });
/** Prices as one-minute candles. */
const walk = (prices: readonly number[]): Candle[] => prices.map((price, index) => candleAt(index * 60_000, price));
const feed = (screener: Screener, candles: readonly Candle[], symbol = 'BTCUSDT'): Match[] => candles.flatMap((candle) => screener.onCandle(symbol, '1m', candle));
const minutes = (matches: readonly Match[]): number[] => matches.map(({ openTime }) => openTime / 60_000);
const keys = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id).sort();
const BTC = new Set(['BTCUSDT']);

function running(traders: readonly RunningTrader[], symbols: ReadonlySet<string> = BTC, capacity?: number): Screener {
  const screener = newScreener(capacity);
  for (const one of traders) screener.setUniverse(one.id, symbols);
  screener.setTraders(traders);
  return screener;
}

describe('a signal', () => {
  test('is given where the condition begins to hold, and not while it goes on', () => {
    const matches = feed(running([trader(1, { up: 'close > 10' })]), walk([9, 9, 11, 12, 9, 11]));
    expect(minutes(matches)).toEqual([2, 5]);
    expect(matches[0]).toEqual({
      traderId: id(1), traderVersion: 1, traderName: 'trader 1', side: 'long', symbol: 'BTCUSDT', interval: '1m', openTime: 120_000, closeTime: 180_000, price: 11, phase: 'closed',
      conditions: [{ name: 'up', expression: 'close > 10', holds: true, values: [{ expression: 'close', value: 11 }] }],
    });
  });

  test('is not given on the first settled candle that already holds, for nobody knows the one before', () => {
    expect(minutes(feed(running([trader(1, { up: 'close > 10' })]), walk([11, 12, 9, 11])))).toEqual([3]);
    // Settles in 3 candles: those with the numbers 0 to 2. It began to hold on 2.
    expect(minutes(feed(running([trader(1, { up: 'close > sma(3)' })]), walk([5, 5, 6, 7, 4, 8])))).toEqual([5]);
    expect(minutes(feed(running([trader(1, { up: 'close > sma(3)' })]), walk([5, 5, 5, 7, 4, 8])))).toEqual([3, 5]);
  });

  test('may come after a candle on which the condition was not ready', () => {
    const candles = walk([1, 1, 1, 1]).map((candle, index) => ({ ...candle, volume: index === 1 ? 0 : 2, takerBuy: index === 1 ? 0 : index === 0 ? 0 : 2 }));
    expect(minutes(feed(running([trader(1, { buyers: 'takerBuy / volume > 0.5' })]), candles))).toEqual([2]);
  });

  test('comes on every candle for a trader that asks for all', () => {
    expect(minutes(feed(running([trader(1, { up: 'close > 10' }, { repeat: 'every-candle' })]), walk([11, 12, 9, 11, 12])))).toEqual([1, 3, 4]);
  });

  test('has an id that follows from what it means, and passes the contract', () => {
    const [match] = feed(running([trader(1, { up: 'close > 10' })]), walk([9, 11]));
    const signal = signalOf(match!, 'live');
    expect(Signal.parse(signal)).toEqual(signal);
    expect(signal.id).toBe(signalOf({ ...match!, price: 5, traderName: 'renamed', conditions: [] }, 'history').id);
    // Pinned: an id that changed would give every stored signal a second time.
    expect(signal.id).toBe('a027d43e-c32d-5671-9c79-132f4e40a114');
    for (const change of [{ traderId: id(2) }, { traderVersion: 2 }, { symbol: 'X' }, { interval: '5m' as const }, { closeTime: 1 }]) {
      expect(signalOf({ ...match!, ...change }, 'live').id).not.toBe(signal.id);
    }
  });

  test('names each condition with the numbers on both its sides, also those that do not hold', () => {
    const one = trader(1, { strong: 'rsi(2) > limit', calm: 'crossover(close, sma(volume, 3)) && stdev(3)[1] < 1' }, { params: { limit: 10 }, when: 'any' });
    const [match] = feed(running([one]), walk([9, 8, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9]));
    expect(match!.conditions).toEqual([
      { name: 'strong', expression: 'rsi(2) > limit', holds: true, values: [{ expression: 'rsi(2)', value: expect.closeTo(100, 3) }, { expression: 'limit', value: 10 }] },
      { name: 'calm', expression: 'crossover(close, sma(volume, 3)) && stdev(3)[1] < 1', holds: true, values: [{ expression: 'close', value: 9 }, { expression: 'sma(volume, 3)', value: 1 }, { expression: 'stdev(3)[1]', value: 0 }] },
    ]);
  });
});

describe('candles', () => {
  test('a repeated or older candle gives nothing and changes nothing', () => {
    const screener = running([trader(1, { up: 'close > 10' })]);
    const candles = walk([9, 11, 9, 12]);
    expect(minutes(feed(screener, candles.slice(0, 2)))).toEqual([1]);
    expect(screener.onCandle('BTCUSDT', '1m', candles[1]!)).toEqual([]);
    expect(screener.onCandle('BTCUSDT', '1m', { ...candles[0]!, close: 99 })).toEqual([]);
    expect(minutes(feed(screener, candles.slice(2)))).toEqual([3]);
  });

  test('a gap is refused and changes nothing; after forgetting, the series is screened anew with the same ids', () => {
    const candles = simulateCandles(600);
    const one = trader(1, { turn: 'crossover(close, sma(20))' });
    const screener = running([one]);
    const before = feed(screener, candles.slice(0, 300));
    expect(() => screener.onCandle('BTCUSDT', '1m', candles[301]!)).toThrow(expect.objectContaining({ code: 'candle_gap' }));
    expect(screener.candles.size('BTCUSDT', '1m')).toBe(300);
    screener.forget('BTCUSDT', '1m');
    expect(screener.counts(one.id)).toEqual({ symbols: 1, ready: 0, matching: 0 });
    const after = feed(screener, candles);
    expect(keys(after.slice(0, before.length))).toEqual(keys(before));
    expect(keys(after)).toEqual(keys(feed(running([one]), candles)));
  });

  test('of a series that no trader screens are kept for one that comes later', () => {
    const screener = newScreener();
    feed(screener, walk([9, 11]));
    screener.setUniverse(id(1), BTC);
    expect(minutes(screener.setTraders([trader(1, { up: 'close > 10' })]).matches)).toEqual([1]);
  });
});

describe('the running set', () => {
  test('becomes what it is told to be, whatever it was', () => {
    const screener = newScreener();
    const [one, two] = [trader(1, { a: 'close > 1' }), trader(2, { a: 'ema(9) > 1' }, { interval: '5m' })];
    expect(screener.setTraders([one, two])).toEqual({ added: [one.id, two.id], removed: [], invalid: [], matches: [] });
    expect(screener.intervals()).toEqual(['1m', '5m']);
    expect([screener.settleCandles('1m'), screener.settleCandles('5m'), screener.settleCandles('1h')]).toEqual([1, 63, 0]);
    expect(screener.setTraders([one, two])).toEqual({ added: [], removed: [], invalid: [], matches: [] });
    expect(screener.setTraders([trader(1, { a: 'close > 2' }, {}, 2)])).toMatchObject({ added: [one.id], removed: [one.id, two.id] });
    expect(screener.setTraders([])).toMatchObject({ added: [], removed: [one.id] });
    expect(screener.intervals()).toEqual([]);
  });

  test('reports a trader that does not compile, runs the others, and takes it once it is mended', () => {
    const screener = running([]);
    const good = trader(1, { up: 'close > 10' });
    screener.setUniverse(good.id, BTC);
    screener.setUniverse(id(2), BTC);
    const { added, invalid } = screener.setTraders([trader(2, { up: 'clos > 10' }), good]);
    expect(added).toEqual([good.id]);
    expect(invalid).toEqual([{ id: id(2), error: expect.any(LanguageError) }]);
    expect(invalid[0]!.error).toMatchObject({ code: 'unknown_name', field: 'where.up' });
    expect(feed(screener, walk([9, 11]))).toHaveLength(1);
    expect(screener.setTraders([trader(2, { up: 'close > 10' }, {}, 2), good])).toMatchObject({ added: [id(2)], removed: [], invalid: [], matches: [{ traderVersion: 2 }] });
  });

  test('a trader that comes late finds what it would have found, oldest first, and goes on as if it had always been there', () => {
    const symbols = ['AUSDT', 'BUSDT'];
    const series = new Map(symbols.map((symbol, index) => [symbol, simulateCandles(500, { seed: index + 7 })]));
    const traders = [trader(1, { turn: 'crossover(ema(5), ema(13))' }), trader(2, { turn: 'rsi(7) < 30', busy: 'volume > sma(volume, 20)' })];
    const always = running(traders, new Set(symbols));
    const late = running([traders[0]!], new Set(symbols));
    late.setUniverse(traders[1]!.id, new Set(symbols));
    const expected: Match[] = [];
    const found: Match[] = [];
    for (let index = 0; index < 500; index++) {
      if (index === 333) {
        const { matches } = late.setTraders(traders);
        expect(matches.length).toBeGreaterThan(5);
        expect(matches.map(({ closeTime }) => closeTime)).toEqual(matches.map(({ closeTime }) => closeTime).sort((a, b) => a - b));
        expect(new Set(matches.map(({ traderId }) => traderId))).toEqual(new Set([traders[1]!.id]));
        found.push(...matches);
      }
      for (const [symbol, candles] of series) {
        expected.push(...always.onCandle(symbol, '1m', candles[index]!));
        found.push(...late.onCandle(symbol, '1m', candles[index]!));
      }
    }
    const sorted = (matches: readonly Match[]): Match[] => [...matches].sort((a, b) => a.closeTime - b.closeTime || a.symbol.localeCompare(b.symbol) || a.traderId.localeCompare(b.traderId));
    expect(sorted(found)).toEqual(sorted(expected));
  });

  test('going live on a candle that already holds gives nothing, for the state comes from the candles', () => {
    const screener = running([], BTC);
    feed(screener, walk([9, 11, 12]));
    screener.setUniverse(id(1), BTC);
    expect(minutes(screener.setTraders([trader(1, { up: 'close > 10' })]).matches)).toEqual([1]);
    expect(minutes(feed(screener, walk([9, 11, 12, 13, 9, 14]).slice(3)))).toEqual([5]);
  });

  test('adding, editing and removing traders changes nothing for those that stay', () => {
    const pool = ['rsi(7) < 40', 'crossover(ema(5), ema(13))', 'close > sma(20)', 'volume > sma(volume, 20)', 'close < bollinger(20, 2).lower', 'atr(7) > sma(atr(7), 5)', 'rising(close, 2)']
      .map((expression, index) => trader(index + 1, { c: expression, d: 'close != open' }));
    const candles = simulateCandles(400, { seed: 3 });
    const alone = new Map(pool.map((one) => [one.id, feed(running([one]), candles)]));
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 399 }), fc.subarray([...pool.keys()].slice(1))), { minLength: 1, maxLength: 6 }), (changes) => {
      const staying = pool[0]!;
      const screener = running([staying]);
      for (const one of pool) screener.setUniverse(one.id, BTC);
      const found: Match[] = [];
      for (const [index, candle] of candles.entries()) {
        for (const [at, others] of changes) if (at === index) found.push(...screener.setTraders([...others.map((other) => pool[other]!), staying]).matches);
        found.push(...screener.onCandle('BTCUSDT', '1m', candle));
      }
      expect(found.filter(({ traderId }) => traderId === staying.id)).toEqual(alone.get(staying.id));
      for (const other of pool.slice(1)) {
        // A trader that came and went finds again what it had found: the same facts, none else.
        const known = new Set(keys(alone.get(other.id)!));
        for (const key of keys(found.filter(({ traderId }) => traderId === other.id))) expect(known).toContain(key);
      }
    }), { numRuns: 20 });
  });
});

describe('the universe', () => {
  test('decides whose candles count, level by level', () => {
    const screener = newScreener();
    const one = trader(1, { up: 'close > 10' });
    screener.setTraders([one]);
    expect(feed(screener, walk([9, 11]), 'AUSDT')).toEqual([]);
    expect(minutes(screener.setUniverse(one.id, new Set(['AUSDT', 'BUSDT'])))).toEqual([1]);
    expect(screener.setUniverse(one.id, new Set(['BUSDT', 'AUSDT']))).toEqual([]);
    expect(screener.counts(one.id)).toEqual({ symbols: 2, ready: 1, matching: 1 });
    expect(minutes(feed(screener, walk([9, 11]), 'BUSDT'))).toEqual([1]);
    expect(screener.setUniverse(one.id, new Set(['BUSDT']))).toEqual([]);
    expect(feed(screener, walk([9, 11, 9, 11]), 'AUSDT')).toEqual([]);
    expect(screener.counts(one.id)).toEqual({ symbols: 1, ready: 1, matching: 1 });
    expect(screener.explain(one.id, 'AUSDT').verdict).toBe('not in the universe');
  });

  test('of an edited trader stays, that of a removed one does not', () => {
    const screener = running([trader(1, { up: 'close > 10' })]);
    feed(screener, walk([9, 11]));
    expect(screener.setTraders([trader(1, { up: 'close > 9' }, {}, 2)]).matches).toHaveLength(1);
    screener.setTraders([]);
    expect(screener.setTraders([trader(1, { up: 'close > 9' }, {}, 2)]).matches).toEqual([]);
    expect(screener.counts(id(1))).toEqual({ symbols: 0, ready: 0, matching: 0 });
    expect(screener.counts(id(9))).toEqual({ symbols: 0, ready: 0, matching: 0 });
  });
});

describe('explain', () => {
  const one = trader(1, { oversold: 'rsi(2) < 30', busy: 'volume > 2 * sma(volume, 3)' }, { name: 'Dip buyer' });

  test('says of a matching, a failing and an unready symbol how each condition stands', () => {
    const screener = running([one], new Set(['BTCUSDT', 'NEWUSDT', 'LATEUSDT']));
    const falling = Array.from({ length: 30 }, (_, index) => candleAt(index * 60_000, 100 - index, { volume: index === 29 ? 9 : 1 }));
    feed(screener, falling);
    feed(screener, falling.slice(0, 2), 'LATEUSDT');
    const matching = screener.explain(one.id, 'BTCUSDT');
    expect(matching).toMatchObject({ verdict: 'matching', seen: 30, needs: 29, candle: { openTime: 29 * 60_000, closeTime: 30 * 60_000, close: 71 } });
    expect(matching.headline).toBe('Dip buyer matches BTCUSDT on 1m candles: both conditions hold.');
    expect(matching.conditions.map(({ sentence }) => sentence)).toEqual(['RSI(2) is 0, below 30.', 'volume is 9, above 2 × SMA(volume, 3) at 7.333.']);
    expect(screener.matching('BTCUSDT')).toEqual(['Dip buyer']);
    expect(screener.counts(one.id)).toEqual({ symbols: 3, ready: 1, matching: 1 });

    feed(screener, [candleAt(30 * 60_000, 70)]);
    expect(screener.explain(one.id, 'BTCUSDT')).toMatchObject({ verdict: 'not matching', conditions: [{ holds: true, ready: true }, { holds: false, ready: true }] });
    expect(screener.matching('BTCUSDT')).toEqual([]);

    const waiting = screener.explain(one.id, 'LATEUSDT');
    expect(waiting).toMatchObject({ verdict: 'not ready', conditions: [{ holds: null, ready: false, missing: [{ expression: 'rsi(2)', has: 2, needs: 29 }] }, { missing: [{ has: 2, needs: 3 }] }] });
    expect(waiting.headline).toContain('is not ready for LATEUSDT on 1m candles: it has seen 2 of the 29 1m candles that it needs; 27 more take about 27 minutes');
    expect(screener.explain(one.id, 'NEWUSDT')).toMatchObject({ verdict: 'no candles', candle: null, conditions: [] });
    expect(() => screener.explain(id(9), 'BTCUSDT')).toThrow(expect.objectContaining({ code: 'unknown_trader' }));
  });

  test('says that a crossing waits for the candle before, and that 0 / 0 has no answer', () => {
    const screener = running([trader(1, { turn: 'crossover(close, sma(3))' }), trader(2, { share: 'takerBuy / volume > 0.5' })]);
    feed(screener, walk([1, 2, 3]).map((candle) => ({ ...candle, volume: 0, takerBuy: 0 })));
    expect(screener.explain(id(1), 'BTCUSDT').conditions[0]).toMatchObject({ ready: false, missing: [{ expression: 'crossover(close, sma(3))', has: 3, needs: 4 }] });
    expect(screener.explain(id(2), 'BTCUSDT')).toMatchObject({
      verdict: 'not ready', headline: 'trader 2 is not ready for BTCUSDT on 1m candles: a number that it needs has no value now.',
      conditions: [{ ready: true, holds: null, sentence: 'taker buy volume / volume has no value now.' }],
    });
  });
});

test('the screener gives exactly the edges of the conditions evaluated apart, whatever else runs beside it', () => {
  const expressions = ['rsi(7) < 40', 'crossover(ema(5), ema(13))', 'close > bollinger(20, 2).upper', 'close > sma(10) && volume > sma(volume, 10)', 'falling(low, 2) || change(close, 3) > 1'];
  fc.assert(fc.property(fc.subarray(expressions, { minLength: 1 }), fc.nat(), fc.integer({ min: 30, max: 300 }), (chosen, seed, count) => {
    const candles = simulateCandles(count, { seed });
    const found = feed(running(chosen.map((expression, index) => trader(index, { c: expression }))), candles);
    for (const [index, expression] of chosen.entries()) {
      const { values, settle } = evaluateExpression(expression, candles);
      const edges = values.flatMap((value, at) => (at >= settle && value === true && values[at - 1] !== true ? [candles[at]!.openTime] : []));
      expect(found.filter(({ traderId }) => traderId === id(index)).map(({ openTime }) => openTime)).toEqual(edges);
    }
  }), { numRuns: 60 });
});

test('a distinct node is computed once per symbol, whoever asks', () => {
  const traders = Array.from({ length: 50 }, (_, index) => trader(index, { c: `rsi(14) < ${20 + (index % 5)}`, d: 'macd(12, 26, 9).line > 0' }))
    .map(({ id, version, document }) => ({ id, version, compiled: compileTrader(document, '1m') }));
  const { program } = new ScreeningGraph(traders);
  const kinds = program.dag.nodes.flatMap((node) => ('kind' in node ? [node.kind.name] : []));
  expect(kinds.sort()).toEqual(['-', '<', '<', '<', '<', '<', '>', 'ema', 'ema', 'rsi', ...Array.from({ length: 5 }, () => '&&')].map((name) => (name === '<' ? '>' : name)).sort());
});

test.each(['edge', 'every-candle'] as const)('a candle under way is told, with `repeat: %s`, wherever its close would be', (repeat) => {
  const screener = running([trader(1, { up: 'close > 10' }, { repeat, candles: 'forming' })]);
  const told: [minute: number, forming: number, closed: number][] = walk([9, 9, 11, 12, 13, 9, 14]).map((candle, minute) =>
    [minute, screener.peek('BTCUSDT', '1m', candle).length, screener.onCandle('BTCUSDT', '1m', candle).length]);
  for (const [minute, forming, closed] of told.slice(1)) expect(forming, `minute ${minute}`).toBe(closed);
  expect(told.filter(([, forming]) => forming === 1).map(([minute]) => minute)).toEqual(repeat === 'edge' ? [2, 6] : [2, 3, 4, 6]);
});
