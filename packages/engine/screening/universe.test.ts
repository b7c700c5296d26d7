import { Universe, type SymbolInfo } from '@trademind/core';
import { describe, expect, test } from 'vitest';
import { selectUniverse } from './universe.ts';

const pair = (symbol: string, change: Partial<SymbolInfo> = {}): SymbolInfo =>
  ({ symbol, baseAsset: symbol.replace(/USDT$/, ''), quoteAsset: 'USDT', status: 'TRADING', leveraged: false, ...change });
const LISTED = [pair('BTCUSDT'), pair('ETHUSDT'), pair('JUPUSDT'), pair('OLDUSDT', { status: 'BREAK' }), pair('BTCUPUSDT', { leveraged: true }), pair('ETHBTC', { quoteAsset: 'BTC' }), pair('DUSTUSDT')];
const VOLUMES: Record<string, number> = { BTCUSDT: 1e9, ETHUSDT: 5e8, JUPUSDT: 1e6, BTCUPUSDT: 1e7 };
const select = (rules: Partial<Universe> = {}) => selectUniverse(Universe.parse(rules), LISTED, (symbol) => VOLUMES[symbol]);

describe('a universe', () => {
  test('is what the exchange trades in the quote asset, the largest first, without leveraged tokens', () => {
    const { symbols, why } = select();
    expect(symbols).toEqual(['BTCUSDT', 'ETHUSDT', 'JUPUSDT', 'DUSTUSDT']);
    expect(why('JUPUSDT')).toBe('JUPUSDT is in: number 3 of 4 by 24 h quote volume (1000000 USDT).');
    expect(why('DUSTUSDT')).toContain('(unknown)');
    expect(why('OLDUSDT')).toBe('OLDUSDT is out: the exchange says BREAK, not TRADING.');
    expect(why('BTCUPUSDT')).toBe('BTCUPUSDT is out: it is a leveraged token.');
    expect(why('ETHBTC')).toBe('ETHBTC is out: its quote asset is BTC, not USDT.');
    expect(why('NOPE')).toBe('NOPE is out: the exchange does not list it.');
  });

  test('keeps to include, exclude and the largest count, and says which rule put a symbol out', () => {
    expect(select({ include: ['JUPUSDT', 'ETHUSDT', 'NOPE'] }).symbols).toEqual(['ETHUSDT', 'JUPUSDT']);
    expect(select({ include: ['JUPUSDT'] }).why('BTCUSDT')).toBe('BTCUSDT is out: the trader includes other symbols only.');
    expect(select({ exclude: ['BTCUSDT'] }).why('BTCUSDT')).toBe('BTCUSDT is out: the trader excludes it.');
    expect(select({ largest: 2 }).symbols).toEqual(['BTCUSDT', 'ETHUSDT']);
    expect(select({ largest: 2 }).why('JUPUSDT')).toBe('JUPUSDT is out: number 3 of 4 by 24 h quote volume (1000000 USDT), the trader takes the largest 2.');
    expect(select({ quote: 'BTC' }).symbols).toEqual(['ETHBTC']);
  });

  test('asks for a least volume and a least age, and says what a symbol lacks', () => {
    const ages: Record<string, number> = { BTCUSDT: 3_000, ETHUSDT: 10 };
    const choose = (rules: Partial<Universe>) => selectUniverse(Universe.parse(rules), LISTED, { quoteVolume24h: (symbol) => VOLUMES[symbol], ageDays: (symbol) => ages[symbol] });
    const large = choose({ minQuoteVolume: 2e6 });
    expect(large.symbols).toEqual(['BTCUSDT', 'ETHUSDT']);
    expect(large.why('JUPUSDT')).toBe('JUPUSDT is out: its 24 h quote volume (1000000 USDT) is below 2000000 USDT.');
    expect(large.why('DUSTUSDT')).toContain('(unknown) is below');
    const old = choose({ minAgeDays: 30 });
    expect(old.symbols).toEqual(['BTCUSDT']);
    expect(old.ageUnknown).toEqual(['JUPUSDT', 'DUSTUSDT']);
    expect(old.why('ETHUSDT')).toBe('ETHUSDT is out: it is 10 days old, the trader asks for 30.');
    expect(old.why('JUPUSDT')).toBe('JUPUSDT is out: its age is not known yet.');
    expect(old.why('BTCUSDT')).toContain('number 1 of 1');
    expect(choose({ minAgeDays: 30, largest: 1 }).ageUnknown).toEqual(['JUPUSDT']);
  });

  test('leaves out what may not be traded on the spot market, and reads a document from before the newer rules', () => {
    const { minQuoteVolume: _volume, minAgeDays: _age, ...older } = Universe.parse({});
    const { symbols, why } = selectUniverse(older as Universe, [pair('BTCUSDT', { spot: false }), pair('ETHUSDT')], () => 1);
    expect(symbols).toEqual(['ETHUSDT']);
    expect(why('BTCUSDT')).toBe('BTCUSDT is out: the exchange does not allow spot trading of it.');
  });

  test('is the same in whatever order the exchange lists', () => {
    const rules = Universe.parse({ largest: 3 });
    expect(selectUniverse(rules, LISTED.toReversed(), () => undefined).symbols).toEqual(selectUniverse(rules, LISTED, () => undefined).symbols);
  });
});
