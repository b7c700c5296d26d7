// The child of `engine.allocation`: passes in which no trader matches; prints the bytes that a pass allocates and what the garbage collector did.
import { PerformanceObserver } from 'node:perf_hooks';
import { running, TRADERS } from './traders.ts';
import { Market } from './market.ts';
import { screened } from './screen.ts';

const [symbols = 0, warm = 0, passes = 0] = process.argv.slice(2).map(Number);
const MARKET = 2_000;
const market = new Market(symbols, MARKET);
// A match is news and may allocate: one more condition keeps each trader from matching. Its other nodes are those of engine.pass.
const traders = TRADERS.map((trader, index) => running(index, { ...trader, where: { ...trader.where, never: 'close < 0' } }));
const screener = screened(market, traders, MARKET);

// The same candles again and again, on and on in time; one object a symbol, so that the feed's part is not counted.
const candles = market.symbols.map((_, symbol) => market.candle(symbol, 0));
const columns = market.symbols.map((_, symbol) => Array.from({ length: MARKET }, (_unused, n) => market.candle(symbol, n)));
let openTime = market.candle(0, MARKET - 1).openTime;
let matches = 0;
function pass(n: number): void {
  openTime += 60_000;
  for (let symbol = 0; symbol < candles.length; symbol++) {
    const candle = candles[symbol]!;
    const next = columns[symbol]![n % MARKET]!;
    candle.openTime = openTime;
    candle.open = next.open;
    candle.high = next.high;
    candle.low = next.low;
    candle.close = next.close;
    candle.volume = next.volume;
    candle.quoteVolume = next.quoteVolume;
    matches += screener.onCandle(market.symbols[symbol]!, '1m', candle).length;
  }
}

for (let n = 0; n < warm; n++) pass(n);
let collections = 0;
const observer = new PerformanceObserver((list) => { collections += list.getEntries().length; });
observer.observe({ entryTypes: ['gc'] });
const settled = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 50); });

globalThis.gc?.();
await settled();
const collectionsBefore = collections;
const before = process.memoryUsage().heapUsed;
for (let n = 0; n < passes; n++) pass(n);
const after = process.memoryUsage().heapUsed;
await settled();
process.stdout.write(JSON.stringify({ bytesPerPass: (after - before) / passes, collections: collections - collectionsBefore, matches }));
