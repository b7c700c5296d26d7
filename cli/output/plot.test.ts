import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plot, strip } from './plot.ts';

test('a plot rises with its values, leaves out what is missing, and names the extremes', () => {
  expect(plot([0, 1, null, 3, Infinity, 2], 2, String)).toEqual(['3 ┤   █ ▃', '0 ┤▁▆ █ █']);
  expect(plot([5, 5], 3, String)).toEqual(['5 ┤', '  │▄▄', '5 ┤██']);
  expect(plot([null, null], 3, String)).toEqual([]);
});

test('a plot has as many lines as asked and no column more than values, whatever they are', () => {
  fc.assert(fc.property(fc.array(fc.option(fc.double()), { maxLength: 80 }), fc.integer({ min: 2, max: 12 }), (values, height) => {
    const lines = plot(values, height, () => 'x');
    expect([0, height]).toContain(lines.length);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(3 + values.length);
  }));
});

test('a condition is a strip of what held', () => {
  expect(strip([null, false, true])).toBe(' ·█');
});
