import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseWith } from './parse.ts';
import { TraderDocument } from './trader.ts';
import { Interval, INTERVALS, intervalClose, intervalMs, intervalOpen } from './market.ts';

const instant = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });

test('every instant lies in exactly one candle of each interval', () => {
  fc.assert(fc.property(instant, fc.constantFrom(...INTERVALS), (ms, interval) => {
    const open = intervalOpen(interval, ms);
    const close = intervalClose(interval, open);
    expect(open).toBeLessThanOrEqual(ms);
    expect(ms).toBeLessThan(close);
    expect(intervalOpen(interval, open)).toBe(open);
    expect(intervalOpen(interval, close)).toBe(close);
  }));
});

test.each([
  ['1w', '2026-11-22T23:59:59.999Z', '2026-11-16T00:00:00.000Z'],
  ['1w', '2026-11-23T00:00:00.000Z', '2026-11-23T00:00:00.000Z'],
  ['1M', '2024-02-29T12:00:00.000Z', '2024-02-01T00:00:00.000Z'],
  ['1d', '2026-12-31T23:59:00.000Z', '2026-12-31T00:00:00.000Z'],
  ['4h', '2026-11-22T07:59:00.000Z', '2026-11-22T04:00:00.000Z'],
] as const)('a %s candle at %s opens at %s', (interval, at, open) => {
  expect(new Date(intervalOpen(interval, Date.parse(at))).toISOString()).toBe(open);
});

test('February 2024 closes on the first of March', () => {
  expect(intervalClose('1M', Date.UTC(2024, 1, 1))).toBe(Date.UTC(2024, 2, 1));
});

test('fixed intervals are as long as their name says', () => {
  expect(intervalMs('5m')).toBe(300_000);
  expect(intervalMs('1w')).toBe(7 * 86_400_000);
});

test('3d is refused with what to use instead, like anything that is no interval', () => {
  expect(() => parseWith(Interval, '3d', 'bad', 'interval')).toThrow('Use 1d or 1w');
  expect(() => parseWith(Interval, '7m', 'bad', 'interval')).toThrow('"1m"');
  expect(() => parseWith(TraderDocument, { name: 't', side: 'long', interval: '3d', where: { a: 'close > 1' } }, 'bad', 'trader')).toThrow('Use 1d or 1w');
});
