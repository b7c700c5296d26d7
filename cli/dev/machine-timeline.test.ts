import type { FeedFrame, MachineEvent } from '@trademind/core';
import { describe, expect, test } from 'vitest';
import { testSignal, testStatus } from '../../tests/support/feed.ts';
import { beginTimeline, onEvent, onFrame, onLost, onSettled, type Telling, type Timeline } from './machine-timeline.ts';
import { conditionText, historyBlock, signalBlock, signalLine, whereToLook } from './story-text.ts';
import { createColors } from 'picocolors';

const frame = (type: FeedFrame['type'], data: unknown) => ({ v: 1, epoch: 'e', seq: 1, type, data }) as FeedFrame;
const event = (kind: string, data: Record<string, unknown> = {}): MachineEvent => ({ id: 1, machineId: '00000000-0000-4000-8000-000000000001', at: '2026-11-22T00:00:00Z', kind, message: `It is ${kind}.`, data, generation: 1 });
const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const backfilling = (done: number) => testStatus({ phase: 'backfilling', market: { ...testStatus().market, backfilled: { done, total: 3 } } });
const screening = testStatus({ phase: 'screening', market: { ...testStatus().market, backfilled: { done: 3, total: 3 } } });

/** All that is told of these inputs, in order. */
function tell(timeline: Timeline, ...inputs: ((timeline: Timeline) => [Timeline, Telling[]])[]): { timeline: Timeline; types: string[] } {
  const types: string[] = [];
  for (const input of inputs) {
    const [next, tellings] = input(timeline);
    timeline = next;
    types.push(...tellings.map(({ type }) => type).filter((type) => type !== 'status'));
  }
  return { timeline, types };
}
const seen = (one: FeedFrame) => (timeline: Timeline) => onFrame(timeline, one);
const heard = (one: MachineEvent) => (timeline: Timeline) => onEvent(timeline, one);

describe('the story of a machine', () => {
  test('is told in order, each step once: phases, created, backfill, screening, history, first signal', () => {
    const live = testSignal({ id: uuid(2), origin: 'live' });
    const { types } = tell(beginTimeline(),
      heard(event('phase', { to: 'creating' })), heard(event('phase', { to: 'creating' })), heard(event('machine.created')), heard(event('phase', { to: 'starting' })),
      seen(frame('status', backfilling(1))), seen(frame('status', backfilling(1))), seen(frame('signal', testSignal({ id: uuid(1), origin: 'history' }))),
      seen(frame('status', screening)), seen(frame('signal', live)), seen(frame('signal', live)), onSettled);
    expect(types).toEqual(['phase', 'created', 'phase', 'backfill', 'backfill', 'screening', 'history', 'signal']);
  });

  test('repeats no signal that was known before this run', () => {
    expect(tell(beginTimeline([uuid(9)]), seen(frame('status', screening)), seen(frame('signal', testSignal({ id: uuid(9), origin: 'live' })))).types).not.toContain('signal');
  });

  test('says that it screens again after another boot, without telling history twice', () => {
    const first = tell(beginTimeline(), seen(frame('status', screening)), onSettled);
    const [again, tellings] = onFrame(onLost(first.timeline), frame('status', { ...screening, bootId: 'another boot' }));
    expect(tellings.find(({ type }) => type === 'screening')).toMatchObject({ again: true });
    expect(onSettled(again)[1]).toEqual([]);
  });

  test('tells a halt once, and whether any symbol is left', () => {
    const halted = testStatus({ phase: 'screening', market: { ...screening.market, symbols: 2, halted: ['LTCUSDT'] } });
    const first = onFrame(beginTimeline(), frame('status', halted));
    expect(first[1].find(({ type }) => type === 'halted')).toMatchObject({ symbols: ['LTCUSDT'], all: false });
    expect(onFrame(first[0], frame('status', halted))[1].some(({ type }) => type === 'halted')).toBe(false);
  });
});

describe('what is written of it', () => {
  const c = createColors(false);
  const signal = testSignal({
    traderName: 'Dip', symbol: 'BTCUSDT', side: 'long', price: 55_990.53, closeTime: Date.UTC(2026, 10, 16, 6, 4), traderVersion: 2, interval: '1m',
    conditions: [{ name: 'low', expression: 'rsi(14) < 30', holds: true, values: [{ expression: 'rsi(14)', value: 28.41 }] }],
  });

  test('names trader, symbol, side, price, close time and each condition with its numbers', () => {
    const text = signalBlock(c, signal).join('\n');
    for (const part of ['Dip', 'BTCUSDT', 'long', '55,990.53', '2026-11-16 06:04:00 UTC', '✔ low: rsi(14) < 30', 'rsi(14) = 28.41']) expect(text).toContain(part);
    expect(signalLine(c, signal)).toContain('2026-11-16 06:04 UTC');
  });

  test('a condition that is not ready is neither held nor failed', () => {
    expect(conditionText(c, { name: 'x', expression: 'y', holds: null, values: [{ expression: 'y', value: null }] })).toBe('· x: y   y = not ready');
  });

  test('history is counted per trader, and only the newest are shown', () => {
    const found = [1, 2, 3, 4, 5].map((n) => testSignal({ id: uuid(n), closeTime: n * 60_000 }));
    const block = historyBlock(c, found, [{ name: 'Dip', signals: { history: 5 } }]);
    expect(block[0]).toContain('5 matches');
    expect(block).toHaveLength(6);
    expect(historyBlock(c, [], [{ name: 'Dip', signals: { history: 5 } }]).join('\n')).toContain('all found before');
  });

  test('the commands to try carry the data folder that was named', () => {
    expect(whereToLook(c, { page: 'http://p', docs: 'http://d', dataOption: ' --data x' }).join('\n')).toContain('npx trademind monitor --data x');
  });
});
