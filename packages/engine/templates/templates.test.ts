import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { intervalMs, paramValues, TraderDocument, type Candle } from '@trademind/core';
import { afterAll, describe, expect, test } from 'vitest';
import { alignedMarkets, folded, inOrder } from '../../../tests/support/markets.ts';
import { compileTrader, evaluateExpression, needsOf, Screener, STARTER_TRADERS, TEMPLATE_TRADERS } from '../index.ts';

const { recorded, markets: minutes } = alignedMarkets();
const TEMPLATES = TEMPLATE_TRADERS.map((input) => ({ input, document: TraderDocument.parse(input), name: input.name }));
const WEEK_MS = 7 * 86_400_000;

/** Everything that a template finds in the recordings, on candles of its own interval, all symbols as its universe. */
const found = new Map(TEMPLATES.map(({ name, document }) => {
  const interval = document.interval!;
  const markets = new Map([...minutes].map(([symbol, candles]) => [symbol, folded(candles, interval)]));
  const screener = new Screener({ defaultInterval: interval, capacity: () => 10_080 });
  screener.setTraders([{ id: name, version: 1, document }]);
  screener.setUniverse(name, new Set(markets.keys()));
  // Where a recording has ended the others do not wait for it: market time goes on.
  const matches = inOrder(markets).flatMap(([symbol, candle]) => [...screener.advanceTime(candle.openTime + intervalMs(interval) - 1), ...screener.onCandle(symbol, interval, candle)]);
  return [name, { markets, matches: [...matches, ...screener.advanceTime(Infinity)] }];
}));

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`${report.join('\n')}\n`);
});

test('there are ten, long and short, of different names, and a first start stores three of them', () => {
  expect(new Set(TEMPLATES.map(({ name }) => name)).size).toBe(10);
  expect(new Set(TEMPLATES.map(({ document }) => document.side))).toEqual(new Set(['long', 'short']));
  expect(TEMPLATE_TRADERS.slice(0, 3)).toEqual(STARTER_TRADERS);
});

describe.each(TEMPLATES)('$name', ({ name, input, document }) => {
  const compiled = compileTrader(document, '5m');
  const { candles } = needsOf(compiled);

  test('compiles without a warning, names its interval, and says what it looks for', () => {
    expect(compiled.warnings).toEqual([]);
    expect(input.interval).toBeDefined();
    expect(document.description.length).toBeGreaterThan(40);
  });

  test('settles within a week of candles, and its file says in how many', () => {
    const [own, ...elsewhere] = candles;
    expect(own!.settle * intervalMs(own!.interval)).toBeLessThan(WEEK_MS);
    for (const { interval, settle } of elsewhere) expect(settle * intervalMs(interval)).toBeLessThan(WEEK_MS);
    const file = readFileSync(join(import.meta.dirname, `${name.toLowerCase().replaceAll(' ', '-')}.ts`), 'utf8').replaceAll(/\n \* /g, ' ');
    const figures = /Settles in ([^.]*)\./.exec(file)![1]!.replaceAll(/of 5m/g, '').match(/\d+/g)!.map(Number);
    for (const { settle, interval } of candles) if (interval !== own!.interval || settle === own!.settle) expect(figures).toContain(settle);
  });

  test('compiles with each of its params at either end of its bounds', () => {
    for (const end of ['min', 'max'] as const) {
      const params = Object.fromEntries(Object.entries(document.params).map(([key, param]) => [key, typeof param === 'number' ? param : param[end]!]));
      expect(compileTrader({ ...document, params }, '5m').warnings).toEqual([]);
    }
  });

  test.skipIf(!recorded)('gives signals on the recordings, and not on most candles', () => {
    const { markets, matches } = found.get(name)!;
    const all = [...markets.values()].reduce((sum, { length }) => sum + length, 0);
    const needs = candles.map(({ symbol, interval, settle }) => `${settle} ${interval}${symbol === null ? '' : ` of ${symbol}`}`).join(', ');
    report.push(`${name.padEnd(24)} ${document.side.padEnd(5)} ${document.interval!.padEnd(3)} ${String(matches.length).padStart(4)} signals on ${String(all).padStart(5)} candles (${[...markets.keys()].map((symbol) => matches.filter((match) => match.symbol === symbol).length).join(', ')})  needs ${needs}`);
    expect(matches.length).toBeGreaterThan(0);
    expect(matches.length).toBeLessThan(all / 20);
  });

  test.skipIf(!recorded)('has, at each of its signals, a stop on the losing side and targets on the winning side, none of them far-fetched', () => {
    const { markets, matches } = found.get(name)!;
    const levels = new Map([...markets].map(([symbol, series]) => [symbol, levelsOf(document, series)]));
    const rewards: number[] = [];
    for (const { symbol, openTime, price } of matches) {
      const { stop, targets } = levels.get(symbol)!(openTime, price);
      expect(stop / price).toBeGreaterThan(0.0003);
      expect(stop / price).toBeLessThan(0.08);
      expect([0, ...targets]).toEqual([0, ...targets].sort((a, b) => a - b));
      expect(targets[0]! / price).toBeGreaterThan(0.0003);
      expect(targets.at(-1)! / price).toBeLessThan(0.15);
      rewards.push(targets.at(-1)! / stop);
    }
    const median = rewards.sort((a, b) => a - b)[Math.floor(rewards.length / 2)]!;
    report.push(`${name.padEnd(24)} last target at ${median.toFixed(1)} × the stop's distance (median)`);
    expect(median).toBeGreaterThan(1.2);
  });
});

/** A template's stop and targets as distances from the entry on a candle, positive where they lie on the right side. */
function levelsOf({ side, interval, params, let: lets, execution }: TraderDocument, candles: readonly Candle[]): (openTime: number, price: number) => { stop: number; targets: number[] } {
  const at = new Map(candles.map(({ openTime }, index) => [openTime, index]));
  const series = (amount: string | number): readonly (number | boolean | null)[] =>
    evaluateExpression(String(amount), candles, { interval: interval!, params: paramValues(params), let: lets }).values;
  const values = (level: TraderDocument['execution']['stop']): { price: boolean; of: readonly (number | boolean | null)[] } =>
    (typeof level === 'object' ? { price: true, of: series(level.price) } : { price: false, of: series(level) });
  const stop = values(execution.stop);
  const targets = execution.targets.map((target) => values(target.at));
  const distance = ({ price: isPrice, of }: typeof stop, index: number, price: number, direction: number): number => (isPrice ? ((of[index] as number) - price) * direction : (of[index] as number));
  const up = side === 'long' ? 1 : -1;
  return (openTime, price) => {
    const index = at.get(openTime)!;
    return { stop: distance(stop, index, price, -up), targets: targets.map((target) => distance(target, index, price, up)) };
  };
}
