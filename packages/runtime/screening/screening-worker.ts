import { parentPort, workerData } from 'node:worker_threads';
import type { Interval } from '@trademind/core';
import { CandleSeries, compileTrader, encodeMatches, kernelFault, LaneSet, LaneWatch, screenedTo, SnapshotReader, SnapshotWriter, type ActiveTrader, type LaneBook, type Match, type RunningTrader, type SavedLane, type ScreenedTo } from '@trademind/engine';
import type { Answer, Numbered, Request, SharedSeries, Word } from './worker-messages.ts';

/** A worker thread that screens some of the symbols. It reads the candles where the main thread stores them, and answers what it found. */
const { defaultInterval } = workerData as { defaultInterval: Interval };
const port = parentPort!;

const byKey = new Map<number, { shared: SharedSeries; series: CandleSeries }>();
const bySymbol = new Map<string, CandleSeries>();
const lanes = new LaneSet({ series: (symbol, interval) => bySymbol.get(`${symbol} ${interval}`) });
const watch = new LaneWatch(lanes);
const active = new Map<string, ActiveTrader>();
/** In the order in which the main thread named them. */
let traders: readonly ActiveTrader[] = [];
const keys = new Map<string, number>();

port.on('message', (message: Word | Numbered) => {
  if ('task' in message) answer(message);
  else hear(message);
});

function hear(word: Word): void {
  if (word.type === 'series') {
    attach(word.series);
    return;
  }
  const known = byKey.get(word.key);
  if (known === undefined) return;
  const { symbol, interval } = known.shared;
  byKey.delete(word.key);
  bySymbol.delete(`${symbol} ${interval}`);
  keys.delete(`${symbol} ${interval}`);
  lanes.forget(symbol, interval);
}

function answer(request: Numbered): void {
  const began = performance.now();
  const used = process.threadCpuUsage();
  const { matches, advanced, saved } = take(request);
  const { books, gone } = watch.take();
  for (const book of books) come(book, keys.get(`${book.symbol} ${book.interval}`), advanced);
  const fault = request.type === 'begin' ? kernelFault() : undefined;
  const numbers = encodeMatches(matches, traders, ({ symbol, interval }) => keys.get(`${symbol} ${interval}`)!);
  const screened = Float64Array.from([...advanced].flat());
  port.postMessage({
    task: request.task, matches: numbers, screened, ...(saved && { lanes: saved }), ...(fault !== undefined && { kernelFault: fault }),
    books: books.map(({ symbol, interval, traders: booked, memory }) => ({ symbol, interval, traders: booked, memory })), gone: gone.map(({ symbol, interval }) => [symbol, interval]),
    busyMs: performance.now() - began, candlesMs: request.type === 'advance' ? processorMs(used) : 0,
  } satisfies Answer, [numbers.buffer as ArrayBuffer, screened.buffer as ArrayBuffer]);
}

/** Processor time of this thread since then, ms. */
function processorMs(then: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(then);
  return (user + system) / 1_000;
}

/** What was found, and the lanes that have come further, by the number of their series, with the close time (ms) up to which. */
interface Found { readonly matches: readonly Match[]; readonly advanced: Map<number, number>; readonly saved?: Uint8Array }

function take(request: Request): Found {
  switch (request.type) {
    case 'begin': {
      for (const one of request.series) attach(one);
      traders = request.traders.map(activate);
      for (const [id, symbols] of request.universes) lanes.setUniverse(id, symbols);
      lanes.setTraders(traders);
      for (const bytes of request.lanes) {
        const reader = new SnapshotReader(bytes);
        lanes.restore((reader.header as { lanes: SavedLane[] }).lanes.filter(({ symbol, interval }) => bySymbol.has(`${symbol} ${interval}`) && !request.voided.has(`${symbol} ${interval}`)), reader);
      }
      const { matches, advanced } = advance([...byKey.keys()]);
      return { advanced, matches: without(matches, request.told) };
    }
    case 'traders': {
      traders = request.traders.map(activate);
      const matches = lanes.setTraders(traders);
      for (const id of active.keys()) if (!request.traders.some((trader) => trader.id === id)) active.delete(id);
      return { matches, advanced: new Map() };
    }
    case 'universe':
      return { matches: lanes.setUniverse(request.id, request.symbols), advanced: new Map() };
    case 'advance':
      return advance(request.keys);
    case 'peek':
      return {
        advanced: new Map(),
        matches: request.candles.flatMap(([key, candle]) => {
          const known = byKey.get(key);
          return known === undefined ? [] : lanes.peek(known.shared.symbol, known.shared.interval, candle);
        }),
      };
    case 'save': {
      const writer = new SnapshotWriter();
      const saved = lanes.save(writer);
      return { matches: [], advanced: new Map(), saved: writer.finish({ lanes: saved }) };
    }
  }
}

function attach(shared: SharedSeries): void {
  const series = new CandleSeries(shared.capacity, shared.memory);
  byKey.set(shared.key, { shared, series });
  keys.set(`${shared.symbol} ${shared.interval}`, shared.key);
  bySymbol.set(`${shared.symbol} ${shared.interval}`, series);
}

/** The main thread has compiled it before: what it sends compiles. */
function activate({ id, version, document }: RunningTrader): ActiveTrader {
  const known = active.get(id);
  if (known?.version === version) return known;
  const trader = { id, version, compiled: compileTrader(document, defaultInterval) };
  active.set(id, trader);
  return trader;
}

function advance(wanted: readonly number[]): Found {
  const matches: Match[] = [];
  const advanced = new Map<number, number>();
  for (const key of wanted) {
    const known = byKey.get(key);
    if (known === undefined) continue;
    const { symbol, interval } = known.shared;
    const found = lanes.advance(symbol, interval);
    if (found.length > 0) matches.push(...found);
    come(lanes.book(symbol, interval), key, advanced);
  }
  return { matches, advanced };
}

/** Those of the matches that are news. */
function without(matches: readonly Match[], told: readonly ScreenedTo[]): readonly Match[] {
  // Lanes that serve the same traders name them by the same list.
  const sets = new Map(told.map(({ traders: booked }) => [booked, new Set(booked.map(({ id, version }) => `${id} ${version}`))]));
  const bySeries = new Map(told.map((to) => [`${to.symbol} ${to.interval}`, to]));
  return matches.filter(({ symbol, interval, closeTime, traderId, traderVersion }) => {
    const to = bySeries.get(`${symbol} ${interval}`);
    return to === undefined || closeTime > to.closeTime || !sets.get(to.traders)!.has(`${traderId} ${traderVersion}`);
  });
}

/** Notes how far a lane has come. */
function come(book: LaneBook | undefined, key: number | undefined, advanced: Map<number, number>): void {
  const to = book && key !== undefined && screenedTo(book, byKey.get(key)?.series);
  if (to) advanced.set(key!, to.closeTime);
}
