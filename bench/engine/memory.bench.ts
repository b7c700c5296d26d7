// The child of `engine.memory`: candles of several intervals with the graph over them; prints what the process grew by.
import type { Interval } from '@trademind/core';
import { growth, memory } from '../frame/child.ts';
import { Market } from './market.ts';
import { sharedMemory } from './shared-memory.ts';
import { stored } from './screen.ts';
import { running, TRADERS } from './traders.ts';

const INTERVALS: readonly Interval[] = ['1m', '5m', '1h'];
const [symbols = 0, history = 0] = process.argv.slice(2).map(Number);
const market = new Market(symbols, history);
const before = memory();
const traders = INTERVALS.flatMap((interval, at) => TRADERS.map((trader, index) => running(at * TRADERS.length + index, { ...trader, interval })));
const screener = stored(market, traders, history, INTERVALS);
const candles = { ...growth(before), shared: sharedMemory(screener) };
screener.setTraders(traders);
const grew = { ...growth(before), shared: sharedMemory(screener) };
const held = INTERVALS.reduce((sum, interval) => sum + screener.candles.symbols(interval).length * screener.candles.size(market.symbols[0]!, interval), 0);
process.stdout.write(JSON.stringify({ candles, grew, held }));
