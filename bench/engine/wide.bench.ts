// The child of `engine.wide`: many traders on many symbols; prints the ms of each pass and what the process grew by.
import { growth, memory } from '../frame/child.ts';
import { Market } from './market.ts';
import { sharedMemory } from './shared-memory.ts';
import { screened, timePass } from './screen.ts';
import { crowd } from './wide-traders.ts';

const [symbols = 0, traders = 0, history = 0, passes = 0] = process.argv.slice(2).map(Number);
const market = new Market(symbols, history + passes);
const before = memory();
const running = crowd(traders);
const screener = screened(market, running, history);
let matches = 0;
const took: number[] = [];
for (let n = history; n < history + passes; n++) {
  took.push(timePass(market, n, (candle, symbol) => screener.onCandle(market.symbols[symbol]!, '1m', candle), (found) => { matches += found.length; }));
}
const grew = { ...growth(before), shared: sharedMemory(screener) };
process.stdout.write(JSON.stringify({ took, grew, matches, kept: screener.candles.size(market.symbols[0]!, '1m') }));
