// The market room of a machine under load, in a process of its own: `machine.ts <restUrl> <streamUrl> <from> <until>` (market time, ms).
// Says "ready" when all history is there, and after `until` what the stretch from `from` on took, as JSON.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { intervalOpen, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { MarketLink } from '../../../packages/runtime/market/market-link.ts';
import { MarketTable } from '../../../packages/runtime/market/market-table.ts';
import { systemWall } from '../../../packages/runtime/time.ts';

const INTERVALS: readonly Interval[] = ['1m', '5m', '15m'];
const HISTORY_MS = 2 * 3_600_000;
const RESOLUTION_MS = 2;

const [restUrl = '', streamUrl = '', ...times] = process.argv.slice(2);
const [from, until] = times.map(Number) as [number, number];
const ending = new AbortController();
const store = new CandleStore({ capacity: () => 300 });
let closes = 0;
let closedFrom = Infinity;
let closedUntil = -Infinity;
let measuring = false;

const market: MarketLink = new MarketLink({
  exchange: { restUrl, streamUrl }, wall: systemWall, signal: ending.signal,
  log: (level, code, message) => { if (level !== 'info') process.stderr.write(`${code}: ${message}\n`); },
  startOf: (_symbol, interval) => intervalOpen(interval, market.clock.now() - HISTORY_MS),
  take: (symbol, interval, candle) => {
    store.append(symbol, interval, candle);
    table.closed(symbol, interval, candle.close);
    if (!measuring) return;
    closes += 1;
    closedFrom = Math.min(closedFrom, performance.now());
    closedUntil = performance.now();
  },
  restart: (symbol, interval) => store.forget(symbol, interval), held: (symbol, interval, limit) => store.read(symbol, interval, limit),
  onPrice: (symbol, price) => table.priced(symbol, price), onChange: () => undefined, onUniverse: () => undefined,
});
const table = new MarketTable({ candles: store, matches: () => [], halted: (symbol) => market.candles.isHalted(symbol) });

await market.open();
void market.run();
const { symbols } = (await (await fetch(`${restUrl}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
const wanted = new Map(symbols.map(({ symbol }) => [symbol, INTERVALS]));
table.setSymbols(wanted);
market.want(wanted);
const until_ = (test: () => boolean) => new Promise<void>((resolve) => {
  const look = setInterval(() => {
    if (!test()) return;
    clearInterval(look);
    resolve();
  }, 100);
});
await until_(() => market.candles.progress().done === symbols.length * INTERVALS.length);
if (market.clock.now() > from) throw new Error('The history took so long that the hour is over.');
process.stdout.write('ready\n');
await until_(() => market.clock.now() >= from);

const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
loop.enable();
measuring = true;
const used = process.cpuUsage();
const began = performance.now();
const before = { ...market.streams.counts };
await until_(() => market.clock.now() >= until);
const { user, system } = process.cpuUsage(used);
const took = performance.now() - began;
const { kline, miniTicker } = market.streams.counts;
process.stdout.write(`${JSON.stringify({
  corePercent: ((user + system) / 10 / took), loopP99Ms: Math.max(0, loop.percentile(99) / 1e6 - RESOLUTION_MS),
  klinesPerSecond: ((kline - before.kline) / took) * 1_000, tickerFrames: miniTicker - before.miniTicker, closes, closesWithinMs: closedUntil - closedFrom,
})}\n`);
process.exit(0);
