import { intervalMs, TraderDocument, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import * as naive from '../testing/naive.ts';
import * as oscillators from '../testing/naive-oscillators.ts';
import type { Naive } from '../testing/naive.ts';
import * as shapes from '../testing/naive-patterns.ts';
import { volumeProfile } from '../testing/naive-volume-profile.ts';
import * as elsewhere from '../testing/naive-elsewhere.ts';
import * as trend from '../testing/naive-trend.ts';
import { Screener } from '../screening/screener.ts';
import { evaluateExpression } from './evaluate.ts';
import { FUNCTIONS } from './functions.ts';
import { SERIES } from './series.ts';

/** A random expression: its text for the engine, and the independent reading of the same. */
interface Pair { text: string; read: Naive; constant: boolean }

const numberOf = (text: string, read: Naive, constant = false): Pair => ({ text, read, constant });
const column = (name: keyof Candle): Pair => numberOf(name, naive.column((candle) => candle[name]));
const mean = (name: string, ...columns: (keyof Candle)[]): Pair =>
  numberOf(name, naive.column((candle) => columns.reduce((sum, one) => sum + candle[one], 0) / columns.length, 4e-16));

/** Params of every expression; a length may be written as one. */
const PARAMS = { one: 1, two: 2, five: 5, half: 0.5, minus_three: -3 };
const written = (n: number): string => Object.entries(PARAMS).find(([, value]) => value === n)?.[0] ?? String(n);

const leaf = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(column('open'), column('high'), column('low'), column('close'), column('volume'), column('takerBuy'), column('trades'), column('quoteVolume')) },
  { weight: 1, arbitrary: fc.constantFrom(mean('hl2', 'high', 'low'), mean('hlc3', 'high', 'low', 'close'), mean('ohlc4', 'open', 'high', 'low', 'close')) },
  { weight: 1, arbitrary: fc.constantFrom(numberOf('hour', naive.column(({ openTime }) => new Date(openTime).getUTCHours())), numberOf('minute', naive.column(({ openTime }) => new Date(openTime).getUTCMinutes()))) },
  { weight: 1, arbitrary: fc.constant(numberOf('dayOfWeek', naive.column(({ openTime }) => new Date(openTime).getUTCDay()))) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.entries(PARAMS)).map(([name, value]) => numberOf(name, naive.constant(value), true)) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 2, 0.5, 30, 100, 1_000).map((value) => numberOf(String(value), naive.constant(value), true)) },
);
const length = fc.integer({ min: 1, max: 6 });
const side = fc.integer({ min: 1, max: 3 });
const asSeries = (pair: Pair): Pair => (pair.constant ? column('close') : pair);

const ARITHMETIC = { '+': naive.add, '-': naive.subtract, '*': naive.multiply, '/': naive.divide, '%': naive.remainder };
const COMPARISON = {
  '<': (x: number, y: number) => x < y, '<=': (x: number, y: number) => x <= y, '>': (x: number, y: number) => x > y,
  '>=': (x: number, y: number) => x >= y, '==': (x: number, y: number) => x === y, '!=': (x: number, y: number) => x !== y,
};
const WINDOWS = { sma: naive.sma, ema: naive.ema, smma: naive.smma, rsi: naive.rsi, stdev: naive.stdev, highest: naive.highest, lowest: naive.lowest };
/** Of any series with one length (from 2), of candles with one, and with three lengths. */
const AVERAGES = {
  wma: oscillators.wma, vwma: oscillators.vwma, hma: oscillators.hma, dema: oscillators.dema, tema: oscillators.tema, trix: oscillators.trix, zScore: oscillators.zScore, percentChange: oscillators.percentChange,
  momentum: elsewhere.momentum, roc: elsewhere.roc,
};
const OF_CANDLES = { williamsR: oscillators.williamsR, cci: oscillators.cci, choppiness: oscillators.choppiness };
const OF_THREE: Record<string, (x: Naive, a: number, b: number, c: number) => [arguments: string, field: string, read: Naive]> = {
  kama: (x, a, b, c) => [`${a}, ${b}, ${c}`, '', oscillators.kama(x, a, b, c)],
  stochRsi: (x, a, b, c) => [`${a}, ${b + 1}, ${c}, 1`, '.k', oscillators.stochRsi(x, a, b + 1, c)],
  tsi: (x, a, b, c) => [`${a}, ${b}, ${c}`, '.signal', oscillators.tsi(x, a, b, c)],
};
const MATH = { abs: naive.absolute, sqrt: naive.squareRoot, log: naive.logarithm, round: naive.roundOff };

const MIDNIGHT = Date.UTC(2023, 10, 15);
const factor = fc.constantFrom(0.5, 1, 1.7, 3);
const middle = (a: Naive, b: Naive): Naive => naive.each(naive.divide, naive.each(naive.add, a, b), naive.constant(2));
const onAverage = (text: string, read: Naive, n: number): Pair => numberOf(`(${text} - sma(${text}, ${n}))`, naive.each(naive.subtract, read, naive.sma(read, n)));
/** Trends, channels and volume, which read whole candles. */
const ofCandles: fc.Arbitrary<Pair> = fc.oneof(
  fc.tuple(fc.constantFrom('value', 'plusDi', 'minusDi'), length).map(([field, n]) => numberOf(`adx(${n}).${field}`, trend.adx(n, field))),
  fc.tuple(fc.constantFrom('up', 'down'), length).map(([field, n]) => numberOf(`aroon(${n}).${field}`, trend.aroon(n, field))),
  fc.tuple(fc.constantFrom('plus', 'minus'), length).map(([field, n]) => numberOf(`vortex(${n}).${field}`, trend.vortex(n, field))),
  fc.tuple(fc.constantFrom('value', 'direction'), length, factor).map(([field, n, k]) => numberOf(`supertrend(${n}, ${k}).${field}`, trend.supertrend(n, k, field))),
  fc.constantFrom([0.02, 0.2], [0.1, 0.3], [0.3, 0.1]).map(([step, max]) => numberOf(`psar(${step}, ${max})`, trend.psar(step!, max!))),
  fc.tuple(fc.constantFrom('upper', 'middle', 'lower'), length).map(([field, n]) => numberOf(`donchian(${n}).${field}`, trend.channel(n, field))),
  fc.tuple(length, length, length).map(([a, b, c]) => numberOf(`ichimoku(${a}, ${b}, ${c}).spanA`, naive.offset(middle(trend.channel(a, 'middle'), trend.channel(b, 'middle')), b))),
  fc.tuple(length, length, length).map(([a, b, c]) => numberOf(`ichimoku(${a}, ${b}, ${c}).spanB`, naive.offset(trend.channel(c, 'middle'), b))),
  fc.tuple(fc.constantFrom('upper', 'lower'), length, factor, length).map(([field, n, k, m]) => {
    const reach = naive.each(naive.multiply, naive.constant(k), naive.smma(naive.trueRange, m));
    return numberOf(`keltner(${n}, ${k}, ${m}).${field}`, naive.each(field === 'upper' ? naive.add : naive.subtract, naive.ema(column('close').read, n), reach));
  }),
  length.map((n) => numberOf(`change(obv(), ${n})`, trend.obvChange(n))),
  length.map((n) => numberOf(`change(adl(), ${n})`, trend.adlChange(n))),
  length.map((n) => onAverage('obv()', trend.obvTotal, n)),
  length.map((n) => numberOf(`cmf(${n})`, trend.cmf(n))),
  length.map((n) => numberOf(`mfi(${n})`, trend.mfi(n))),
  fc.constant(numberOf('trueRange()', naive.trueRange)),
  fc.constant(numberOf('vwap()', trend.vwap())),
  length.map((n) => numberOf(`rollingVwap(${n})`, trend.vwap(n))),
);

/** The `let` names of all expressions made so far: what is equal has one name. */
const LETS = new Map<string, string>();
const namesByText = new Map<string, string>();
function named(pair: Pair): Pair {
  const name = namesByText.get(pair.text) ?? `named_${LETS.size}`;
  namesByText.set(pair.text, name);
  LETS.set(name, pair.text);
  return { ...pair, text: name };
}
/** The names that an expression needs, those that they need too. */
function letsOf(text: string, found: Record<string, string> = {}): Record<string, string> {
  for (const [name] of text.matchAll(/named_\d+/g)) {
    if (Object.hasOwn(found, name)) continue;
    found[name] = LETS.get(name)!;
    letsOf(found[name], found);
  }
  return found;
}

interface Grammar { readonly number: fc.Arbitrary<Pair>; readonly condition: fc.Arbitrary<Pair> }
const LONGER = { '1m': ['3m', '5m', '15m'], '6h': ['12h', '1d'] } as const;

/** Random expressions over candles of an interval; with `inside`, those on longer intervals too. */
const grammar = (base: Interval, inside: readonly (readonly [Interval, Grammar])[] = []): Grammar => fc.letrec<{ number: Pair; condition: Pair }>((tie) => {
  const elsewhereToo = (kind: keyof Grammar): { weight: number; arbitrary: fc.Arbitrary<Pair> }[] => (inside.length === 0 ? [] : [
    ...inside.map(([interval, of]) => ({ weight: 2, arbitrary: of[kind].map(({ text, read, constant }) => numberOf(`on("${interval}", ${text})`, constant ? read : elsewhere.on(read, base, interval), constant)) })),
    { weight: 2, arbitrary: tie(kind).map(named) },
  ]);
  return {
    number: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      leaf,
      ...elsewhereToo('number'),
      { weight: 1, arbitrary: fc.constant(numberOf('quoteVolume24h', elsewhere.dayVolume(base))) },
      fc.tuple(fc.constantFrom(...(Object.keys(ARITHMETIC) as (keyof typeof ARITHMETIC)[])), tie('number'), tie('number'))
        .map(([op, a, b]) => numberOf(`(${a.text} ${op} ${b.text})`, naive.each(ARITHMETIC[op], a.read, b.read), a.constant && b.constant)),
      fc.tuple(fc.constantFrom(...(Object.keys(WINDOWS) as (keyof typeof WINDOWS)[])), tie('number').map(asSeries), length)
        .map(([name, x, n]) => numberOf(`${name}(${x.text}, ${written(n)})`, WINDOWS[name](x.read, n))),
      fc.tuple(fc.constantFrom(...(Object.keys(MATH) as (keyof typeof MATH)[])), tie('number')).map(([name, x]) => numberOf(`${name}(${x.text})`, naive.each(MATH[name], x.read), x.constant)),
      fc.tuple(fc.constantFrom('min', 'max'), tie('number'), tie('number'))
        .map(([name, a, b]) => numberOf(`${name}(${a.text}, ${b.text})`, naive.each(name === 'min' ? naive.minimum : naive.maximum, a.read, b.read), a.constant && b.constant)),
      fc.tuple(tie('number').map(asSeries), fc.integer({ min: 0, max: 4 })).map(([x, n]) => numberOf(`(${x.text})[${written(n)}]`, naive.offset(x.read, n))),
      fc.tuple(tie('number').map(asSeries), length).map(([x, n]) => numberOf(`change(${x.text}, ${written(n)})`, naive.each(naive.subtract, x.read, naive.offset(x.read, n)))),
      fc.tuple(fc.constantFrom(...(Object.keys(AVERAGES) as (keyof typeof AVERAGES)[])), tie('number').map(asSeries), fc.integer({ min: 2, max: 9 }))
        .map(([name, x, n]) => numberOf(`${name}(${x.text}, ${n})`, AVERAGES[name](x.read, n))),
      fc.tuple(fc.constantFrom(...(Object.keys(OF_CANDLES) as (keyof typeof OF_CANDLES)[])), fc.integer({ min: 2, max: 6 }))
        .map(([name, n]) => numberOf(`${name}(${n})`, OF_CANDLES[name](n))),
      fc.tuple(fc.constantFrom(...Object.keys(OF_THREE)), tie('number').map(asSeries), length, length, length).map(([name, x, a, b, c]) => {
        const [lengths, field, read] = OF_THREE[name]!(x.read, a, b, c);
        return numberOf(`${name}(${x.text}, ${lengths})${field}`, read);
      }),
      fc.tuple(length, length, length).map(([a, b, c]) => numberOf(`ultimate(${a}, ${b}, ${c})`, oscillators.ultimate(a, b, c))),
      fc.tuple(length, length).map(([fast, slow]) => numberOf(`awesome(${fast}, ${slow})`, oscillators.awesome(fast, slow))),
      fc.tuple(fc.constantFrom('upper', 'middle', 'lower'), length).map(([field, n]) => numberOf(`bollinger(${n}, 2).${field}`, bollinger(field, n))),
      fc.tuple(length, length, length).map(([fast, slow, signal]) => numberOf(`macd(${fast}, ${slow}, ${signal}).histogram`, histogram(fast, slow, signal))),
      fc.tuple(fc.constantFrom('k', 'd'), length, length, length).map(([field, n, k, d]) => numberOf(`stochastic(${n}, ${k}, ${d}).${field}`, elsewhere.stochastic(n, k, d, field))),
      length.map((n) => numberOf(`atr(${n})`, naive.smma(naive.trueRange, n))),
      fc.tuple(fc.constantFrom('value', 'slope', 'r2'), tie('number').map(asSeries), fc.integer({ min: 2, max: 7 }))
        .map(([field, x, n]) => numberOf(`linreg(${x.text}, ${n}).${field}`, shapes.linreg(x.read, n, field))),
      fc.tuple(fc.boolean(), tie('number').map(asSeries), length).map(([high, x, n]) => numberOf(`${high ? 'highestBars' : 'lowestBars'}(${x.text}, ${n})`, shapes.barsSinceExtreme(x.read, n, high ? 1 : -1))),
      fc.tuple(fc.constantFrom('poc', 'high', 'low'), length, fc.integer({ min: 1, max: 9 })).map(([field, n, rows]) => numberOf(`volumeProfile(${n}, ${rows}).${field}`, volumeProfile(n, rows, field))),
      fc.tuple(fc.boolean(), side, side).map(([high, left, right]) => numberOf(`${high ? 'pivotHigh' : 'pivotLow'}(${left}, ${right})`, shapes.pivot(high ? 'high' : 'low', left, right))),
      fc.tuple(fc.boolean(), fc.integer({ min: 11, max: 30 })).map(([high, n]) => numberOf(`swing(${n}).${high ? 'resistance' : 'support'}`, shapes.swing(high ? 'high' : 'low', n))),
      fc.tuple(tie('condition'), length).map(([c, n]) => numberOf(`count(${c.text}, ${n})`, shapes.count(c.read, n))),
      tie('condition').map((c) => numberOf(`barsSince(${c.text})`, shapes.barsSince(c.read))),
      { weight: 3, arbitrary: ofCandles },
      tie('number').map((x) => numberOf(`(- ${x.text})`, naive.each(naive.negate, x.read), x.constant)),
      fc.tuple(tie('condition'), tie('number'), tie('number'))
        .map(([c, a, b]) => numberOf(`(${c.text} ? ${a.text} : ${b.text})`, naive.each(naive.choose, c.read, a.read, b.read), c.constant && a.constant && b.constant)),
    ) as fc.Arbitrary<Pair>,
    condition: fc.oneof(
      { depthSize: 'medium', withCrossShrink: true },
      ...elsewhereToo('condition'),
      fc.tuple(fc.constantFrom(...(Object.keys(COMPARISON) as (keyof typeof COMPARISON)[])), tie('number'), tie('number'))
        .map(([op, a, b]) => numberOf(`(${a.text} ${op} ${b.text})`, naive.each(naive.compare(COMPARISON[op]), a.read, b.read), a.constant && b.constant)),
      fc.tuple(fc.constantFrom('&&', '||'), tie('condition'), tie('condition'))
        .map(([op, a, b]) => numberOf(`(${a.text} ${op} ${b.text})`, naive.each(op === '&&' ? naive.and : naive.or, a.read, b.read), a.constant && b.constant)),
      tie('condition').map((c) => numberOf(`!${c.text}`, naive.each(naive.not, c.read), c.constant)),
      fc.tuple(fc.boolean(), tie('number'), tie('number'))
        .map(([over, a, b]) => numberOf(`${over ? 'crossover' : 'crossunder'}(${a.text}, ${b.text})`, over ? naive.crossover(a.read, b.read) : naive.crossover(b.read, a.read))),
      fc.tuple(fc.boolean(), tie('number').map(asSeries), fc.integer({ min: 1, max: 3 })).map(([up, x, n]) => numberOf(`${up ? 'rising' : 'falling'}(${x.text}, ${n})`, naive.run(x.read, n, up ? 1 : -1))),
      fc.tuple(fc.boolean(), tie('condition'), length).map(([all, c, n]) => numberOf(`${all ? 'held' : 'within'}(${c.text}, ${n})`, (all ? shapes.held : shapes.within)(c.read, n))),
      fc.tuple(fc.boolean(), tie('number').map(asSeries), side, side)
        .map(([bullish, x, left, right]) => numberOf(`${bullish ? 'bullishDivergence' : 'bearishDivergence'}(${x.text}, ${left}, ${right})`, shapes.divergence(x.read, bullish ? 'low' : 'high', left, right))),
      fc.constantFrom(...Object.keys(shapes.PATTERNS)).map((name) => numberOf(`${name}()`, shapes.PATTERNS[name]!)),
      fc.tuple(tie('condition'), fc.integer({ min: 1, max: 3 })).map(([c, n]) => numberOf(`(${c.text})[${n}]`, c.constant ? c.read : naive.offset(c.read, n), c.constant)),
    ) as fc.Arbitrary<Pair>,
  };
});
const programs = (Object.keys(LONGER) as (keyof typeof LONGER)[]).map((base) => {
  const { number, condition } = grammar(base, LONGER[base].map((interval) => [interval, grammar(interval)] as const));
  return fc.oneof(number, condition).map((pair) => ({ ...pair, base }));
});
/** Candles in a row of another interval. */
const spaced = (candles: readonly Candle[], interval: Interval): Candle[] => candles.map((candle, index) => ({ ...candle, openTime: candles[0]!.openTime + index * intervalMs(interval) }));

function bollinger(field: string, n: number): Naive {
  const close = column('close').read;
  const reach = naive.each(naive.multiply, naive.constant(2), naive.stdev(close, n));
  const middle = naive.sma(close, n);
  return field === 'middle' ? middle : naive.each(field === 'upper' ? naive.add : naive.subtract, middle, reach);
}

function histogram(fast: number, slow: number, signal: number): Naive {
  const close = column('close').read;
  const line = naive.each(naive.subtract, naive.ema(close, fast), naive.ema(close, slow));
  return naive.each(naive.subtract, line, naive.ema(line, signal));
}

test('any expression over any candles equals a naive reading that recomputes everything from scratch', () => {
  const seen = { decided: 0, unknown: 0 };
  fc.assert(fc.property(fc.oneof(...programs), fc.nat(), fc.constantFrom(0, 0.2, 0.7), ({ text, read, base }, seed, flatness) => {
    fc.pre(text.length <= 1_500);
    const candles = spaced(simulateCandles(30, { seed, flatness, openTime: MIDNIGHT - (seed % 40) * intervalMs(base) }), base);
    const lets = letsOf(text);
    const { values, type } = evaluateExpression(text, candles, { block: 1 + (seed % 9), interval: base, params: PARAMS, let: lets });
    for (const [t, { v, e }] of read(candles).entries()) {
      if (e === Infinity) {
        seen.unknown++;
        continue;
      }
      seen.decided++;
      const value = values[t]!;
      const expected = Number.isNaN(v) ? null : type === 'condition' ? v === 1 : v;
      if (value === expected || (typeof value === 'number' && Number.isFinite(v) && Math.abs(value - v) <= 1e-9 * Math.abs(v) + 2 * e)) continue;
      expect(value, `${text} at candle ${t}`).toBe(expected);
    }
  }), { numRuns: 1_000 });
  // The comparison says something only if it could nearly always be made.
  expect(seen.unknown).toBeLessThan(seen.decided / 4);
});

test('every function and series of the language is among those expressions, but for those that need other symbols', () => {
  const texts = fc.sample(fc.oneof(...programs), { numRuns: 3_000, seed: 1 }).flatMap(({ text }) => [text, ...Object.values(letsOf(text))]);
  const words = new Set(texts.flatMap((text) => text.match(/[a-zA-Z]\w*/g) ?? []));
  expect([...FUNCTIONS.keys(), ...SERIES.map(({ name }) => name), ...Object.keys(PARAMS)].filter((name) => !words.has(name))).toEqual(['of', 'rank', 'percentile']);
});

test('rank and percentile of any expression place a symbol as a naive reading of all symbols does', () => {
  const seen = { decided: 0, unknown: 0 };
  const { number } = grammar('1m');
  const symbols = ['AUSDT', 'BUSDT', 'CUSDT', 'DUSDT'];
  fc.assert(fc.property(number.filter(({ constant, text }) => !constant && text.length <= 300), fc.nat(), ({ text, read }, seed) => {
    const document = TraderDocument.parse({ name: 'a trader', side: 'long', interval: '1m', params: PARAMS, where: { place: `rank(${text}) + percentile(${text}) > 0` } });
    const id = '00000000-0000-4000-8000-000000000001';
    const screener = new Screener({ defaultInterval: '1m', capacity: () => 256 });
    screener.setUniverse(id, new Set(symbols));
    fc.pre(screener.setTraders([{ id, version: 1, document }]).invalid.length === 0); // a running total has no place
    // A symbol has a place once it has settled.
    const { settle } = evaluateExpression(text, [], { params: PARAMS });
    fc.pre(settle <= 120);
    const candles = symbols.map((_, index) => simulateCandles(settle + 3, { seed: seed + index, flatness: 0.3, openTime: MIDNIGHT }));
    for (let t = 0; t < settle + 3; t++) for (const [index, symbol] of symbols.entries()) screener.onCandle(symbol, '1m', candles[index]![t]!);
    const last = candles.map((one) => read(one).at(-1)!);
    for (const [index, symbol] of symbols.entries()) {
      const { rank, percentile } = elsewhere.placeAmong([last[index]!, ...last.filter((_, other) => other !== index)]);
      const expected = naive.add(rank, percentile);
      if (expected.e === Infinity) {
        seen.unknown++;
        continue;
      }
      seen.decided++;
      const { value } = screener.explain(id, symbol).conditions[0]!.values[0]!;
      if (Number.isNaN(expected.v)) expect(value, `${text} of ${symbol}`).toBeNull();
      else expect(value, `${text} of ${symbol}`).toBeCloseTo(expected.v, 9);
    }
  }), { numRuns: 100 });
  expect(seen.decided).toBeGreaterThan(seen.unknown);
});

test('every trend, channel and volume indicator equals its naive reading', () => {
  const seen = { decided: 0, unknown: 0 };
  fc.assert(fc.property(ofCandles, fc.nat(), fc.constantFrom(0, 0.2, 0.7), ({ text, read }, seed, flatness) => {
    const candles = simulateCandles(120, { seed, flatness, openTime: MIDNIGHT - (seed % 150) * 60_000 });
    const { values } = evaluateExpression(text, candles, { block: 1 + (seed % 32) });
    for (const [t, { v, e }] of read(candles).entries()) {
      if (e === Infinity) {
        seen.unknown++;
        continue;
      }
      seen.decided++;
      const value = values[t];
      if (Number.isNaN(v) ? value === null : typeof value === 'number' && Math.abs(value - v) <= 1e-9 * Math.abs(v) + 2 * e) continue;
      expect(value, `${text} at candle ${t}`).toBe(v);
    }
  }), { numRuns: 500 });
  expect(seen.unknown).toBeLessThan(seen.decided / 4);
});
