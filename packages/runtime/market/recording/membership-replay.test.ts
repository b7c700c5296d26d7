// A replay ranks whom the session ranked: the universe as it was at each close, without who was missing then.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { intervalOpen, type Signal, type TraderInput } from '@trademind/core';
import { Screener, signalOf, type Membership } from '@trademind/engine';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startLocal } from '../../compose.ts';
import { StateStore, type StoredTrader } from '../../state/state-store.ts';
import { HandExchange } from '../testing/hand-exchange.ts';
import { countRecording } from './count-recording.ts';
import { openReplay } from './replay.ts';

const MINUTE = 60_000;
/** Market time runs so fast. */
const RATE = 10;
const START = Date.UTC(2026, 1, 27, 10, 50, 30);
const SYMBOLS = ['ABCUSDT', 'BCDUSDT', 'CDEUSDT', 'DEFUSDT', 'BTCUSDT'];
const universe = { quote: 'USDT', largest: 3, exclude: ['BTCUSDT'] };
const TRADERS: readonly TraderInput[] = [
  { name: 'Strongest', side: 'long', interval: '1m', universe, repeat: 'every-candle', limits: { perHour: 1_000, perDay: 10_000 }, where: { top: 'rank(roc(close, 3)) == 1' } },
  { name: 'With Bitcoin', side: 'long', interval: '1m', universe, limits: { perHour: 1_000, perDay: 10_000 }, where: { up: 'of("BTCUSDT", close > open)', high: 'percentile(volume) > 50' } },
  { name: 'Alone', side: 'long', interval: '1m', universe, limits: { perHour: 1_000, perDay: 10_000 }, where: { up: 'close > open' } },
];

let folder: string;
let exchange: HandExchange;
/** Who is the smallest from some instant on, and so not in. */
let out: { from: number; symbol: string }[];
/** Candles that are not there before some instant. */
let late: { symbol: string; openTime: number; until: number }[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tm-membership-'));
  exchange = new HandExchange(START, SYMBOLS, RATE);
  [out, late] = [[], []];
  exchange.told = (rows, symbol, interval) => rows.map((row) => (interval === '1h' && out.findLast(({ from }) => from <= exchange.now())?.symbol === symbol ? row.with(7, '1') : row));
  exchange.lacks = (symbol, interval, openTime) => interval === '1m' && late.some((one) => one.symbol === symbol && openTime >= one.openTime && exchange.now() < one.until);
});
afterEach(() => rmSync(folder, { recursive: true }));

type Local = Awaited<ReturnType<typeof startLocal>>;
function heard({ source }: Local): Signal[] {
  const signals: Signal[] = [];
  source.subscribe((event) => { if (event.type === 'signal') signals.push(event.data); });
  return signals;
}
const session = (name: string, record?: string) => startLocal({
  dataDir: join(folder, name), interval: '1m', wall: exchange.wall, traders: TRADERS, record, exchange: { restUrl: 'http://exchange', streamUrl: 'ws://exchange', fetch: exchange.fetch, openSocket: exchange.openSocket },
});
/** Lets so much market time pass. */
const pass = (ms: number) => exchange.pass(ms / RATE);
/** Stops while time goes on: what it waits for is timed by the exchange's clock. */
async function stop(local: Local): Promise<void> {
  const stopped = local.stop();
  await exchange.pass(1_000);
  await stopped;
}
/** The signals of a replay, with what was noted or without; the whole one, or up to some time. */
async function replay(file: string, name: string, { blind = false, until = Infinity } = {}): Promise<Signal[]> {
  const played = await openReplay(file);
  const ending = new AbortController();
  if (until < Infinity) played.wall.after(until - played.wall.epoch(), () => ending.abort());
  const local = await startLocal({ dataDir: join(folder, name), interval: '1m', exchange: played.exchange, wall: played.wall, traders: TRADERS, ...(!blind && { recorded: played.memberships }) });
  const signals = heard(local);
  await played.run(ending.signal);
  await local.stop();
  return signals;
}
/** All of it but whether it was live: which candle is the first live one depends on how fast a machine boots. */
const said = (signals: readonly Signal[], from: number, to: number): string[] =>
  signals.filter(({ closeTime }) => closeTime > from && closeTime <= to).map((signal) => JSON.stringify({ ...signal, origin: '', suppressed: '' })).sort();

test('a recorded session with a universe that changes and symbols that come late finds the same signals when it is replayed: the same ids, ranks and missing symbols', async () => {
  const file = join(folder, 'session.gz');
  const minute = (count: number): number => intervalOpen('1m', START) + count * MINUTE;
  out.push({ from: START, symbol: 'DEFUSDT' }, { from: minute(60), symbol: 'ABCUSDT' });
  // Halted, the first one stays in while others do; a machine that begins only now would not choose it.
  late.push({ symbol: 'ABCUSDT', openTime: minute(4), until: Infinity });
  late.push({ symbol: 'BCDUSDT', openTime: minute(20), until: minute(22) + 31_000 }, { symbol: 'BTCUSDT', openTime: minute(30), until: minute(31) + 40_000 }, { symbol: 'CDEUSDT', openTime: minute(70), until: minute(72) + 20_000 });
  const before = await session('live');
  await pass(4 * MINUTE + 10_000);
  exchange.listed.set('ABCUSDT', { status: 'BREAK', volume: 1_000_000 });
  await pass(2 * MINUTE);
  await stop(before);
  rmSync(join(folder, 'live', 'screener.snapshot'));

  const live = await session('live', file);
  const signals = heard(live);
  await pass(74 * MINUTE);
  const until = intervalOpen('1m', exchange.now());
  await stop(live);
  const inSession = (found: readonly Signal[]) => said(found, minute(8), until);
  const members = (from: number, to: number) => [...new Set(signals.filter((signal) => signal.traderName === 'Strongest' && signal.closeTime > minute(from) && signal.closeTime <= minute(to)).map(({ symbol }) => symbol))].sort();
  expect(members(10, 60)).toEqual(['BCDUSDT', 'CDEUSDT']);
  expect(members(69, 80)).toEqual(['BCDUSDT', 'CDEUSDT', 'DEFUSDT']);
  expect(new Set(signals.flatMap(({ missing }) => missing ?? []))).toEqual(new Set(['ABCUSDT', 'BCDUSDT', 'CDEUSDT']));

  expect(inSession(signals).length).toBeGreaterThan(100);
  expect(inSession(await replay(file, 'first'))).toEqual(inSession(signals));
  const { digest } = await countRecording(file);
  expect((await countRecording(file)).digest).toBe(digest);
  // Without what was noted a replay ranks others.
  const early = (found: readonly Signal[]) => said(found, minute(8), minute(18));
  expect(early(await replay(file, 'blind', { blind: true, until: START + (20 * MINUTE) / RATE }))).not.toEqual(early(signals));
}, 120_000);

test('a machine that was away while time went on, and whose universe changes before it has caught up, finds what a batch over the candles finds with what it has noted', async () => {
  out.push({ from: START, symbol: 'DEFUSDT' }, { from: START + 45 * MINUTE, symbol: 'ABCUSDT' });
  const before = await session('machine');
  await pass(30 * MINUTE);
  await stop(before);
  await pass(25 * MINUTE);
  // The exchange gives nothing of the time since until the universe has been looked at anew, an hour after the start.
  for (const symbol of SYMBOLS) late.push({ symbol, openTime: intervalOpen('1m', START) + 30 * MINUTE, until: START + 125 * MINUTE });
  const after = await session('machine');
  await pass(80 * MINUTE);
  await stop(after);
  const store = new StateStore({ dataDir: join(folder, 'machine'), epoch: exchange.wall.epoch, outbox: false });
  const kept = store.signals(100_000);
  const until = Math.max(...kept.map(({ closeTime }) => closeTime));
  const history = START - 1_300 * MINUTE;
  for (const trader of store.cachedTraders() ?? []) {
    const membership = store.memberships.of(trader)!;
    expect(membership.spans.map(({ symbols }) => [...symbols].sort().join()), trader.document.name).toEqual(['ABCUSDT,BCDUSDT,CDEUSDT', 'BCDUSDT,CDEUSDT,DEFUSDT']);
    expect(kept.filter(({ traderId, symbol, closeTime }) => traderId === trader.id && symbol === 'ABCUSDT' && closeTime > START + 60 * MINUTE).length, trader.document.name).toBeGreaterThan(0);
    const own = kept.filter(({ traderId, closeTime }) => traderId === trader.id && closeTime > history);
    expect(own.map(({ id }) => id).sort(), trader.document.name).toEqual(batch(trader, membership, until).filter(({ closeTime }) => closeTime > history).map((match) => signalOf(match, 'live').id).sort());
  }
  store.close();
}, 120_000);

/** The matches of the exchange's candles, screened at once. */
function batch(trader: StoredTrader, membership: Membership, until: number) {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 5_000, marketNow: () => until + MINUTE });
  screener.setUniverse(trader.id, membership);
  for (const symbol of SYMBOLS) for (let at = START - 30 - 1_500 * MINUTE; at < until; at += MINUTE) screener.onCandle(symbol, '1m', exchange.market.candle(symbol, '1m', intervalOpen('1m', at)));
  return screener.setTraders([trader]).matches.filter(({ closeTime, symbol }) => membership.at(closeTime).has(symbol));
}
