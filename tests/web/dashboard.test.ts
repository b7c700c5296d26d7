import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { judgeHealth, type HealthReport, type Readings, type MarketRow, type TraderStatus } from '@trademind/core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { startTestDashboard, testMachine, type TestDashboard } from '../support/dashboard.ts';
import { testSignal, testStatus } from '../support/feed.ts';
import { WEAK_CONTRASTS } from './contrast.ts';

const SHOTS = process.env['SCREENSHOTS'] ?? mkdtempSync(join(tmpdir(), 'trademind-shots-'));
const NOW = Date.UTC(2026, 9, 10, 12, 35);

let browser: Browser;
let dashboard: TestDashboard;
let context: BrowserContext;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  [browser, dashboard] = await Promise.all([startBrowser(), startTestDashboard()]);
});
afterAll(async () => {
  await browser.close();
  await dashboard.close();
});
afterEach(async () => {
  await context.close();
  dashboard.machine = null;
  dashboard.away = false;
});

async function open(url: string, options: { colorScheme?: 'light' | 'dark'; width?: number; height?: number } = {}): Promise<void> {
  context = await browser.newContext({ viewport: { width: options.width ?? 1440, height: options.height ?? 900 }, colorScheme: options.colorScheme ?? 'dark' });
  page = await context.newPage();
  page.setDefaultTimeout(60_000);
  complaints.length = 0;
  page.on('console', (message) => { if (message.type() === 'error' && !message.text().includes('Failed to load resource')) complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
}

/** Has the page look at the control plane now instead of at its next turn. */
const nudge = () => page.evaluate(() => dispatchEvent(new Event('online')));
const shot = (name: string) => page.screenshot({ path: join(SHOTS, `${name}.png`) });

function trader(over: Partial<TraderStatus> = {}): TraderStatus {
  return {
    id: crypto.randomUUID(), name: 'RSI dip in an uptrend', version: 2, interval: '5m', state: 'running', symbols: 3, ready: 3, matching: 1,
    historyFrom: NOW - 86_400_000, liveFrom: NOW - 600_000, signals: { live: 2, history: 11 }, ...over,
  };
}

function market(symbol: string, price: number, change24h: number | null, matches: string[] = [], halted = false): MarketRow {
  return { symbol, price, change24h, quoteVolume24h: price * 91_234, matches, halted };
}

function rsiSignal(symbol: string, price: number, minutesAgo: number, over: Parameters<typeof testSignal>[0] = {}) {
  const closeTime = NOW - minutesAgo * 60_000;
  return testSignal({
    symbol, price, openTime: closeTime - 300_000, closeTime, traderName: 'RSI dip in an uptrend',
    conditions: [
      { name: 'oversold', expression: 'rsi(14) < 30', holds: true, values: [{ expression: 'rsi(14)', value: 28.4312 }] },
      { name: 'uptrend', expression: 'on("1h", close > ema(50))', holds: true, values: [{ expression: 'on("1h", close)', value: price }, { expression: 'on("1h", ema(50))', value: price * 0.97 }] },
      { name: 'loud', expression: 'volume > 3 * sma(volume, 20)', holds: false, values: [{ expression: 'volume', value: 12.5 }, { expression: 'sma(volume, 20)', value: 9.125 }] },
    ], ...over,
  });
}

const liveHealth = (over: Readings = {}, crashed = false): HealthReport => ({
  ...judgeHealth({}, {
    streamDownMs: 0, candleLagMs: 0, passShare: 0.02, databaseSilenceMs: 900, outboxAgeMs: 1_200, diskUsed: 0.2, memoryUsed: 0.2, cpuUsed: 0.02, loopDelayMs: 2, clockOffsetMs: 3, feedFull: 0.02, errorsPerMinute: 0, ...over,
  }, [], { mono: 0, epoch: Date.now() - 60_000 }).report,
  ...(crashed && { crash: {
    at: new Date(Date.now() - 240_000).toISOString(), kind: 'out-of-memory', code: 'memory_exhausted', message: 'It was last seen with 498 of 512 MB in use.', nextStep: 'Take a machine with more memory.', version: '0.1.0', uptimeS: 9_000,
    memory: { rssMb: 498, limitMb: 512, heapMb: 100, heapLimitMb: 259 }, log: [{ at: Date.now() - 241_000, level: 'info', code: 'x', message: 'Reads history of 400 series.' }],
  } }),
});
const liveStatus = () => testStatus({
  health: liveHealth(),
  detail: 'Screens 3 symbols for 3 traders.', version: '0.1.0',
  market: { time: NOW, rate: 60, connected: true, symbols: 3, backfilled: { done: 6, total: 6 }, lastCloseAt: NOW, candles: 4_312, halted: [] },
  traders: [
    trader(),
    trader({ name: 'MACD turn', matching: 0, signals: { live: 0, history: 7 } }),
    trader({ name: 'Squeeze', state: 'invalid', error: 'squeeze: "bbwidth" is not a known function; did you mean "bollinger.width"?', signals: { live: 0, history: 0 } }),
  ],
  process: { rssMb: 71.2, cpuPercent: 2.1, uptimeS: 4_521 }, outbox: { rows: 3, oldestMs: 1_200 },
});

/** A machine in full swing, through the real feed. */
async function openLive(options: Parameters<typeof open>[1] = {}): Promise<void> {
  const { source } = dashboard.feed;
  dashboard.machine = testMachine({ id: source.machineId, phaseSince: new Date(Date.now() - 721_000).toISOString() });
  source.emit({ type: 'status', data: liveStatus() });
  source.emit({ type: 'metrics', data: { marketTime: NOW, markets: [market('BTCUSDT', 64_250.5, -1.254, ['RSI dip in an uptrend']), market('LTCUSDT', 72.31, 2.4), market('DASHUSDT', 0.0312345, null, [], true)] } });
  for (const [i, symbol] of ['LTCUSDT', 'DASHUSDT', 'BTCUSDT', 'LTCUSDT', 'BTCUSDT'].entries()) {
    source.emit({ type: 'signal', data: rsiSignal(symbol, [72.31, 31.2, 64_250.5][i % 3] ?? 1, 400 - i * 70, { origin: i < 3 ? 'history' : 'live', side: i % 2 === 0 ? 'long' : 'short' }) });
  }
  for (const [i, message] of ['Reads 500 candles of 6 series.', 'History is in after 1.2 s.', 'Three traders are compiled; one is invalid.', 'Screening.'].entries()) {
    source.emit({ type: 'log', data: { at: Date.now() - 60_000 + i * 1_000, level: i === 2 ? 'warn' : 'info', code: 'said', message } });
  }
  await open(await dashboard.link(), options);
  await page.getByText('Screening', { exact: true }).waitFor();
  await page.getByRole('heading', { name: 'Markets' }).waitFor();
}

test('a link signs in, its secret leaves the address, and a new live signal appears and is announced', async () => {
  await openLive();
  expect(page.url()).toBe(`${dashboard.url}/`);
  const signals = page.getByRole('region', { name: 'Signals', exact: true });
  await signals.getByText('2 live, 3 from history').waitFor();
  const fresh = rsiSignal('LTCUSDT', 73.5, 0);
  dashboard.feed.source.emit({ type: 'signal', data: fresh });
  const first = signals.getByRole('listitem').first();
  await first.getByText('73.50').waitFor();
  expect(await first.innerText()).toMatch(/LONG\s+LTCUSDT\s+73\.50\s+RSI dip in an uptrend/i);
  expect(await first.innerText()).toMatch(/rsi\(14\) < 30\s+rsi\(14\)\s+28\.431/);
  await signals.locator('[aria-live=polite]').getByText('Long LTCUSDT at 73.50').waitFor({ state: 'attached' });
  await shot('live-dark');
  expect(complaints).toEqual([]);
});

test('markets, traders and the machine’s measures are what the feed said', async () => {
  await openLive();
  const row = page.getByRole('row', { name: /BTCUSDT/ });
  expect(await row.innerText()).toMatch(/BTCUSDT\s+64,250\.50\s+−1\.25 %.*RSI dip in an uptrend/s);
  expect(await page.getByRole('row').nth(1).innerText()).toContain('BTCUSDT');
  const traders = page.getByRole('region', { name: 'Traders' });
  await traders.getByText('2 of 3 traders running').waitFor();
  await traders.getByText('did you mean "bollinger.width"?').waitFor();
  const machine = page.getByRole('region', { name: 'Machine', exact: true });
  expect(await machine.innerText()).toMatch(/10 Oct 12:35:00\s+UTC, ×60/);
  expect(await machine.innerText()).toMatch(/71 MB/);
  const badge = page.getByRole('banner');
  expect(await badge.innerText()).toMatch(/Screening\s+for 12 min.*Singapore \(sin\).*shared-1x 512 MB.*\$\d+\.\d\d a month/s);
  dashboard.feed.source.emit({ type: 'status', data: { ...liveStatus(), problems: [{ code: 'stream_stale', message: 'No candle has come for 90 s; the stream is being opened anew.' }] } });
  await machine.getByRole('alert').getByText('No candle has come for 90 s').waitFor();
  await machine.getByText('All is well (12 parts).').waitFor();
  dashboard.feed.source.emit({ type: 'status', data: { ...liveStatus(), health: liveHealth({ diskUsed: 0.9, streamDownMs: 61_000 }, true) } });
  await machine.getByText('The volume of the data folder is 90 % full.').waitFor();
  expect(await machine.getByRole('listitem').first().innerText()).toMatch(/Exchange stream failing/);
  await machine.getByText('The machine ran out of memory and started again.').click();
  await machine.getByText('Reads history').waitFor();
  await shot('unwell-dark');
  expect(complaints).toEqual([]);
});

test('the page is fit to be seen in light, on a phone, and nothing is wider than the screen', async () => {
  await openLive({ colorScheme: 'light' });
  await shot('live-light');
  await context.close();
  await openLive({ width: 390, height: 844 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  await page.screenshot({ path: join(SHOTS, 'live-phone.png'), fullPage: true });
  await context.close();
  await openLive({ width: 900, height: 1_000 });
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(900);
  await shot('live-tablet');
});

test('text keeps a contrast of 4.5 on its ground, in dark and in light', async () => {
  for (const colorScheme of ['dark', 'light'] as const) {
    await openLive({ colorScheme });
    const weak = await page.evaluate(WEAK_CONTRASTS);
    expect(weak, colorScheme).toEqual([]);
    await context.close();
  }
});

test('from no machine to screening: every step has its face, and the page goes on by itself', async () => {
  const { source } = dashboard.feed;
  await open(await dashboard.link());
  await page.getByText('npx trademind deploy').waitFor();
  await shot('no-machine');
  dashboard.machine = testMachine({ id: source.machineId, phase: 'creating', detail: 'The volume is being made.' });
  await page.getByText('The volume is being made.').waitFor();
  source.emit({ type: 'status', data: { ...liveStatus(), phase: 'backfilling', detail: 'Reads history.', market: { ...liveStatus().market, backfilled: { done: 2, total: 6 } } } });
  dashboard.machine = testMachine({ id: source.machineId, phase: 'backfilling' });
  await nudge();
  await page.getByText('2 of 6 series are in').waitFor();
  expect(await page.getByRole('progressbar', { name: 'History read' }).getAttribute('value')).toBe('2');
  await shot('backfilling');
  source.emit({ type: 'status', data: liveStatus() });
  await page.getByLabel('Start of the machine').waitFor({ state: 'detached' });
  expect(await page.getByRole('banner').innerText()).toContain('Screening');
});

test('a lost line is told with its time, what was seen stays, and it comes back', async () => {
  await openLive();
  dashboard.line.down = true;
  dashboard.line.cut();
  await page.getByText(/Reconnecting since \d\d:\d\d:\d\d UTC/).waitFor();
  await page.getByText('Your machine goes on without this page').waitFor();
  expect(await page.getByRole('row', { name: /BTCUSDT/ }).count()).toBe(1);
  await shot('reconnecting');
  dashboard.feed.source.emit({ type: 'signal', data: rsiSignal('BTCUSDT', 60_001, -5) });
  dashboard.line.down = false;
  await page.getByText('60,001.00', { exact: true }).waitFor();
  await page.getByText(/Reconnecting since/).waitFor({ state: 'detached' });
});

test('a control plane that is away parts nobody from the machine', async () => {
  await openLive();
  dashboard.away = true;
  await nudge();
  await page.getByText('The database does not answer.').waitFor();
  dashboard.feed.source.emit({ type: 'signal', data: rsiSignal('BTCUSDT', 60_002, -6) });
  await page.getByText('60,002.00', { exact: true }).waitFor();
  dashboard.away = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('The database does not answer.').waitFor({ state: 'detached' });
});

test('a machine that failed says why; one that was stopped can be started', async () => {
  dashboard.machine = testMachine({ phase: 'failed', lastError: { code: 'image_missing', message: 'The image is not in the registry.', nextStep: 'Ask your operator to publish it.', at: new Date().toISOString() } });
  await open(await dashboard.link());
  await page.getByRole('alert').getByText('Ask your operator to publish it.').waitFor();
  dashboard.machine = testMachine({ phase: 'stopped', desired: { ...testMachine().desired, state: 'stopped' } });
  await nudge();
  await page.getByRole('button', { name: 'Start it' }).click();
  await page.getByText('It is starting up.').waitFor();
  expect(dashboard.patches).toEqual([{ desired: 'started' }]);
});

test('a used link is refused in words; the password signs in, a reload keeps the session, signing out ends it', async () => {
  const link = await dashboard.link();
  await open(link);
  await page.getByText('You have no machine yet').waitFor();
  await context.close();
  await open(link);
  await page.getByText('This link was used before or is too old.').waitFor();
  expect(page.url()).toBe(`${dashboard.url}/`);
  await page.getByText('npx trademind open').waitFor();
  await page.getByLabel('E-mail').fill(dashboard.user.email);
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('do not belong together').waitFor();
  await shot('sign-in');
  await page.getByLabel('Password').fill(dashboard.user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('You have no machine yet').waitFor();
  await page.reload();
  await page.getByText('You have no machine yet').waitFor();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Password').waitFor();
  await page.reload();
  await page.getByLabel('Password').waitFor();
});
