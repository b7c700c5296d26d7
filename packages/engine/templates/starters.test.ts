import { intervalClose, TraderDocument, type Candle } from '@trademind/core';
import { afterAll, describe, expect, test } from 'vitest';
import { readRecordedCandles, recordings } from '../../../tests/support/recordings.ts';
import { compileTrader, Screener, signalOf, STARTER_TRADERS, type Match } from '../index.ts';
import { simulateCandles } from '../testing/simulate.ts';

const folder = recordings('klines');
/** The recorded markets, or simulated ones where the recordings are absent. */
const markets: ReadonlyMap<string, readonly Candle[]> = folder === null
  ? new Map(['AUSDT', 'BUSDT', 'CUSDT'].map((symbol, index) => [symbol, simulateCandles(10_080, { seed: index + 1, flatness: index / 10, openTime: 1_613_692_800_000 })]))
  : new Map([...readRecordedCandles(folder)].map(([symbol, rows]) => [symbol, rows.map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 0, takerBuy: 0 }))]));
const first = [...markets][0]!;
const TRADERS = STARTER_TRADERS.map((template, index) => ({ id: `00000000-0000-4000-8000-00000000000${index}`, version: 1, document: TraderDocument.parse(template) }));
const SETTLED = Math.max(...TRADERS.map(({ document }) => compileTrader(document, '5m').settle));

/** Everything the starters find in some candles of one symbol, candle by candle. */
function screen(symbol: string, candles: readonly Candle[], capacity = 1_800): Match[] {
  const screener = new Screener({ defaultInterval: '5m', capacity: () => capacity });
  for (const { id } of TRADERS) screener.setUniverse(id, new Set([symbol]));
  screener.setTraders(TRADERS);
  return candles.flatMap((candle) => screener.onCandle(symbol, '1m', candle));
}
const whole = new Map([...markets].map(([symbol, candles]) => [symbol, screen(symbol, candles)]));
const ids = (matches: readonly Match[]): string[] => matches.map((match) => signalOf(match, 'live').id).sort();

const report: string[] = [];
afterAll(() => {
  process.stdout.write(`${report.join('\n')}\n`);
});

describe('the traders of a first start', () => {
  test('are valid, described, screen one-minute candles, settle within 210 of them, and one of them is short', () => {
    for (const { document } of TRADERS) {
      expect(document.interval).toBe('1m');
      expect(document.description).not.toBe('');
      expect(compileTrader(document, '5m')).toMatchObject({ warnings: [] });
    }
    expect(SETTLED).toBeLessThanOrEqual(210);
    expect(new Set(TRADERS.map(({ document }) => document.side))).toEqual(new Set(['long', 'short']));
  });

  test('give signals on every market, each of them, and not on most candles', () => {
    for (const [symbol, candles] of markets) {
      for (const { id, document } of TRADERS) {
        const count = whole.get(symbol)!.filter(({ traderId }) => traderId === id).length;
        report.push(`${document.name.padEnd(24)} ${symbol.padEnd(9)} ${count} signals on ${candles.length} candles`);
        expect(count).toBeGreaterThan(candles.length / 200);
        expect(count).toBeLessThan(candles.length / 15);
      }
    }
  });

  test('let nobody wait long for the first signal', () => {
    const waits = waitsOverAWeek([...whole.values()].flat().map(({ closeTime }) => closeTime));
    const at = (share: number): number => waits[Math.floor(share * (waits.length - 1))]!;
    report.push(`Wait for the first signal over all markets: median ${at(0.5)} min, 99th percentile ${at(0.99)} min, longest ${at(1)} min`);
    expect(at(0.5)).toBeLessThanOrEqual(5);
    expect(at(0.99)).toBeLessThanOrEqual(20);
  });

  test.skipIf(folder === null)('give exactly what plain loops over the same candles find', () => {
    for (const [symbol, candles] of markets) {
      expect(whole.get(symbol)!.map(({ traderName, openTime }) => `${traderName} ${openTime}`).sort(), symbol).toEqual(plainSignals(candles).sort());
    }
  });
});

describe('a replay', () => {
  const [symbol, candles] = first;

  test('gives the same signals with the same ids wherever it starts, once settled', () => {
    const all = whole.get(symbol)!;
    for (const start of [1, 500, 1_441, 4_000, 9_000]) {
      const settledAt = candles[start + SETTLED]!.openTime;
      const later = screen(symbol, candles.slice(start));
      expect(ids(later.filter(({ openTime }) => openTime >= settledAt)), `from candle ${start}`).toEqual(ids(all.filter(({ openTime }) => openTime >= settledAt)));
    }
  });

  test('gives the same in one batch as candle by candle', () => {
    const screener = new Screener({ defaultInterval: '1m', capacity: () => candles.length });
    for (const candle of candles) screener.onCandle(symbol, '1m', candle);
    for (const { id } of TRADERS) screener.setUniverse(id, new Set([symbol]));
    expect(ids(screener.setTraders(TRADERS).matches)).toEqual(ids(whole.get(symbol)!));
  });

  test('repeats nothing and loses nothing when it stops anywhere and starts again from its last 30 hours', () => {
    const found = new Set<string>();
    let taken = 0;
    for (const stop of [1_900, 2_345, 5_000, 5_001, 9_999, candles.length]) {
      const restarted = screen(symbol, candles.slice(Math.max(0, taken - 1_800), stop));
      // What it finds again in the candles before `taken` are facts that are there already.
      for (const id of ids(restarted)) found.add(id);
      taken = stop;
    }
    expect([...found].sort()).toEqual(ids(whole.get(symbol)!));
  });
});

/** Minutes from each minute of a week to the next signal, sorted; markets recorded in different weeks are laid over each other. */
function waitsOverAWeek(closeTimes: readonly number[]): number[] {
  const week = 7 * 86_400_000;
  const times = closeTimes.map((time) => time % week).sort((a, b) => a - b);
  times.push(times[0]! + week);
  const waits: number[] = [];
  let next = 0;
  for (let now = 0; now < week; now += 60_000) {
    while (times[next]! <= now) next++;
    waits.push((times[next]! - now) / 60_000);
  }
  return waits.sort((a, b) => a - b);
}

/** What the three starters must find, by plain loops that share nothing with the engine. */
function plainSignals(candles: readonly Candle[]): string[] {
  const close = candles.map((candle) => candle.close);
  const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ema = (n: number): number[] => {
    const line: number[] = [];
    for (let t = 0; t < close.length; t++) {
      if (t < n - 1) line.push(Number.NaN);
      else line.push(t === n - 1 ? average(close.slice(0, n)) : (close[t]! * 2) / (n + 1) + line[t - 1]! * (1 - 2 / (n + 1)));
    }
    return line;
  };
  const rsi: number[] = [];
  let [up, down] = [0, 0];
  for (let t = 0; t < close.length; t++) {
    const step = t === 0 ? 0 : close[t]! - close[t - 1]!;
    if (t >= 1 && t <= 7) [up, down] = [up + Math.max(step, 0) / 7, down + Math.max(-step, 0) / 7];
    if (t > 7) [up, down] = [(up * 6 + Math.max(step, 0)) / 7, (down * 6 + Math.max(-step, 0)) / 7];
    rsi.push(t < 7 ? Number.NaN : up + down === 0 ? 50 : (100 * up) / (up + down));
  }
  const [fast, slow] = [ema(5), ema(13)];
  const upper = close.map((_, t) => {
    const window = close.slice(Math.max(0, t - 19), t + 1);
    const mean = average(window);
    return t < 19 ? Number.NaN : mean + 1.9 * Math.sqrt(average(window.map((value) => (value - mean) ** 2)));
  });
  const crosses = (a: (t: number) => number, b: (t: number) => number, t: number): boolean => a(t) > b(t) && a(t - 1) <= b(t - 1);
  const rules: readonly [name: string, settle: number, holds: (t: number) => boolean][] = [
    ['EMA cross with volume', 92, (t) => crosses((k) => fast[k]!, (k) => slow[k]!, t) && candles[t]!.volume > average(candles.slice(t - 19, t + 1).map(({ volume }) => volume))],
    ['RSI oversold turn', 100, (t) => crosses((k) => rsi[k]!, () => 30, t)],
    ['Bollinger rejection', 21, (t) => crosses((k) => upper[k]!, (k) => candles[k]!.high, t)],
  ];
  return rules.flatMap(([name, settle, holds]) =>
    candles.flatMap(({ openTime }, t) => (t >= settle && holds(t) && !holds(t - 1) && intervalClose('1m', openTime) > 0 ? [`${name} ${openTime}`] : [])));
}
