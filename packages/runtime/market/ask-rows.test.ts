import { expect, test } from 'vitest';
import type { Candle } from '@trademind/core';
import { askRows } from './ask-rows.ts';

const MINUTE = 60_000;
const NOW = 10 * MINUTE;
const candle = (minute: number, close = 1.5): Candle => ({ openTime: minute * MINUTE, open: 1, high: 2, low: 1, close, volume: 1, quoteVolume: 1.5, trades: 1, takerBuy: 1 });
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => candle(from + index));

/** Asks for the rows from minute 0 on of an exchange that gives these answers, one after the other. */
async function ask(answers: Candle[][], held: Candle[] = []): Promise<{ rows: Candle[]; times: number }> {
  let times = 0;
  const rows = await askRows({
    rest: { klines: () => Promise.resolve(answers[times++] ?? []) }, clock: { isAhead: (time) => time > NOW }, wall: { after: (_ms, work) => { queueMicrotask(work); return () => undefined; } },
    signal: new AbortController().signal, symbol: 'BTCUSDT', interval: '1m', priority: 'repair', held,
  }, 0);
  return { rows, times };
}

test('an answer that fits is asked for once', async () => {
  expect(await ask([range(0, 10)], range(0, 2))).toEqual({ rows: range(0, 10), times: 1 });
});

test.each([
  ['of the future', range(5, 12)], ['that contradict themselves', range(0, 10).with(4, { ...candle(4), quoteVolume: 99 })], ['that had trades but no volume', range(0, 10).with(4, { ...candle(4), volume: 0, quoteVolume: 0, takerBuy: 0 })],
  ['that say something else of what is held', range(0, 10).with(1, candle(1, 1.25))], ['that leave out what is held', range(1, 10)], ['of which there are none', []],
])('rows %s are asked for once more: the second answer counts if it fits', async (_what, doubtful) => {
  const held = doubtful[0]?.openTime === 5 * MINUTE ? [] : range(0, 2);
  expect(await ask([doubtful, range(0, 10)], held)).toEqual({ rows: range(0, 10), times: 2 });
  // What is said twice alike is the exchange's word.
  expect(await ask([doubtful, doubtful], held)).toEqual({ rows: doubtful, times: 2 });
});

test('what can hardly be and is said in another way each time is no answer', async () => {
  await expect(ask([range(1, 10), range(0, 10).with(1, candle(1, 1.25))], range(0, 2))).rejects.toMatchObject({ code: 'exchange_malformed' });
});

test('the candle under way may say what it likes', async () => {
  expect((await ask([range(0, 10).with(9, { ...candle(9), quoteVolume: 99 })])).times).toBe(1);
});
