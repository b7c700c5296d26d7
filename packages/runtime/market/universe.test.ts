import { beforeEach, expect, test } from 'vitest';
import { TradeMindError, Universe as Rules, type Candle, type Interval, type SymbolInfo } from '@trademind/core';
import type { KlinesOptions } from './binance-rest.ts';
import { Universe } from './universe.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 20_000 * DAY + 7.5 * HOUR;
const rules = (over: Partial<Rules> = {}) => Rules.parse(over);
const pair = (symbol: string, change: Partial<SymbolInfo> = {}): SymbolInfo => ({ symbol, baseAsset: symbol.replace('USDT', ''), quoteAsset: 'USDT', status: 'TRADING', leveraged: false, ...change });
const candle = (openTime: number, quoteVolume: number): Candle => ({ openTime, open: 1, high: 1, low: 1, close: 1, volume: quoteVolume, quoteVolume, trades: 1, takerBuy: 0 });

let now: number;
let symbols: SymbolInfo[];
/** Hourly volume by closed candles, and the rolling figure of the ticker. */
let hourly: Record<string, number>;
let rolling: Record<string, number>;
let listed: Record<string, number>;
let asked: string[];
let fails: boolean;
let stored: Map<string, number>;
let facts: number;
/** Symbols of which the exchange says something that cannot be read. */
let unreadable: Set<string>;
let said: string[];
/** Called with each question for candles. */
let duringAsk: (() => void) | undefined;
beforeEach(() => {
  [now, asked, fails, stored, facts, duringAsk, unreadable, said] = [NOW, [], false, new Map(), 0, undefined, new Set(), []];
  symbols = ['AUSDT', 'BUSDT', 'CUSDT'].map((name) => pair(name));
  hourly = { AUSDT: 10, BUSDT: 20, CUSDT: 30 };
  rolling = { AUSDT: 700, BUSDT: 480, CUSDT: 690 };
  listed = { AUSDT: NOW - 100 * DAY, BUSDT: NOW - 10 * DAY, CUSDT: NOW - 1_000 * DAY };
});
const malformed = () => new TradeMindError({ code: 'exchange_malformed', message: 'Of this symbol alone.' });
const rest = {
  exchangeInfo: () => Promise.resolve(symbols),
  quoteVolumes: () => Promise.resolve(new Map(Object.entries(rolling))),
  klines: (symbol: string, interval: Interval, from: number, { until = 0, limit = 0 }: KlinesOptions = {}): Promise<Candle[]> => {
    asked.push(`${symbol} ${interval} ${(from - NOW) / HOUR}-${(until - NOW) / HOUR}`);
    duringAsk?.();
    if (fails) return Promise.reject(new TradeMindError({ code: 'exchange_unreachable', message: 'away' }));
    if (unreadable.has(symbol)) return Promise.reject(malformed());
    return Promise.resolve(Array.from({ length: limit }, (_, index) => candle(from + index * HOUR, hourly[symbol] ?? 0)));
  },
  firstDay: (symbol: string) => {
    asked.push(`${symbol} first`);
    if (unreadable.has(symbol)) return Promise.reject(malformed());
    return Promise.resolve(listed[symbol]);
  },
};
const open = (over: { rules?: () => Rules[] } = {}) => new Universe({
  rest, clock: { now: () => now }, log: (_level, code, message) => said.push(`${code} ${message}`), signal: new AbortController().signal, onFacts: () => { facts += 1; },
  listings: { listedAt: (symbol) => stored.get(symbol), setListedAt: (symbol, ms) => stored.set(symbol, ms) }, ...over,
});
const nobody = new Set<string>();
const settle = () => new Promise((resolve) => { setImmediate(resolve); });

test('the largest are told by the last 24 closed hourly candles, not by the rolling figure', async () => {
  const universe = open();
  await universe.refresh();
  expect(asked.toSorted()).toEqual(['AUSDT 1h -24.5--1.5', 'BUSDT 1h -24.5--1.5', 'CUSDT 1h -24.5--1.5']);
  expect(universe.select(rules({ largest: 2 }), nobody)).toEqual(['CUSDT', 'BUSDT']);
  expect(universe.why(rules({ largest: 2 }), nobody, 'AUSDT')).toBe('AUSDT is out: number 3 of 3 by 24 h quote volume (240 USDT), the trader takes the largest 2.');
  await settle();
  expect(facts).toBe(0);
});

test('what is read in the same hour is not asked again; with the next hour it is', async () => {
  const universe = open();
  await universe.refresh();
  universe.select(rules(), nobody);
  await universe.refresh();
  expect(asked).toHaveLength(3);
  now += HOUR;
  hourly['AUSDT'] = 99;
  await universe.refresh();
  expect(universe.select(rules({ largest: 1 }), nobody)).toEqual(['AUSDT']);
});

test('a symbol that went quiet and left those asked about is found at once when it surges', async () => {
  symbols = Array.from({ length: 60 }, (_, index) => pair(`C${String(index).padStart(2, '0')}USDT`));
  const trade = (symbol: string, volume: number) => { [hourly[symbol], rolling[symbol]] = [volume / 24, volume]; };
  for (const [index, { symbol }] of symbols.entries()) trade(symbol, 1_000 - index * 10);
  const ten = rules({ largest: 10 });
  const universe = open({ rules: () => [ten] });
  // The last of the twenty that are asked about.
  const surging = 'C19USDT';
  const next = async () => { asked = []; now += HOUR; await universe.refresh(); return asked.some((one) => one.startsWith(surging)); };
  await universe.refresh();
  trade(surging, 5);
  expect([await next(), await next()]).toEqual([false, false]);
  expect(universe.why(ten, nobody, surging)).toContain('number 60 of 60 by 24 h quote volume (5 USDT)');
  trade(surging, 1_000_000);
  expect(await next()).toBe(true);
  expect(universe.select(ten, nobody)[0]).toBe(surging);
  expect(universe.why(ten, nobody, surging)).toBe('C19USDT is in: number 1 of 60 by 24 h quote volume (1000000 USDT).');
});

test('while a refresh is under way, traders choose by the figures of the last one', async () => {
  const universe = open();
  await universe.refresh();
  now += HOUR;
  // By the new rolling figures alone the small one would be chosen for a moment.
  [hourly, rolling] = [{ AUSDT: 10, BUSDT: 20, CUSDT: 40 }, { AUSDT: 900, BUSDT: 480, CUSDT: 690 }];
  const chosen: string[][] = [];
  duringAsk = () => { chosen.push(universe.select(rules({ largest: 1 }), nobody)); };
  await universe.refresh();
  expect(new Set(chosen.flat())).toEqual(new Set(['CUSDT']));
  expect(chosen).toHaveLength(3);
});

test('rules that nobody expected choose by the rolling figure first, and again when the candles are known', async () => {
  symbols.push(pair('XBTC', { quoteAsset: 'BTC' }), pair('YBTC', { quoteAsset: 'BTC' }));
  Object.assign(rolling, { XBTC: 2, YBTC: 1 });
  Object.assign(hourly, { XBTC: 1, YBTC: 2 });
  const universe = open();
  await universe.refresh();
  expect(universe.select(rules({ quote: 'BTC', largest: 1 }), nobody)).toEqual(['XBTC']);
  await settle();
  expect(facts).toBe(1);
  expect(universe.select(rules({ quote: 'BTC', largest: 1 }), nobody)).toEqual(['YBTC']);
  await settle();
  expect(facts).toBe(1);
});

test('ages come from the first daily candle, are asked once for good, and known beforehand for rules that are expected', async () => {
  const old = rules({ minAgeDays: 30 });
  const universe = open({ rules: () => [old] });
  await universe.refresh();
  expect(universe.select(old, nobody)).toEqual(['CUSDT', 'AUSDT']);
  expect(universe.why(old, nobody, 'BUSDT')).toBe('BUSDT is out: it is 10 days old, the trader asks for 30.');
  expect(asked.filter((one) => one.endsWith('first'))).toHaveLength(3);
  const again = open({ rules: () => [old] });
  await again.refresh();
  expect(asked.filter((one) => one.endsWith('first'))).toHaveLength(3);
  expect(again.select(old, nobody)).toEqual(['CUSDT', 'AUSDT']);
});

test('an age that is not known yet keeps a symbol out until it is; one that the exchange does not tell is not asked for for ever', async () => {
  delete listed['CUSDT'];
  const old = rules({ minAgeDays: 30 });
  const universe = open();
  await universe.refresh();
  expect(universe.select(old, nobody)).toEqual([]);
  expect(universe.why(old, nobody, 'AUSDT')).toBe('AUSDT is out: its age is not known yet.');
  await settle();
  expect(facts).toBe(1);
  expect(universe.select(old, nobody)).toEqual(['AUSDT']);
  await settle();
  expect(facts).toBe(1);
});

test('a member that has halted stays; one that never was does not join', async () => {
  const universe = open();
  await universe.refresh();
  symbols = [pair('AUSDT', { status: 'BREAK' }), pair('BUSDT'), pair('CUSDT', { status: 'BREAK' })];
  await universe.refreshSymbols(0);
  expect(universe.select(rules(), new Set(['AUSDT']))).toEqual(['BUSDT', 'AUSDT']);
  expect(universe.why(rules(), new Set(['AUSDT']), 'CUSDT')).toContain('BREAK');
});

test('of a symbol whose answer cannot be read the rolling figure stands in, and its age stays unknown; the others are read, and it is asked again with the next look', async () => {
  unreadable = new Set(['BUSDT']);
  rolling['BUSDT'] = 1_000;
  const [all, old] = [rules(), rules({ minAgeDays: 5 })];
  const universe = open({ rules: () => [all, old] });
  await universe.refresh();
  expect(universe.select(all, nobody)).toEqual(['BUSDT', 'CUSDT', 'AUSDT']);
  expect(universe.select(old, nobody)).toEqual(['CUSDT', 'AUSDT']);
  expect(universe.why(old, nobody, 'BUSDT')).toBe('BUSDT is out: its age is not known yet.');
  expect(said).toEqual([expect.stringContaining('exchange_malformed What the exchange says of BUSDT cannot be read: Of this symbol alone.'), expect.stringContaining('BUSDT')]);
  await settle();
  // Neither choice asks for ever.
  expect([facts, asked.filter((one) => one.startsWith('BUSDT')).length]).toEqual([0, 2]);
  unreadable.clear();
  now += HOUR;
  await universe.refresh();
  expect(universe.select(all, nobody)).toEqual(['CUSDT', 'BUSDT', 'AUSDT']);
  expect(universe.select(old, nobody)).toEqual(['CUSDT', 'BUSDT', 'AUSDT']);
});

test('when the exchange fails, a refresh says so, what was known stays, and a choice asks no further', async () => {
  const universe = open();
  await universe.refresh();
  fails = true;
  now += HOUR;
  universe.select(rules(), nobody);
  await expect(universe.refresh()).rejects.toMatchObject({ code: 'exchange_unreachable' });
  expect(universe.select(rules({ largest: 1 }), nobody)).toEqual(['CUSDT']);
  await settle();
  expect(facts).toBe(0);
});
