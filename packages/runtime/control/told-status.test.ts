import { MachineStatus, type TraderStatus } from '@trademind/core';
import { expect, test } from 'vitest';
import { leastStatus, toldStatus } from './told-status.ts';

const trader = (index: number, over: Partial<TraderStatus> = {}): TraderStatus => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, name: `Trader ${index}`, version: 1, interval: '5m', state: 'running', symbols: 1, ready: 1, matching: 0, historyFrom: 0, liveFrom: 0, signals: { live: 0, history: 0 }, ...over,
});
const status = (over: Partial<MachineStatus> = {}): MachineStatus => ({
  phase: 'screening', detail: 'Screening.', bootId: 'b', version: '1', startedAt: 0, market: { time: 1, rate: 1, connected: true, symbols: 1, backfilled: { done: 1, total: 1 }, lastCloseAt: null, candles: 1, halted: [] },
  traders: [], outbox: { rows: 0, oldestMs: 0 }, process: { rssMb: 1, cpuPercent: 1, uptimeS: 1 }, problems: [], ...over,
});
const log = Array.from({ length: 15 }, (_, at) => ({ at, level: 'error' as const, code: 'x', message: '\u{1f642}'.repeat(4_000) }));
const crash = { at: '2026-01-01T00:00:00Z', kind: 'crashed' as const, code: 'x', message: 'm', version: '1', uptimeS: 1, memory: { rssMb: 1, limitMb: 1, heapMb: 1, heapLimitMb: 1 }, log };
/** As PostgreSQL writes it: a blank behind each comma and colon outside of texts. */
const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value, null, 1).replaceAll(/\n */g, ' '));

test('a status of any content is told in fewer than 64 kB: a hundred unreadable traders, long names, a crash', () => {
  const traders = Array.from({ length: 100 }, (_, index) => trader(index, { state: 'invalid', name: '\u{1f642}'.repeat(50), error: '\u{1f642}'.repeat(20_000) }));
  const problems = Array.from({ length: 20 }, () => ({ code: 'x', message: 'y'.repeat(50_000) }));
  const told = toldStatus(status({ traders, problems, health: { state: 'failing', at: 1, components: [], crash } }));
  expect(bytes(told)).toBeLessThan(65_536);
  expect(told.traders.length).toBeGreaterThan(10);
  expect(MachineStatus.parse(told)).toEqual(told);
  for (const { error } of told.traders) expect([error!.length <= 300, error!.isWellFormed()]).toEqual([true, true]);
});

test('traders that run are told before those that cannot, and a usual status is told whole', () => {
  const usual = status({ traders: [trader(1), trader(2, { state: 'paused', error: 'Too many signals.' })], health: { state: 'healthy', at: 1, components: [] } });
  expect(toldStatus(usual)).toEqual(usual);
  const mixed = toldStatus(status({ traders: [...Array.from({ length: 20 }, (_, index) => trader(index)), ...Array.from({ length: 80 }, (_, index) => trader(100 + index, { state: 'invalid', error: '\u{1f642}'.repeat(150) }))] }));
  expect(mixed.traders.filter(({ state }) => state === 'running')).toHaveLength(20);
});

test('what is left out first: traders, then the log of a crash, then the crash, and at last all but that it lives', () => {
  const full = (problems: number) => toldStatus(status({ traders: [trader(1)], problems: Array.from({ length: problems }, () => ({ code: 'x', message: 'y'.repeat(500) })), health: { state: 'healthy', at: 1, components: [], crash } }));
  const says = ({ traders, problems, health }: MachineStatus) => [traders.length, health?.crash?.log.length, health?.crash?.code, health?.state, problems.length];
  expect(says(full(10))).toEqual([1, 15, 'x', 'healthy', 10]);
  expect(says(full(100))).toEqual([0, 0, 'x', 'healthy', 100]);
  expect(says(full(200))).toEqual([0, undefined, undefined, undefined, 0]);
});

test('what a JSON column cannot hold is not told, and the least status is small whatever happens', () => {
  expect(toldStatus(status({ detail: 'a\0b\ud83d' })).detail).toBe('ab\ufffd');
  const least = leastStatus(status({ detail: 'x'.repeat(99_999), problems: [{ code: 'x', message: 'y'.repeat(99_999) }], traders: [trader(1)] }));
  expect(bytes(least)).toBeLessThan(2_000);
  expect(MachineStatus.parse(least)).toEqual(least);
});
