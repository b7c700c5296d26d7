import { intervalClose, TraderDocument, type Candle, type Interval, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CandleFold } from '../candles/candle-fold.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { LanguageError } from '../language/language-error.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { signalOf, type Match } from './match.ts';
import { Screener, type RunningTrader } from './screener.ts';

const MINUTE = 60_000;
const START = Date.parse('2026-01-05T00:00Z');
const id = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
const trader = (index: number, where: Record<string, string>, rest: Partial<TraderInput> = {}, version = 1): RunningTrader =>
  ({ id: id(index), version, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where, ...rest }) });
const screenerOf = (traders: readonly RunningTrader[], symbols: readonly string[], capacity = 3_000): Screener => {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => capacity });
  for (const one of traders) screener.setUniverse(one.id, new Set(symbols));
  expect(screener.setTraders(traders).invalid).toEqual([]);
  return screener;
};
const closes = (matches: readonly Match[]): number[] => matches.map(({ closeTime }) => (closeTime - START) / MINUTE);
const ids = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id).sort();
const market = (count: number, symbols: readonly string[]): Map<string, Candle[]> => new Map(symbols.map((symbol, index) => [symbol, simulateCandles(count, { seed: index + 3, openTime: START, flatness: 0.05 })]));
const error = (text: string, interval: Interval = '5m'): LanguageError => {
  try {
    evaluateExpression(text, [], { interval });
  } catch (thrown) {
    if (thrown instanceof LanguageError) return thrown;
    throw thrown;
  }
  throw new Error(`${text} was accepted`);
};

/** What `on` means, read plainly: the inner expression over the longer candles made of all that has closed by each candle. */
function plainly(inner: string, interval: Interval, candles: readonly Candle[]): (number | boolean | null)[] {
  const fold = new CandleFold('1m', interval);
  const longer: Candle[] = [];
  return candles.map((candle) => {
    longer.push(...fold.push(candle));
    const known = longer.filter(({ close }) => !Number.isNaN(close));
    const newest = longer.at(-1);
    if (newest === undefined || Number.isNaN(newest.close) || known.length !== longer.length) return null;
    const time = intervalClose('1m', candle.openTime);
    return intervalClose(interval, intervalClose(interval, newest.openTime)) <= time ? null : evaluateExpression(inner, longer, { interval }).values.at(-1)!;
  });
}

describe('on another interval', () => {
  test('an expression is worth what it is on the last closed candle of that interval, which may close this very instant', () => {
    const candles = Array.from({ length: 20 }, (_, index) => candleAt(START + index * MINUTE, index));
    expect(evaluateExpression('on("5m", close)', candles).values).toEqual([null, null, null, null, 4, 4, 4, 4, 4, 9, 9, 9, 9, 9, 14, 14, 14, 14, 14, 19]);
    expect(evaluateExpression('on("5m", close[1])', candles).values.slice(8, 11)).toEqual([null, 4, 4]);
    expect(evaluateExpression('on("5m", close)[1]', candles).values.slice(4, 7)).toEqual([null, 4, 4]);
    expect(evaluateExpression('on("1m", close) == close', candles).values).not.toContain(false);
  });

  test('is not ready in and after a bucket with a missing candle, until the next', () => {
    const candles = Array.from({ length: 20 }, (_, index) => candleAt(START + index * MINUTE, index)).filter((_, index) => index !== 7);
    expect(evaluateExpression('on("5m", close)', candles).values).toEqual([null, null, null, null, 4, 4, 4, 4, null, null, null, null, null, 14, 14, 14, 14, 14, 19]);
  });

  test('equals the expression over longer candles made plainly, nested too, in blocks of any size', () => {
    const inner = ['close', 'rsi(3)', 'sma(volume, 4)', 'crossover(ema(2), ema(4))', 'high[1] - low', 'macd(2, 4, 2).histogram'];
    fc.assert(fc.property(fc.constantFrom(...inner), fc.constantFrom<Interval>('3m', '5m', '15m'), fc.nat(1_000), fc.integer({ min: 1, max: 32 }), (text, interval, seed, block) => {
      const candles = simulateCandles(160, { seed, openTime: START + (seed % 17) * MINUTE });
      expect(evaluateExpression(`on("${interval}", ${text})`, candles, { block }).values).toEqual(plainly(text, interval, candles));
    }), { numRuns: 40 });
    const candles = simulateCandles(400, { openTime: START });
    expect(evaluateExpression('on("5m", on("15m", rsi(3)))', candles).values.slice(100)).toEqual(evaluateExpression('on("15m", rsi(3))', candles).values.slice(100));
  });

  test('a lower interval, one that does not fit, an unknown one and a missing one are refused with what to do', () => {
    expect(error('on("1m", close) > 1')).toMatchObject({ code: 'wrong_argument', column: 4, message: expect.stringContaining('"1m" is lower than 5m') });
    expect(error('on("12h", close) > 1', '8h').message).toContain('12h candles cannot be made of 8h ones');
    expect(error('on("7m", close) > 1').message).toContain('1m, 3m, 5m');
    expect(error('on("3d", close) > 1').message).toContain('does not say on which days they open. Use 1d or 1w');
    expect(error('on(5, close) > 1').code).toBe('wrong_argument');
    expect(error('on("1h") > 1').code).toBe('wrong_argument');
    expect(error('on("1h", close, 2) > 1').code).toBe('wrong_argument');
    expect(error('quoteVolume24h > 1', '1w').code).toBe('not_allowed');
  });

  test('a trader waits until the other interval has settled too, and explain says which is missing', () => {
    const one = trader(1, { up: 'on("5m", rsi(2)) > 20', over: 'close > sma(3)' }, { name: 'Looks up' });
    const screener = screenerOf([one], ['AUSDT']);
    const candles = simulateCandles(400, { seed: 5, openTime: START });
    const matches = candles.slice(0, 144).flatMap((candle) => screener.onCandle('AUSDT', '1m', candle));
    expect(matches).toEqual([]);
    expect(screener.counts(one.id)).toEqual({ symbols: 1, ready: 0, matching: 0 });
    const waiting = screener.explain(one.id, 'AUSDT');
    expect(waiting).toMatchObject({ verdict: 'not ready', conditions: [{ missing: [{ expression: 'on("5m", rsi(2))', interval: '5m', has: 28, needs: 29 }] }, { ready: true, missing: [] }] });
    expect(waiting.headline).toBe('Looks up is not ready for AUSDT on 1m candles: it needs 1 more 5m candle of what it looks at elsewhere, and then 3 1m candles of its own: about 8 minutes unless history is fetched.');
    expect(waiting.conditions[0]!.sentence).toBe('waits for 5m RSI(2): it has seen 28 of 29 candles and needs 1 more 5m candle, about 5 minutes unless history is fetched.');
    const later = candles.slice(144).flatMap((candle) => screener.onCandle('AUSDT', '1m', candle));
    const values = evaluateExpression('on("5m", rsi(2)) > 20 && close > sma(3)', candles).values;
    // The 29th candle of five minutes closes with the 145th minute; from there on the trader's own three candles count.
    const edges = values.flatMap((value, at) => (at >= 147 && value === true && values[at - 1] !== true ? [at + 1] : []));
    expect(closes(later)).toEqual(edges);
    expect(edges.length).toBeGreaterThan(3);
    expect(screener.explain(one.id, 'AUSDT').conditions.map(({ ready }) => ready)).toEqual([true, true]);
  });

  test('candles that the exchange has of it let it settle at once, and what is made of shorter ones goes on from there', () => {
    const candles = simulateCandles(700, { seed: 9, openTime: START });
    const fold = new CandleFold('1m', '5m');
    const longer = candles.flatMap((candle) => fold.push(candle));
    const one = trader(1, { up: 'on("5m", ema(6)) < close' });
    const whole = screenerOf([one], ['AUSDT']);
    const seeded = screenerOf([one], ['AUSDT']);
    seeded.seed('AUSDT', '5m', longer.slice(0, 100));
    const wholeMatches = candles.flatMap((candle) => whole.onCandle('AUSDT', '1m', candle));
    const seededMatches = candles.slice(500).flatMap((candle) => seeded.onCandle('AUSDT', '1m', candle));
    expect(closes(seededMatches)).toEqual(closes(wholeMatches).filter((minute) => minute > 502));
    expect(seededMatches.length).toBeGreaterThan(2);
    // The seed may also come after the first candles: the trader then begins with its next one.
    const late = screenerOf([one], ['AUSDT']);
    for (const candle of candles.slice(495, 520)) late.onCandle('AUSDT', '1m', candle);
    late.seed('AUSDT', '5m', longer.slice(0, 101));
    expect(late.candles.lastCloseTime('AUSDT', '5m')).toBe(longer[103]!.openTime + 5 * MINUTE);
    expect(closes(candles.slice(520).flatMap((candle) => late.onCandle('AUSDT', '1m', candle)))).toEqual(closes(wholeMatches).filter((minute) => minute > 522));
  });

  test('a trader that comes while others run finds and goes on as if it had always been there', () => {
    const pool = [trader(1, { a: 'on("5m", rsi(2)) > 50', b: 'close > open' }), trader(2, { a: 'on("5m", ema(3)) < close' }), trader(3, { a: 'on("15m", crossover(close, sma(3)))' })];
    const candles = simulateCandles(900, { seed: 21, openTime: START });
    const always = screenerOf(pool, ['AUSDT']);
    const expected = candles.flatMap((candle) => always.onCandle('AUSDT', '1m', candle));
    for (const one of pool) expect(expected.filter(({ traderId }) => traderId === one.id).length).toBeGreaterThan(3);
    const late = screenerOf([pool[0]!], ['AUSDT']);
    const found: Match[] = [];
    for (const [index, candle] of candles.entries()) {
      if (index === 333) for (const one of pool) late.setUniverse(one.id, new Set(['AUSDT']));
      if (index === 333) found.push(...late.setTraders(pool).matches);
      if (index === 600) found.push(...late.setTraders([pool[2]!, pool[0]!, pool[1]!]).matches);
      found.push(...late.onCandle('AUSDT', '1m', candle));
    }
    expect(ids(found)).toEqual(ids(expected));
  });
});

describe('other symbols', () => {
  const symbols = ['AUSDT', 'BUSDT', 'CUSDT', 'BTCUSDT'];

  test('of reads the named symbol at the same close, and the trader waits for it', () => {
    const one = trader(1, { btc: 'of("BTCUSDT", close > open)', self: 'close > open' });
    const data = market(300, symbols);
    const screener = screenerOf([one], ['AUSDT', 'BUSDT']);
    expect(screener.needs().map(({ symbol, interval, streamed }) => [symbol, interval, streamed])).toEqual([['AUSDT', '1m', true], ['BUSDT', '1m', true], ['BTCUSDT', '1m', true]]);
    const found: Match[] = [];
    for (let index = 0; index < 300; index++) {
      expect(screener.onCandle('BUSDT', '1m', data.get('BUSDT')![index]!)).toEqual([]);
      expect(screener.onCandle('AUSDT', '1m', data.get('AUSDT')![index]!)).toEqual([]);
      found.push(...screener.onCandle('BTCUSDT', '1m', data.get('BTCUSDT')![index]!));
    }
    for (const symbol of ['AUSDT', 'BUSDT']) {
      const holds = data.get(symbol)!.map((candle, index) => candle.close > candle.open && data.get('BTCUSDT')![index]!.close > data.get('BTCUSDT')![index]!.open);
      const edges = holds.flatMap((value, at) => (at >= 1 && value && !holds[at - 1]! ? [at + 1] : []));
      expect(closes(found.filter((match) => match.symbol === symbol))).toEqual(edges);
    }
    expect(found[0]!.conditions[0]!.values.map(({ expression }) => expression)).toEqual(['of("BTCUSDT", close)', 'of("BTCUSDT", open)']);
  });

  test('rank and percentile place a symbol among all that the trader screens', () => {
    const data = market(200, symbols);
    const one = trader(1, { top: 'rank(roc(close, 5)) == 1', high: 'percentile(roc(close, 5)) > 99' });
    const screener = screenerOf([one], symbols);
    const found: Match[] = [];
    for (let index = 0; index < 200; index++) for (const symbol of symbols) found.push(...screener.onCandle(symbol, '1m', data.get(symbol)![index]!));
    const roc = new Map(symbols.map((symbol) => [symbol, evaluateExpression('roc(close, 5)', data.get(symbol)!).values as (number | null)[]]));
    for (const symbol of symbols) {
      const holds = Array.from({ length: 200 }, (_, at) => roc.get(symbol)![at] !== null && symbols.every((other) => roc.get(other)![at]! <= roc.get(symbol)![at]!));
      const edges = holds.flatMap((value, at) => (at >= 1 && value && !holds[at - 1]! ? [at + 1] : []));
      expect(closes(found.filter((match) => match.symbol === symbol)), symbol).toEqual(edges.filter((close) => close > 7));
    }
    expect(screener.explain(one.id, 'AUSDT').conditions[0]!.values).toEqual([{ expression: 'rank(roc(close, 5))', value: expect.any(Number) }]);
    expect(symbols.map((symbol) => screener.explain(one.id, symbol).conditions[0]!.values[0]!.value).sort((a, b) => a! - b!)).toEqual([1, 2, 3, 4]);
    expect(screener.counts(one.id)).toEqual({ symbols: 4, ready: 4, matching: 1 });
  });

  test('equal values share the better place, and what is not ready has none', () => {
    const one = trader(1, { first: 'rank(close) == 1' }, { repeat: 'every-candle' });
    const screener = screenerOf([one], ['AUSDT', 'BUSDT', 'CUSDT']);
    const prices = [[5, 5, 1], [5, 5, 1], [1, 2, 3]];
    const found = prices.flatMap((row, minute) => ['AUSDT', 'BUSDT', 'CUSDT'].flatMap((symbol, index) => screener.onCandle(symbol, '1m', candleAt(START + minute * MINUTE, row[index]!))));
    expect(found.map(({ symbol, closeTime }) => [symbol, (closeTime - START) / MINUTE])).toEqual([['AUSDT', 2], ['BUSDT', 2], ['CUSDT', 3]]);
  });

  test('at the deadline what is missing is not ready and is named; a late candle is screened once, for its own symbol', () => {
    const one = trader(1, { top: 'rank(close) <= 2' }, { repeat: 'every-candle' });
    const screener = screenerOf([one], ['AUSDT', 'BUSDT', 'CUSDT']);
    const candle = (minute: number, price: number): Candle => candleAt(START + minute * MINUTE, price);
    for (const [index, symbol] of ['AUSDT', 'BUSDT', 'CUSDT'].entries()) screener.onCandle(symbol, '1m', candle(0, index + 1));
    screener.onCandle('AUSDT', '1m', candle(1, 1));
    expect(screener.onCandle('BUSDT', '1m', candle(1, 2))).toEqual([]);
    expect(screener.advanceTime(START + 2 * MINUTE + 4_999)).toEqual([]);
    const found = screener.advanceTime(START + 2 * MINUTE + 5_000);
    expect(found.map(({ symbol, missing }) => [symbol, missing])).toEqual([['AUSDT', ['CUSDT']], ['BUSDT', ['CUSDT']]]);
    expect(screener.advanceTime(START + 2 * MINUTE + 9_000)).toEqual([]);
    expect(screener.onCandle('CUSDT', '1m', candle(1, 3)).map(({ symbol, closeTime }) => [symbol, (closeTime - START) / MINUTE])).toEqual([['CUSDT', 2]]);
    expect(screener.onCandle('CUSDT', '1m', candle(1, 3))).toEqual([]);
    // A later candle tells the time too.
    for (const symbol of ['AUSDT', 'BUSDT']) screener.onCandle(symbol, '1m', candle(2, 1));
    expect(screener.onCandle('AUSDT', '1m', candle(3, 1)).map(({ symbol, missing }) => [symbol, missing])).toEqual([['AUSDT', ['CUSDT']], ['BUSDT', ['CUSDT']]]);
    expect(screener.onCandle('CUSDT', '1m', candle(2, 9)).map(({ symbol }) => symbol)).toEqual(['CUSDT']);
  });

  test('found in stored candles is what is found live, and the order in which symbols come does not matter', () => {
    const data = market(250, symbols);
    const traders = [trader(1, { a: 'of("BTCUSDT", on("5m", close > open))', b: 'rank(quoteVolume) <= 2' }), trader(2, { a: 'percentile(on("5m", rsi(2))) >= 75' })];
    const live = screenerOf(traders, symbols);
    const expected: Match[] = [];
    for (let index = 0; index < 250; index++) for (const symbol of symbols) expected.push(...live.onCandle(symbol, '1m', data.get(symbol)![index]!));
    const shuffled = screenerOf(traders, symbols);
    const other: Match[] = [];
    for (let index = 0; index < 250; index++) for (const symbol of symbols.toSorted((a, b) => ((a.charCodeAt(0) * 31 + index * 7) % 5) - ((b.charCodeAt(0) * 31 + index * 7) % 5))) other.push(...shuffled.onCandle(symbol, '1m', data.get(symbol)![index]!));
    expect(ids(other)).toEqual(ids(expected));
    const stored = new Screener({ defaultInterval: '1m', capacity: () => 3_000 });
    for (const [symbol, candles] of data) for (const candle of candles) stored.onCandle(symbol, '1m', candle);
    for (const one of traders) stored.setUniverse(one.id, new Set(symbols));
    expect(ids(stored.setTraders(traders).matches)).toEqual(ids(expected));
    for (const one of traders) expect(expected.filter(({ traderId }) => traderId === one.id).length).toBeGreaterThan(3);
  });

  test('nesting that has no meaning is refused with the way round', () => {
    expect(error('rank(rank(close)) == 1').code).toBe('not_allowed');
    expect(error('on("1h", rank(close)) == 1').nextStep).toContain('rank(on("1h", …))');
    expect(error('of("BTCUSDT", of("ETHUSDT", close)) > 1').code).toBe('not_allowed');
    expect(error('on("1h", of("BTCUSDT", close)) > 1').nextStep).toContain('of("BTCUSDT", on("1h", …))');
    expect(error('of("btc", close) > 1').code).toBe('wrong_argument');
    expect(error('rank(close > open) == 1').code).toBe('wrong_type');
    expect(error('rank(5) == 1').code).toBe('wrong_type');
    expect(() => evaluateExpression('rank(close) == 1', simulateCandles(3))).toThrow(expect.objectContaining({ code: 'not_allowed' }));
  });
});
