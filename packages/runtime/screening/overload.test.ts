import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OverloadWatch, toShed } from './overload.ts';

test('three passes in a row that leave no time shed; three with plenty of room restore; one alone does nothing', () => {
  const watch = new OverloadWatch();
  expect([95, 95, 50, 95, 95, 95].map((busy) => watch.pass(busy, 100))).toEqual([undefined, undefined, undefined, undefined, undefined, 'shed']);
  expect([95, 20, 20, 20, 20].map((busy) => watch.pass(busy, 100))).toEqual([undefined, undefined, undefined, 'restore', undefined]);
});

test('shedding half of a load that did not fit never restores it at once: it does not go to and fro', () => {
  fc.assert(fc.property(fc.double({ min: 0.91, max: 1.9, noNaN: true }), (share) => {
    const watch = new OverloadWatch();
    for (let pass = 0; pass < 3; pass++) watch.pass(share * 100, 100);
    const half = share / 2;
    for (let pass = 0; pass < 10; pass++) expect(watch.pass(half * 100, 100)).not.toBe('restore');
  }));
});

test('the least important go first, of equals the latest, and one always stays', () => {
  const traders = [{ id: 'a', priority: 5 }, { id: 'b', priority: 1 }, { id: 'c', priority: 5 }, { id: 'd', priority: 9 }];
  expect(toShed(traders)).toEqual(['b', 'c']);
  expect(toShed(traders.slice(0, 1))).toEqual([]);
  expect(toShed([])).toEqual([]);
});
