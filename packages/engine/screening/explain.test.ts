import { intervalClose, TraderDocument, type Candle, type TraderInput } from '@trademind/core';
import { afterAll, describe, expect, test } from 'vitest';
import { folded } from '../../../tests/support/markets.ts';
import { CandleStore } from '../candles/candle-store.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { FUNCTIONS } from '../language/functions.ts';
import { engulfingAtSupport } from '../templates/engulfing-at-support.ts';
import { TEMPLATE_TRADERS } from '../templates/index.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import type { Match } from './match.ts';
import { Membership } from './membership.ts';
import { holds } from './say-clause.ts';
import { Screener } from './screener.ts';
import { clausesFor, stand } from './standing.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const START = Date.parse('2026-01-05T00:00Z');
const documentOf = (input: Partial<TraderInput> & Pick<TraderInput, 'where'>): TraderDocument => TraderDocument.parse({ name: 'Trader', side: 'long', interval: '1m', ...input });

function screenerOf(document: TraderDocument, symbols: readonly string[]): Screener {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 20_000 });
  screener.setTraders([{ id: ID, version: 1, document }]);
  screener.setUniverse(ID, new Set(symbols));
  return screener;
}
/** A week of three symbols, and some hours of one that was listed later. */
const MARKETS: ReadonlyMap<string, readonly Candle[]> = new Map([
  ...['AUSDT', 'BTCUSDT', 'CUSDT'].map((symbol, index): [string, Candle[]] => [symbol, simulateCandles(10_080, { seed: index + 5, flatness: index / 10, openTime: START })]),
  ['NEWUSDT', simulateCandles(10_080, { seed: 9, openTime: START }).slice(-1_300)],
]);

const printed: string[] = [];
afterAll(() => {
  process.stdout.write(`${printed.join('\n\n')}\n`);
});

describe('the words', () => {
  const document = TraderDocument.parse(engulfingAtSupport);
  const screener = screenerOf(document, [...MARKETS.keys(), 'NONEUSDT']);
  const matches = [...MARKETS].flatMap(([symbol, candles]) => folded(candles, '15m').flatMap((candle) => screener.onCandle(symbol, '15m', candle)));
  const print = (text: string): string => {
    printed.push(text);
    return text;
  };

  test('of a symbol that matches say what holds, with both sides of each comparison', () => {
    const { symbol, closeTime } = matches.find((match) => match.symbol === 'BTCUSDT')!;
    expect(print(screener.explain(ID, symbol, closeTime).sentence)).toMatchInlineSnapshot(`
      "Engulfing at support matches BTCUSDT on 15m candles: all 3 conditions hold.
      The candle closed 2026-01-10 07:30 UTC at 84.42.
        ✓ pattern: there is a bullish engulfing on this candle.
        ✓ at_support: the lowest low of 2 candles is 82.79, at or below swing(100) support + 1 × ATR(14) at 83.3986.
        ✓ uptrend: 1h SMA(50) is 84.1414, above 1h SMA(50) 6 candles of 1h before at 83.8936."
    `);
  });

  test('of a symbol that does not match say what is missing, and how much', () => {
    expect(print(screener.explain(ID, 'AUSDT').sentence)).toMatchInlineSnapshot(`
      "Engulfing at support does not match AUSDT on 15m candles: 1 of 3 conditions holds; all must.
      The candle closed 2026-01-12 00:00 UTC at 76.12.
        ✗ pattern: there is no bullish engulfing on this candle.
        ✗ at_support: the lowest low of 2 candles is 75.71 and must be at or below swing(100) support + 1 × ATR(14) at 67.4197: 12.3 % too high.
        ✓ uptrend: 1h SMA(50) is 65.7402, above 1h SMA(50) 6 candles of 1h before at 65.2114."
    `);
  });

  test('of a symbol that is not ready say what each condition waits for, and how long that takes', () => {
    expect(print(screener.explain(ID, 'NEWUSDT').sentence)).toMatchInlineSnapshot(`
      "Engulfing at support is not ready for NEWUSDT on 15m candles: it needs 35 more 1h candles of what it looks at elsewhere, and then 197 15m candles of its own: about 4 days unless history is fetched.
      The candle closed 2026-01-12 00:00 UTC at 91.91.
        ✗ pattern: there is no bullish engulfing on this candle.
        … at_support: waits for swing(100) support + 1 × ATR(14): it has seen 86 of 197 candles and needs 111 more 15m candles, about 28 hours unless history is fetched.
        … uptrend: waits for 1h SMA(50) above 1h SMA(50) 6 candles of 1h before: it has seen 21 of 56 candles and needs 35 more 1h candles, about 35 hours unless history is fetched."
    `);
  });

  test('of one without candles and of one that is not screened say so', () => {
    expect([screener.explain(ID, 'NONEUSDT').sentence, screener.explain(ID, 'OTHERUSDT').sentence]).toMatchInlineSnapshot(`
      [
        "Engulfing at support cannot say anything about NONEUSDT on 15m candles yet: none has closed.",
        "Engulfing at support does not screen OTHERUSDT.",
      ]
    `);
  });

  test('of the funnel say where the symbols are lost', () => {
    expect(print(screener.funnel(ID).sentence)).toMatchInlineSnapshot(`
      "Engulfing at support screens 5 symbols on 15m candles: 3 ready, 2 not yet (1 without a candle).
        pattern     holds on 0, not on 4; with all above it on 0
        at_support  holds on 0, not on 2, not ready on 2; with all above it on 0
        uptrend     holds on 2, not on 1, not ready on 1; with all above it on 0
      It matches none; the last candle gave no signal."
    `);
  });
});

describe('a condition', () => {
  const closes = [...Array.from({ length: 40 }, (_, index) => 100 + (index % 4)), 90, 80, 79, 78, 95];
  const candles = closes.map((close, index) => candleAt(START + index * 60_000, close, { open: closes[index - 1] ?? close, high: Math.max(close, closes[index - 1] ?? close) + 1, low: Math.min(close, closes[index - 1] ?? close) - 1, volume: index % 5 }));
  const said = (expression: string, rest: Partial<TraderInput> = {}, count = candles.length): string => {
    const screener = screenerOf(documentOf({ where: { c: expression }, ...rest }), ['BTCUSDT']);
    for (const candle of candles.slice(0, count)) screener.onCandle('BTCUSDT', '1m', candle);
    return screener.explain(ID, 'BTCUSDT').conditions[0]!.sentence;
  };

  test.each([
    ['close > sma(3)', 'close is 95, above SMA(3) at 84.'],
    ['close < sma(3)', 'close is 95 and must be below SMA(3) at 84: 13.1 % too high.'],
    ['100 < close', 'close is 95 and must be above 100: 5 % too low.'],
    ['close > close', 'close is 95 and must be above close at 95: equal is not enough.'],
    ['change(close) < 0', 'change(close) is 17 and must be below 0.'],
    ['roc(close, 1) > 30', 'ROC(close, 1) is 21.8 and must be above 30: 8.21 points too low.'],
    ['crossover(close, sma(3))', 'close at 95 has crossed above SMA(3) at 84 on this candle.'],
    ['crossunder(close, sma(3))', 'close at 95 must cross below SMA(3) at 84: it is 13.1 % above.'],
    ['crossover(close, 70)', 'close at 95 was above 70 already; it must come back and cross anew.'],
    ['!crossover(close, sma(3))', 'close at 95 has crossed above SMA(3) at 84 on this candle, and must not.'],
    ['rising(close, 2)', 'close at 95 has not risen on each of the last 2 candles, and must.'],
    ['!rising(close, 2)', 'close at 95 has not risen on each of the last 2 candles, as wanted.'],
    ['within(close < 79, 3)', 'close below 79: one candle ago, within the last 3 candles.'],
    ['within(close < 79, 1)', 'close below 79: one candle ago, and must be within the last candle.'],
    ['within(close > 500, 5)', 'close above 500: not once so far, and must be within the last 5 candles.'],
    ['held(close < 90, 4)', 'close below 90: on 3 of the last 4 candles, and must be on all.'],
    ['held(close > 70, 4)', 'close above 70: on all of the last 4 candles.'],
    ['bullishEngulfing()', 'there is a bullish engulfing on this candle.'],
    ['!hammer()', 'there is no hammer on this candle, as wanted.'],
    ['insideBar()', 'there is no inside bar on this candle.'],
    ['close > 50 && close < 90 && volume > 1', 'close is 95 and must be below 90: 5.6 % too high (the rest holds).'],
    ['close < 50 || close > 200', 'none of these: close is 95 and must be below 50: 90 % too high; close is 95 and must be above 200: 52.5 % too low.'],
    ['close < 50 || close > 90', 'close is 95, above 90.'],
    ['!(close < 50 || close > 90)', 'close is 95 and must be at or below 90: 5.6 % too high (the rest holds).'],
    ['(close < 79)[1]', 'close one candle before is 78, below 79.'],
    ['takerBuy / (volume - volume) > 1', 'taker buy volume / (volume − volume) is infinite, above 1.'],
    ['swing(20).support < close', 'swing(20) support has no value now: it waits for a swing on that side of the close.'],
  ])('%s: %s', (expression, expected) => {
    expect(said(expression)).toBe(expected);
  });

  test('by a name of the trader is said by what the name means', () => {
    expect(said('dip', { params: { floor: 80 }, let: { dip: 'close < floor || volume > busy', busy: '3 * sma(volume, 2)' } }))
      .toBe('none of these: close is 95 and must be below 80: 18.8 % too high; volume is 4 and must be above busy at 10.5: 61.9 % too low.');
  });

  test('that waits says for what, how many candles more, and how long they take', () => {
    expect(said('rsi(14) < 30 && ema(5) > ema(5)[2]', {}, 20)).toBe(
      'waits for RSI(14): it has seen 20 of 197 candles and needs 177 more 1m candles, about 3 hours unless history is fetched; for EMA(5): it has seen 20 of 35 candles and needs 15 more 1m candles, about 15 minutes unless history is fetched; '
      + 'for EMA(5) 2 candles before: it has seen 20 of 37 candles and needs 17 more 1m candles, about 17 minutes unless history is fetched.');
    expect(said('crossover(close, sma(20))', {}, 20)).toBe('waits for close crossing above SMA(20): it has seen 20 of 21 candles and needs 1 more 1m candle, about 1 minute unless history is fetched.');
  });
});

describe('the parts of a condition', () => {
  const composed = [
    'close > open && (rsi(3) < 50 || !doji())', '!(close > sma(5) && !(volume > 2) || hammer())', '(close > open && low > low[1])[2]', 'on("5m", close > sma(3) && rsi(2) < 60)', '!on("15m", close > open || close < low[1])',
    'up && !calm[1]', 'within(up, 3) || held(calm, 4)', '(close > open ? rsi(3) > 50 : rsi(3) < 50) && volume >= 0', '3 < rsi(3) && 0 != close - open', 'swing(11).support < close || takerBuy / volume > 0.5',
    'on("5m", within(crossover(close, sma(3)), 4)) && on("5m", held(calm, 2)[1])', 'count(up, 5)[1] >= 3 && barsSince(calm) < 9',
  ];
  const names = { params: { few: 0.004 }, let: { up: 'close > ema(4)', calm: 'atr(3) / close < few' } };
  const candles = simulateCandles(160, { seed: 3, flatness: 0.2, openTime: START });
  const store = new CandleStore({ capacity: () => 1_000 });
  for (const candle of candles) store.append('AUSDT', '1m', candle);
  for (const interval of ['5m', '15m', '1h'] as const) for (const candle of folded(candles, interval)) store.append('AUSDT', interval, candle);

  test.each([...composed, ...[...FUNCTIONS.values()].map(({ example }) => example)])('never contradict the whole: %s', (expression) => {
    const compiled = compileTrader(documentOf({ where: { c: expression }, ...names }), '1m');
    if (compiled.waits) return;
    const trader = { id: ID, version: 1, compiled };
    const clause = clausesFor(trader).clauses[0];
    expect(clause).toBeDefined();
    for (let ordinal = 0; ordinal < candles.length; ordinal += 7) {
      stand(trader, { candles: store, universe: Membership.always(['AUSDT']) }, new Map([['AUSDT', ordinal]]), (_symbol, { graph: { traders: [own, parts], program } }) => {
        const whole = program.values[own!.slots[compiled.conditions[0]!.ref]!]!;
        expect(holds(clause!, (ref) => program.values[parts!.slots[ref]!]!), `candle ${ordinal}`).toBe(Number.isNaN(whole) ? undefined : whole === 1);
      });
    }
  });

  test('are left together where they are too large for the language', () => {
    const long = `held(close > 0.${'0'.repeat(1_981)}, 2)`;
    expect(long).toHaveLength(2_000);
    const screener = screenerOf(documentOf({ where: { c: long, d: 'close > 1' } }), ['BTCUSDT']);
    for (const candle of candles.slice(0, 10)) screener.onCandle('BTCUSDT', '1m', candle);
    const [c, d] = screener.explain(ID, 'BTCUSDT').conditions;
    expect(c!.sentence).toBe(`${long} holds (close is ${candles[9]!.close}).`);
    expect(d!.sentence).toMatch(/^close is .*, above 1\.$/);
  });
});

describe('the funnel', () => {
  test.each(TEMPLATE_TRADERS)('of $name counts what explain says of each symbol', (template) => {
    const document = TraderDocument.parse({ ...template, interval: '1m' });
    const screener = screenerOf(document, [...MARKETS.keys(), 'NONEUSDT']);
    const matches = new Map<string, Match[]>();
    const stream = [...MARKETS].flatMap(([symbol, candles]) => candles.slice(-3_000).map((candle): [string, Candle] => [symbol, candle])).sort(([, a], [, b]) => a.openTime - b.openTime);
    for (const [symbol, candle] of stream) for (const match of screener.onCandle(symbol, '1m', candle)) matches.set(match.symbol, [...(matches.get(match.symbol) ?? []), match]);
    for (const match of screener.advanceTime(Infinity)) matches.set(match.symbol, [...(matches.get(match.symbol) ?? []), match]);
    const funnel = screener.funnel(ID);
    const told = [...MARKETS.keys()].map((symbol) => screener.explain(ID, symbol));
    expect(funnel).toMatchObject({ symbols: 5, withCandles: 4, ready: screener.counts(ID).ready });
    expect(funnel.matching).toEqual(told.filter(({ verdict }) => verdict === 'matching').map(({ symbol }) => symbol).sort());
    const end = intervalClose('1m', stream.at(-1)![1].openTime);
    expect(funnel.matched).toEqual([...matches.entries()].filter(([, found]) => found.at(-1)!.closeTime === end).map(([symbol]) => symbol).sort());
    for (const [at, { name, expression, ...counts }] of funnel.conditions.entries()) {
      const standing = told.map(({ conditions }) => conditions[at]!);
      const up = (index: number): boolean => told[index]!.conditions.slice(0, at + 1).every(({ ready, holds: held }) => ready && held === true);
      expect({ name, expression }).toEqual({ name, expression: standing[0]!.expression });
      expect(counts).toEqual({
        holds: standing.filter(({ ready, holds: held }) => ready && held === true).length, fails: standing.filter(({ ready, holds: held }) => ready && held === false).length,
        notReady: standing.filter(({ ready, holds: held }) => !ready || held === null).length, together: told.filter((_, index) => up(index)).length,
      });
    }
  });

  test('of a trader that does not run is an error', () => {
    expect(() => screenerOf(documentOf({ where: { c: 'close > 1' } }), []).funnel('another')).toThrow(expect.objectContaining({ code: 'unknown_trader' }));
  });
});

describe('numbers that the language works out beforehand are said as numbers', () => {
  const sentenceOf = (where: string, params: TraderInput['params'] = {}): string => {
    const screener = screenerOf(documentOf({ where: { a: where }, params }), ['X']);
    for (const candle of simulateCandles(300)) screener.onCandle('X', '1m', candle);
    return screener.explain(ID, 'X').conditions[0]!.sentence;
  };
  test.each([
    ['rising(close, max(2, 3))', 'the last 3 candles'], ['falling(close, 5 > 3 ? 2 : 1)', 'the last 2 candles'], ['close[round(1.4)] > open', 'close one candle before'],
    ['(close > open)[max(1, 2)]', 'close 2 candles before'], ['close > highest(high, max(3, 4))[1]', 'the highest high of 4 candles'], ['sma(round(20.4)) > close', 'SMA(20)'],
    ['within(close > open, round(2.6))', 'within the last 3 candles'], ['count(close > open, max(5, 6)) > 2', 'of the last 6 candles'],
  ])('%s', (where, said) => {
    expect(sentenceOf(where)).toContain(said);
  });
  test('also a choice between two that a param decides', () => {
    expect(sentenceOf('n > 3 ? close > open : close < open', { n: 4 })).toMatch(/^close above open if 4 above 3, otherwise close below open/);
  });
});

test.each([
  ['conditions', 'close > open', (name: string) => `${name} && (${name} || ${name})`, 'a24'], ['sums', 'close', (name: string) => `${name} + ${name}`, 'a24 > 1'],
  ['calls', 'close', (name: string) => `max(${name}, ${name})`, 'a24 > 1'], ['numbers', '3', (name: string) => `max(${name}, ${name})`, 'close > a24'],
] as const)('names that use each other twice, %s, are explained all the same: what would double with each of 24 steps is left whole', (_what, first, twice, where) => {
  const lets = Object.fromEntries(Array.from({ length: 25 }, (_, n) => [`a${n}`, n === 0 ? first : twice(`a${n - 1}`)]));
  const screener = screenerOf(documentOf({ let: lets, where: { a: where } }), ['X']);
  for (const candle of simulateCandles(20)) screener.onCandle('X', '1m', candle);
  const { conditions } = screener.explain(ID, 'X');
  expect(conditions[0]!.sentence.length).toBeGreaterThan(0);
  expect(conditions[0]!.sentence.length).toBeLessThan(30_000);
});
