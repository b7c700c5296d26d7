import { expect, test } from 'vitest';
import { printRow } from './print.ts';
import { median, percentile, runRow } from './row.ts';

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
  const result = await runRow({ id: 'a.b', what: 'w', unit: 's', must: 2, runs: 2, measure: figures([1, 1]), peers: [{ name: 'p', measure: figures([8, 4]) }] }, () => {});
  expect(result).toMatchObject({ peerValue: 6, ratio: 6 });
});

test('the median of an even count is the mean of the middle two', () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test('a percentile is a value that was measured: the smallest that so many do not exceed', () => {
  expect(percentile([5, 1, 4, 2, 3], 0.99)).toBe(5);
  expect(percentile([5, 1, 4, 2, 3], 0.4)).toBe(2);
  expect(percentile([7], 0)).toBe(7);
});

test('a run may give many samples, and a row falls short by its 99th percentile alone', async () => {
  const result = await runRow({ id: 'a.b', what: 'w', unit: 's', must: 2, p99: 5, runs: 2, measure: async () => [1, 1, 6] }, () => {});
  expect(result).toMatchObject({ value: 1, samples: 6, p99: 6, ok: false });
});

test('a row falls short by a peer that is too near, or by a figure beside it, and says which', async () => {
  const row = { id: 'a.b', what: 'w', unit: 's', must: 2, runs: 1, measure: async () => 1 };
  const near = await runRow({ ...row, peers: [{ name: 'p', ratio: 3, measure: async () => 2 }, { name: 'q', measure: async () => 9 }] }, () => {});
  expect(near).toMatchObject({ ok: false, peer: 'p', ratio: 2, peers: [{ ok: false }, { ok: true, ratio: 9 }] });
  expect(printRow(near)).toMatch(/^ok {4}a\.b.*\nSHORT {3}p .*× 2\.00 +must ≥ 3/);
  const large = await runRow({ ...row, also: async () => [{ name: 'memory', unit: 'MB', value: 7, must: 6 }, { name: 'told', unit: '', value: 1 }] }, () => {});
  expect(large).toMatchObject({ ok: false, also: [{ ok: false, must: 6 }, { ok: true, must: null }] });
});
