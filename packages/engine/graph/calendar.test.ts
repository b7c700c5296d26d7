import fc from 'fast-check';
import { expect, test } from 'vitest';
import { evaluateExpression } from '../language/evaluate.ts';
import { candleAt } from '../testing/simulate.ts';

const of = (name: string, ...instants: number[]) => evaluateExpression(name, instants.map((ms) => candleAt(ms, 1))).values;

test('hour, minute and day of the week are those of the open time in UTC, as Date tells them', () => {
  const instant = fc.date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true });
  fc.assert(fc.property(instant, (date) => {
    expect([...of('hour', date.getTime()), ...of('minute', date.getTime()), ...of('dayOfWeek', date.getTime())]).toEqual([date.getUTCHours(), date.getUTCMinutes(), date.getUTCDay()]);
  }));
});

test('Sunday is 0 and Saturday 6, and they look back like any series', () => {
  const days = Array.from({ length: 8 }, (_, day) => Date.UTC(2026, 10, 22 + day));
  expect(of('dayOfWeek', ...days)).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
  expect(of('dayOfWeek[1]', ...days)).toEqual([null, 0, 1, 2, 3, 4, 5, 6]);
  expect(of('hour >= 13 && hour < 20 && dayOfWeek != 0', Date.UTC(2026, 10, 23, 13), Date.UTC(2026, 10, 22, 13), Date.UTC(2026, 10, 23, 20))).toEqual([true, false, false]);
});
