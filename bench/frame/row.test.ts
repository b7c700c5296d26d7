import { expect, test } from 'vitest';
import { median, runRow } from './row.ts';

const figures = (values: number[]) => async () => values.shift()!;

test('a row is judged by the median of its runs', async () => {
  const result = await runRow({ id: 'a.b', what: 'w', unit: 's', must: 2, runs: 3, measure: figures([1, 9, 2]) }, () => {});
  expect(result).toMatchObject({ value: 2, min: 1, max: 9, ok: true, peer: null, ratio: null });
});

test('a bound from below fails a smaller figure', async () => {
  const result = await runRow({ id: 'a.b', what: 'w', unit: '/s', must: 2, atLeast: true, runs: 1, measure: figures([1]) }, () => {});
  expect(result.ok).toBe(false);
});

test('the ratio is the peer divided by ours, and the peer runs as often', async () => {
  const result = await runRow({ id: 'a.b', what: 'w', unit: 's', must: 2, runs: 2, measure: figures([1, 1]), peer: { name: 'p', measure: figures([8, 4]) } }, () => {});
  expect(result).toMatchObject({ peerValue: 6, ratio: 6 });
});

test('the median of an even count is the mean of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});
