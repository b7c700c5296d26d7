import { HEALTH_MEASURES, judgeHealth, type HealthReport, type Readings, type TraderStatus } from '@trademind/core';
import { emptyView, type FeedView } from '@trademind/feed-client';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testMachine } from '../../../tests/support/dashboard.ts';
import { testSignal, testStatus } from '../../../tests/support/feed.ts';
import { cloudStatus } from './cloud-status.ts';
import { dayTime, duration, percent, price, reading } from './format.ts';
import { crashView, healthOf, healthRows, healthSummary } from './health.ts';
import { lineNotice } from './line.ts';
import { marketViews } from './markets.ts';
import { startProgress } from './progress.ts';
import { announcement, signalView } from './signals.ts';
import { traderView } from './traders.ts';

const NOW = Date.UTC(2026, 9, 10, 12, 35, 20);
const live = (over: Parameters<typeof testStatus>[0] = {}): FeedView => ({ ...emptyView(), state: { phase: 'live', since: NOW }, status: testStatus(over) });

describe('numbers and times', () => {
  test('a price keeps the digits that matter and never shows an exponent', () => {
    expect([64_250.5, 72.31, 1.23456789, 0.0312345, 0.00001234, 0].map(price)).toEqual(['64,250.50', '72.31', '1.23457', '0.0312345', '0.00001234', '0.00']);
    fc.assert(fc.property(fc.double({ min: 1e-7, max: 1e7, noNaN: true }), (value) => {
      const text = price(value);
      expect(text).toMatch(/^[\d,]+\.\d{2,}$/);
      expect(Math.abs(Number(text.replaceAll(',', '')) - value) / value).toBeLessThan(0.006);
    }));
  });
  test('a change has its sign, a reading five digits, an absent one says so', () => {
    expect([1.254, -1.254, 0].map(percent)).toEqual(['+1.25 %', '−1.25 %', '0.00 %']);
    expect([28.4312345, 64_250.5, -0.000123456, 0, null].map(reading)).toEqual(['28.431', '64,250.5', '-0.00012346', '0', 'not ready']);
  });
  test('times are in UTC, durations in two units at most', () => {
    expect([dayTime(NOW), dayTime(NOW, true)]).toEqual(['10 Oct 12:35', '10 Oct 12:35:20']);
    expect([-5, 8_900, 180_000, 7_500_000, 7_200_000, 356_400_000, 172_800_000].map(duration)).toEqual(['0 s', '8 s', '3 min', '2 h 5 min', '2 h', '4 d 3 h', '2 d']);
  });
});

describe('the badge', () => {
  test('the machine’s own word comes before the control plane’s while its feed is live', () => {
    const machine = testMachine({ phase: 'backfilling', phaseSince: new Date(NOW).toISOString() });
    expect(cloudStatus(machine, live({ phase: 'screening' }))).toMatchObject({ label: 'Screening', tone: 'good', since: null });
    expect(cloudStatus(machine, live({ phase: 'draining' }))).toMatchObject({ label: 'Finishing its work', tone: 'warn' });
    expect(cloudStatus(machine, emptyView())).toMatchObject({ label: 'Reading history', tone: 'busy', since: NOW });
  });
  test('a lost line does not make a machine look down', () => {
    const lost: FeedView = { ...live(), state: { phase: 'reconnecting', since: NOW, attempt: 3, reason: 'silence' } };
    expect(cloudStatus(testMachine(), lost)).toMatchObject({ label: 'Screening', tone: 'good' });
  });
  test('it names the place, the size and the price, and leaves out an unknown price', () => {
    expect(cloudStatus(testMachine(), emptyView()).facts.map(({ name }) => name)).toEqual(['Region', 'Size', 'Price']);
    expect(cloudStatus(testMachine({ region: null, desired: { ...testMachine().desired, region: 'xyz' }, monthlyPriceUsd: null }), emptyView()).facts).toEqual([
      { name: 'Region', value: 'xyz' }, { name: 'Size', value: 'shared-1x 512 MB' },
    ]);
  });
});

describe('the start', () => {
  test('each phase is a step; history is counted by the machine itself, or by its last beat', () => {
    const market = { ...testStatus().market, backfilled: { done: 2, total: 6 } };
    expect(startProgress(testMachine({ phase: 'creating' }), emptyView())?.steps.map(({ state }) => state)).toEqual(['done', 'now', 'next', 'next', 'next']);
    expect(startProgress(testMachine({ phase: 'backfilling', status: testStatus({ market }) }), emptyView())).toMatchObject({ history: { done: 2, total: 6 } });
    expect(startProgress(testMachine({ phase: 'starting' }), live({ phase: 'backfilling', market }))?.sentence).toContain('2 of 6 series are in');
    expect(startProgress(testMachine({ phase: 'starting' }), live({ phase: 'booting', detail: 'Waits for the exchange.' }))?.sentence).toBe('Waits for the exchange.');
  });
  test('a machine that screens, rests or failed is not starting', () => {
    for (const phase of ['screening', 'stopped', 'failed', 'destroying'] as const) expect(startProgress(testMachine({ phase }), emptyView())).toBeNull();
    expect(startProgress(testMachine({ phase: 'backfilling' }), live({ phase: 'screening' }))).toBeNull();
  });
});

describe('the line', () => {
  test('nothing is said while it is live; a loss names its time, the reason and that the machine goes on', () => {
    expect(lineNotice({ phase: 'live', since: NOW }, NOW)).toBeNull();
    expect(lineNotice({ phase: 'idle' }, NOW)).toBeNull();
    expect(lineNotice({ phase: 'reconnecting', since: NOW - 8_000, attempt: 2, reason: 'restart' }, NOW)).toMatchObject({
      title: 'Reconnecting since 12:35:12 UTC (8 s)', canRetry: true, sentence: expect.stringMatching(/^The machine restarts\. Your machine goes on/) as string,
    });
  });
  test('waiting, connecting and an end each have their words', () => {
    expect(lineNotice({ phase: 'waiting-for-machine', since: NOW, attempt: 0, reason: null }, NOW)?.sentence).toBe('Asking whether it answers.');
    expect(lineNotice({ phase: 'waiting-for-machine', since: NOW, attempt: 4, reason: 'The machine does not answer yet.' }, NOW)?.sentence).toContain('keeps asking');
    expect(lineNotice({ phase: 'connecting', since: NOW, missing: [] }, NOW)?.title).toBe('Connecting');
    expect(lineNotice({ phase: 'closed', reason: 'superseded' }, NOW)?.title).toBe('Opened elsewhere');
    expect(lineNotice({ phase: 'closed', reason: 'scope_missing' }, NOW)?.tone).toBe('bad');
  });
});

test('a signal shows side, price, candle close and every condition with its values; a screen reader hears one sentence', () => {
  const signal = testSignal({
    side: 'short', origin: 'history', closeTime: NOW, price: 72.31,
    conditions: [
      { name: 'over_bought', expression: 'rsi(14) > 70', holds: true, values: [{ expression: 'rsi(14)', value: 71.23456 }] },
      { name: 'late', expression: 'adx(14) < 20', holds: false, values: [] },
      { name: 'new', expression: 'sma(200) > 1', holds: null, values: [{ expression: 'sma(200)', value: null }] },
    ],
  });
  expect(signalView(signal)).toMatchObject({
    side: 'Short', price: '72.31', closed: '5m candle closed 10 Oct 12:35 UTC', history: true, forming: false,
    conditions: [{ name: 'over bought', holds: 'holds', values: [{ value: '71.235' }] }, { holds: 'fails' }, { holds: 'not ready', values: [{ value: 'not ready' }] }],
  });
  expect(announcement(signal)).toBe('Short BTCUSDT at 72.31, by RSI dip, candle of 12:35.');
});

test('markets that match come first, then the most traded, halted ones last', () => {
  const row = (symbol: string, quoteVolume24h: number | null, matches: string[] = [], halted = false) => ({ symbol, price: 1, change24h: null, quoteVolume24h, matches, halted });
  const rows = [row('A', 5), row('B', 9), row('C', 1, ['x']), row('D', 99, [], true), row('E', null), row('F', 5)];
  expect(marketViews(new Map(rows.map((value) => [value.symbol, value]))).map(({ symbol }) => symbol)).toEqual(['C', 'B', 'A', 'F', 'E', 'D']);
});

test('a trader without signals says why', () => {
  const trader: TraderStatus = {
    id: crypto.randomUUID(), name: 'n', version: 1, interval: '5m', state: 'running', symbols: 3, ready: 3, matching: 0, historyFrom: 0, liveFrom: 0, signals: { live: 0, history: 4 },
  };
  expect(traderView(trader)).toMatchObject({ state: 'running', sentence: 'Nothing has matched since it went live.' });
  expect(traderView({ ...trader, matching: 1 }).sentence).toContain('begins to hold anew');
  expect(traderView({ ...trader, ready: 1 })).toMatchObject({ state: 'settling', sentence: 'Its indicators have settled on 1 of 3 symbols.' });
  expect(traderView({ ...trader, symbols: 0, ready: 0 }).sentence).toBe('Its rules leave no symbol to screen.');
  expect(traderView({ ...trader, state: 'shed', ready: 0, error: 'It waits.' })).toMatchObject({ state: 'shed', sentence: 'It waits.' });
  expect(traderView({ ...trader, state: 'invalid', error: 'No such function.' })).toMatchObject({ state: 'invalid', sentence: 'No such function.' });
  expect(traderView({ ...trader, signals: { live: 1, history: 0 } }).sentence).toBe('1 signal since it went live.');
});

test('health shows facts as the machine measured them, and marks a lost stream and halted symbols', () => {
  const rows = healthRows(testStatus({ market: { ...testStatus().market, connected: false, rate: 1, lastCloseAt: null, halted: ['A', 'B', 'C', 'D', 'E', 'F'] }, outbox: { rows: 1, oldestMs: 65_000 } }), NOW, testMachine().desired.size);
  const row = (name: string) => rows.find((candidate) => candidate.name === name);
  expect(row('Market time')).toMatchObject({ value: '10 Oct 12:35:20', note: 'UTC' });
  expect(row('Stream')).toMatchObject({ value: 'not connected', bad: true });
  expect(row('Memory')).toMatchObject({ value: '71 MB', meter: { value: 71.2, max: 512, low: 512 * HEALTH_MEASURES.memoryUsed.degraded!, high: 512 * HEALTH_MEASURES.memoryUsed.failing! } });
  expect(row('Outbox')).toMatchObject({ value: '1 row', note: 'oldest 1 min' });
  expect(row('Halted')).toMatchObject({ note: 'and 1 more', bad: true });
  expect(row('Size')).toBeUndefined();
  const scaling = { state: 'capped', sentence: 'The load wants more.', at: NOW } as const;
  expect(healthRows(testStatus({ scaling }), null, testMachine().desired.size).find(({ name }) => name === 'Size')).toMatchObject({ value: 'more is wanted', note: 'The load wants more.' });
  expect(healthRows(testStatus(), null, testMachine().desired.size).find(({ name }) => name === 'Market time')?.note).toBe('UTC, ×60');
});

describe('health', () => {
  const judged = (readings: Readings): HealthReport => judgeHealth({}, readings, [], { mono: 0, epoch: NOW }).report;
  test('what is not well comes first, the worst of all at the top; what is well is named in one line', () => {
    const report = judged({ diskUsed: 0.9, streamDownMs: 61_000, clockOffsetMs: 1 });
    expect(healthSummary(report)).toMatchObject({ state: 'failing', sentence: '2 of 3 parts are not well.', unwell: [{ component: 'exchange', state: 'failing' }, { component: 'disk', state: 'degraded' }], well: [{ title: 'Clock' }] });
    expect(healthSummary(judged({ diskUsed: 0.1 }))).toMatchObject({ sentence: 'All is well (1 part).', unwell: [] });
  });
  test('the page shows what the machine judged while it hears it; else the last report, and that the machine is silent', () => {
    const health = judged({ databaseSilenceMs: 60_000 });
    const machine = testMachine({ status: testStatus({ health }), beatAt: new Date(NOW - 300_000).toISOString() });
    expect(healthOf(machine, live({ health }), NOW)).toBe(health);
    const lost: FeedView = { ...live({ health }), state: { phase: 'reconnecting', since: NOW, attempt: 1, reason: 'silence' } };
    expect(healthOf(machine, lost, NOW)?.components.map(({ component, state }) => [component, state])).toEqual([['machine', 'failing'], ['database', 'degraded']]);
    expect(healthOf(testMachine({ beatAt: null }), emptyView(), NOW)).toBeUndefined();
  });
  test('a crash is told with its time, its reason and the last lines of the log', () => {
    const view = crashView({ at: new Date(NOW - 180_000).toISOString(), kind: 'killed', code: 'x', message: 'The machine was ended from outside, without warning, and started again. It was last seen with 100 of 256 MB in use.', version: '1', uptimeS: 7_200, memory: { rssMb: 1, limitMb: 1, heapMb: 1, heapLimitMb: 1 }, log: [{ at: NOW, level: 'warn', code: 'c', message: 'm' }] }, NOW);
    expect(view).toEqual({ title: 'The machine was ended from outside, without warning, and started again.', when: '3 min ago, after 2 h', sentence: 'It was last seen with 100 of 256 MB in use.', log: ['10 Oct 12:35:20 warn  m'] });
  });
});
