import { createHash } from 'node:crypto';
import { intervalClose, intervalOpen, TraderDocument, type AnalysisCall, type AnalysisOutcome, type Candle, type Interval, type Signal, type TraderInput } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import type { AnalyzerOptions } from '../../packages/runtime/analysis/analyzer-options.ts';
import { ConcurrentAnalyzer } from '../../packages/runtime/analysis/concurrent-analyzer.ts';
import { GeminiClient } from '../../packages/runtime/analysis/gemini-client.ts';
import { marketViewOf } from '../../packages/runtime/analysis/market-view.ts';
import { StateStore } from '../../packages/runtime/state/state-store.ts';
import { systemWall } from '../../packages/runtime/time.ts';

/** Close of the last candle of the test's market. */
export const CLOSE = Date.UTC(2026, 9, 10, 12);
export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT', 'DOGEUSDT', 'BNBUSDT', 'LTCUSDT'];

/** An id that follows from a text, in the form of a UUID. */
const idOf = (text: string): string => createHash('sha256').update(text).digest('hex').replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5');

const draw = (seed: string): number => createHash('sha256').update(seed).digest().readUInt32BE(0) / 0x1_0000_0000;

const walks = new Map<string, Candle[]>();

/** A walk of closed candles that ends with the one that closes at `close`; the same for the same symbol. */
export function walk(symbol: string, count: number, interval: Interval = '5m', close = CLOSE): Candle[] {
  const key = `${symbol}:${count}:${interval}:${close}`;
  let candles = walks.get(key);
  if (!candles) walks.set(key, (candles = newWalk(symbol, count, interval, close)));
  return candles;
}

function newWalk(symbol: string, count: number, interval: Interval, close: number): Candle[] {
  const length = intervalClose(interval, 0);
  let price = 50 + 100 * draw(symbol);
  return Array.from({ length: count }, (_, at) => {
    const openTime = close - (count - at) * length;
    const open = price;
    price *= 1 + (draw(`${symbol}:${openTime}`) - 0.5) / 50;
    const reach = 1 + draw(`${symbol}:${openTime}:reach`) / 200;
    const volume = 10 + 90 * draw(`${symbol}:${openTime}:volume`);
    return { openTime, open, high: Math.max(open, price) * reach, low: Math.min(open, price) / reach, close: price, volume, quoteVolume: volume * price, trades: 10, takerBuy: volume / 2 };
  });
}

/** A store with candles of all symbols. */
export function storedMarket(count = 400, interval: Interval = '5m', symbols: readonly string[] = SYMBOLS): CandleStore {
  const candles = new CandleStore({ capacity: () => 1_000 });
  for (const symbol of symbols) for (const candle of walk(symbol, count, interval, intervalOpen(interval, CLOSE))) candles.append(symbol, interval, candle);
  return candles;
}

/** The n-th of many signals that all differ: over the symbols and back over the candles, of one of three traders. */
export function signalNumber(n: number, over: Partial<Signal> = {}): Signal {
  const symbol = SYMBOLS[n % SYMBOLS.length]!;
  const closeTime = CLOSE - Math.floor(n / SYMBOLS.length) * 300_000;
  return {
    id: idOf(`signal ${n}`), traderId: idOf(`trader ${n % 3}`), traderVersion: 1, traderName: `Trader ${n % 3}`, symbol, interval: '5m', side: n % 2 === 0 ? 'long' : 'short',
    price: walk(symbol, 400).at(-1 - Math.floor(n / SYMBOLS.length))!.close, openTime: closeTime - 300_000, closeTime, phase: 'closed', origin: 'live',
    conditions: [{ name: 'low', expression: 'rsi(14) < 30', holds: true, values: [{ expression: 'rsi(14)', value: 24.123456 }] }], ...over,
  };
}

export const traderDocument = (over: Partial<TraderInput> = {}): TraderDocument =>
  TraderDocument.parse({ name: 'Dip', side: 'long', interval: '5m', where: { low: 'rsi(14) < 30' }, expiry: '1d', ...over });

export interface TestAnalyzer {
  store: StateStore;
  analyzer: ConcurrentAnalyzer;
  /** What was told, and what was recorded with it in its transaction, since it was opened. */
  told: AnalysisOutcome[];
  recorded: AnalysisOutcome[];
  calls: AnalysisCall[];
  logged: { level: string; code: string; message: string }[];
  /** Stores signals as the orchestrator does: in one transaction with their admission. */
  take(signals: readonly Signal[]): void;
  close(): Promise<void>;
}

export interface TestAnalyzerOptions extends Partial<Omit<AnalyzerOptions, 'file' | 'record' | 'onOutcome'>> {
  dataDir: string;
  gemini: { url: string; key: string };
  candles?: CandleStore;
  marketNow?: () => number;
  rate?: number;
  document?: TraderDocument;
  onOutcome?: (outcome: AnalysisOutcome) => void;
}

/** An analyzer over a file of its own, with the real client and the stand-in behind it. `start` is up to the caller. */
export function openAnalyzer(options: TestAnalyzerOptions): TestAnalyzer {
  const { dataDir, gemini, candles = storedMarket(), marketNow = () => CLOSE + 1_000, rate = 1, document = traderDocument(), wall = systemWall, onOutcome, rules, ...more } = options;
  const store = new StateStore({ dataDir, epoch: wall.epoch, outbox: true });
  const [told, recorded, calls, logged]: [AnalysisOutcome[], AnalysisOutcome[], AnalysisCall[], TestAnalyzer['logged']] = [[], [], [], []];
  const analyzer = new ConcurrentAnalyzer({
    wall, market: marketViewOf(candles, { now: marketNow, rate }), client: new GeminiClient(), access: () => ({ state: 'ready', apiKey: gemini.key, baseUrl: gemini.url }),
    model: () => 'gemini-3.5-flash-lite', caps: () => ({ tokensPerDay: 1e9, usdPerDay: 1e6 }), trader: () => document, log: (level, code, message) => { logged.push({ level, code, message }); },
    ...more, file: store.file, rules: { retryFirstMs: 20, retryMostMs: 100, lookMs: 20, ...rules },
    record: { outcome: (outcome) => { recorded.push(outcome); }, call: (call) => { calls.push(call); } },
    onOutcome: (outcome) => { told.push(outcome); onOutcome?.(outcome); },
  });
  return {
    store, analyzer, told, recorded, calls, logged,
    take: (signals) => {
      let outcomes: AnalysisOutcome[] = [];
      store.commit({ signals, watermarks: [] }, (fresh) => { outcomes = analyzer.admit(fresh); });
      analyzer.admitted(outcomes);
    },
    close: async () => {
      await analyzer.stop();
      store.close();
    },
  };
}
