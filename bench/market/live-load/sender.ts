// An hour's turn in real time: every 2 s a kline of each of 500 symbols × 3 intervals, every second the tickers of all, and when a candle is over its close,
// all that are due within 2 s. `sender.ts <ms before the hour>`; says its port and the hour.
import { intervalOpen, type Interval } from '@trademind/core';
import { framed, startMadeExchange } from '../made-exchange.ts';
import { klineFrame, symbolName, SYMBOLS, tickersFrame } from '../made-frames.ts';

const INTERVALS: readonly Interval[] = ['1m', '5m', '15m'];
const EVERY_MS = 2_000;
const TICKERS_MS = 1_000;
const HOUR = 1_790_002_800_000;
const TICK_MS = 5;

const began = performance.now();
const beginsAt = HOUR - Number(process.argv[2]);
const now = () => Math.floor(beginsAt + performance.now() - began);
const prices = Float64Array.from({ length: SYMBOLS }, (_, index) => 1 + index);
const symbols = Array.from({ length: SYMBOLS }, (_, index) => symbolName(index));
const series = symbols.flatMap((symbol, index) => INTERVALS.map((interval) => ({ symbol, interval, index, open: intervalOpen(interval, beginsAt), updates: 1 })));

const exchange = await startMadeExchange({ symbols, now, rate: 1 });

function send(stream: string, frame: string): void {
  const packet = framed(frame);
  for (const [socket, streams] of exchange.connections) if (streams.has(stream)) socket.write(packet);
}

function update(one: (typeof series)[number], eventTime: number): void {
  const stream = `${one.symbol.toLowerCase()}@kline_${one.interval}`;
  const open = intervalOpen(one.interval, eventTime);
  if (open !== one.open) {
    send(stream, klineFrame({ ...one, eventTime, price: prices[one.index]!, closed: true }));
    one.open = open;
    one.updates = 1;
  }
  prices[one.index]! *= 1 + (Math.random() - 0.5) * 1e-5;
  one.updates += 1;
  send(stream, klineFrame({ ...one, eventTime, price: prices[one.index]!, closed: false }));
}

let sent = 0;
let tickers = 0;
setInterval(() => {
  const elapsed = performance.now() - began;
  for (const due = Math.floor((elapsed / EVERY_MS) * series.length); sent < due; sent++) update(series[sent % series.length]!, now());
  for (const due = Math.floor(elapsed / TICKERS_MS); tickers < due; tickers++) send('!miniTicker@arr', tickersFrame(prices, now()));
}, TICK_MS);
process.stdout.write(`${JSON.stringify({ port: exchange.port, hour: HOUR })}\n`);
