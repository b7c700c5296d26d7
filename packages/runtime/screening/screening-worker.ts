import { parentPort, workerData } from 'node:worker_threads';
import { intervalClose, type Interval } from '@trademind/core';
import { CandleSeries, compileTrader, encodeMatches, LaneSet, SnapshotReader, SnapshotWriter, type ActiveTrader, type LaneBook, type Match, type RunningTrader, type SavedLane } from '@trademind/engine';
import type { Answer, Request, SharedSeries } from './worker-messages.ts';

/** A worker thread that screens some of the symbols. It reads the candles where the main thread stores them, and answers what it found. */
const { defaultInterval } = workerData as { defaultInterval: Interval };
const port = parentPort!;

const byKey = new Map<number, { shared: SharedSeries; series: CandleSeries }>();
const bySymbol = new Map<string, CandleSeries>();
const lanes = new LaneSet({ series: (symbol, interval) => bySymbol.get(`${symbol} ${interval}`) });
const active = new Map<string, ActiveTrader>();
const universes = new Map<string, ReadonlySet<string>>();
/** Books that the main thread has, by symbol and interval. */
const told = new Map<string, LaneBook>();
let toldChanges = 0;
/** In the order in which the main thread named them. */
let traders: readonly ActiveTrader[] = [];
const keys = new Map<string, number>();

port.on('message', (request: Request) => {
  const began = performance.now();
  const answer = take(request);
  if (answer === undefined) return;
  const matches = encodeMatches(answer.matches, traders, ({ symbol, interval }) => keys.get(`${symbol} ${interval}`)!);
  port.postMessage({ ...answer, matches, ...bookChanges(), busyMs: performance.now() - began } satisfies Answer, [matches.buffer as ArrayBuffer]);
});

type Found = Omit<Answer, 'matches' | 'books' | 'gone' | 'busyMs'> & { matches: readonly Match[] };

function take(request: Request): Found | undefined {
  switch (request.type) {
    case 'begin': {
      for (const one of request.series) attach(one);
      for (const [id, symbols] of request.universes) universes.set(id, symbols);
      traders = request.traders.map(activate);
      for (const [index, bytes] of (request.lanes ?? []).entries()) {
        const reader = new SnapshotReader(bytes);
        const saved = (reader.header as { lanes: SavedLane[] }).lanes.filter(({ symbol, interval }) => bySymbol.has(`${symbol} ${interval}`));
        if (index === 0 || saved.length > 0) lanes.restore(traders, universes, saved, reader);
      }
      if (request.lanes === undefined) {
        for (const [id, symbols] of request.universes) lanes.setUniverse(id, symbols);
        lanes.setTraders(traders);
      }
      const { matches, screened } = advance([...byKey.keys()]);
      const known = new Map(request.told.map(([key, closeTime]) => [`${byKey.get(key)!.shared.symbol} ${byKey.get(key)!.shared.interval}`, closeTime]));
      const fresh = new Set(request.fresh);
      return { task: request.task, screened, matches: matches.filter(({ symbol, interval, closeTime, traderId }) => closeTime > (known.get(`${symbol} ${interval}`) ?? -Infinity) || fresh.has(traderId)) };
    }
    case 'series':
      attach(request.series);
      return undefined;
    case 'forget': {
      const known = byKey.get(request.key);
      if (known === undefined) return undefined;
      byKey.delete(request.key);
      bySymbol.delete(`${known.shared.symbol} ${known.shared.interval}`);
      lanes.forget(known.shared.symbol, known.shared.interval);
      return undefined;
    }
    case 'traders': {
      traders = request.traders.map(activate);
      const matches = lanes.setTraders(traders);
      for (const id of active.keys()) if (!request.traders.some((trader) => trader.id === id)) active.delete(id);
      return { task: request.task, matches, screened: [] };
    }
    case 'universe':
      return { task: request.task, matches: lanes.setUniverse(request.id, request.symbols), screened: [] };
    case 'advance':
      return { task: request.task, ...advance(request.keys) };
    case 'peek': {
      const matches = request.candles.flatMap(([key, candle]) => {
        const known = byKey.get(key);
        return known === undefined ? [] : lanes.peek(known.shared.symbol, known.shared.interval, candle);
      });
      return { task: request.task, matches, screened: [] };
    }
    case 'save': {
      const writer = new SnapshotWriter();
      const saved = lanes.save(writer);
      return { task: request.task, matches: [], screened: [], lanes: writer.finish({ lanes: saved }) };
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

function advance(keys: readonly number[]): { matches: Match[]; screened: [number, number][] } {
  const matches: Match[] = [];
  const screened: [number, number][] = [];
  for (const key of keys) {
    const known = byKey.get(key);
    if (known === undefined) continue;
    const { shared: { symbol, interval }, series } = known;
    // Candles may be stored meanwhile: what is screened is what was there at this moment, or more.
    const { total } = series;
    if (total === 0) continue;
    const found = lanes.advance(symbol, interval);
    if (found.length > 0) matches.push(...found);
    screened.push([key, intervalClose(interval, series.openTimeOf(total - 1))]);
  }
  return { matches, screened };
}

function bookChanges(): Pick<Answer, 'books' | 'gone'> {
  if (lanes.changes === toldChanges) return { books: [], gone: [] };
  toldChanges = lanes.changes;
  const books: LaneBook[] = [];
  const here = new Set<string>();
  for (const { book } of lanes.lanes()) {
    const name = `${book.symbol} ${book.interval}`;
    here.add(name);
    if (told.get(name) === book) continue;
    told.set(name, book);
    books.push(book);
  }
  const gone: [string, Interval][] = [];
  if (here.size < told.size) {
    for (const [name, { symbol, interval }] of told) {
      if (here.has(name)) continue;
      told.delete(name);
      gone.push([symbol, interval]);
    }
  }
  return { books: books.map(({ symbol, interval, traders, memory }) => ({ symbol, interval, traders, memory })), gone };
}
