import { intervalClose, intervalMs, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { sameCandle } from '../../packages/runtime/market/candle-check.ts';
import { MarketLink } from '../../packages/runtime/market/market-link.ts';
import { systemWall } from '../../packages/runtime/time.ts';

const HISTORY = 120;

/** The market room of a machine, with a book of everything that came out of it, in order. */
export interface ChaosMachine {
  market: MarketLink;
  /** All that came out of a series, in order, also what was forgotten later. */
  taken: ReadonlyMap<string, readonly Candle[]>;
  /** What must never happen and did: out of order, twice, across a hole that nobody said. */
  violations: readonly string[];
  /** Open time of the oldest candle that the store still holds of a series; undefined without one. */
  heldFrom(symbol: string, interval: Interval): number | undefined;
  /** Whether all streams flow and all candles are here that were over at that market time. */
  isCurrent(marketTime: number): boolean;
  stop(): Promise<void>;
}

export async function startChaosMachine(exchange: { url: string; streams: string }, symbols: readonly string[], intervals: readonly Interval[], say: (text: string) => void): Promise<ChaosMachine> {
  const ending = new AbortController();
  const store = new CandleStore({ capacity: () => 100_000 });
  const taken = new Map<string, Candle[]>();
  const violations: string[] = [];
  /** Close time and interval of a symbol's last candle: the next must not stand before it. */
  const order = new Map<string, { close: number; length: number }>();
  const begunAnew = new Set<string>();
  const market: MarketLink = new MarketLink({
    exchange: { restUrl: exchange.url, streamUrl: exchange.streams }, wall: systemWall, signal: ending.signal,
    log: (level, code, message) => { if (level === 'error' || code === 'symbol_halted') say(`  ${code}: ${message}`); },
    startOf: (_symbol, interval) => intervalOpen(interval, market.clock.now()) - HISTORY * intervalMs(interval),
    take: (symbol, interval, candle) => {
      const name = `${symbol} ${interval}`;
      const series = taken.get(name) ?? [];
      taken.set(name, series);
      const last = series.at(-1);
      const at = `${name} ${new Date(candle.openTime).toISOString()}`;
      if (last && candle.openTime <= last.openTime) violations.push(`${at} was screened ${candle.openTime === last.openTime ? 'twice' : 'out of order'}`);
      if (last && candle.openTime > intervalClose(interval, last.openTime) && !begunAnew.has(name)) violations.push(`${at} followed a gap that nobody had said`);
      begunAnew.delete(name);
      const close = intervalClose(interval, candle.openTime);
      const before = order.get(symbol);
      if (before && (close < before.close || (close === before.close && intervalMs(interval) >= before.length))) violations.push(`${at} came after a candle that closed later`);
      order.set(symbol, { close, length: intervalMs(interval) });
      series.push(candle);
      store.append(symbol, interval, candle);
    },
    restart: (symbol, interval) => { begunAnew.add(`${symbol} ${interval}`); store.forget(symbol, interval); },
    held: (symbol, interval, limit) => store.read(symbol, interval, limit),
    listings: { listedAt: () => undefined, setListedAt: () => undefined },
    onPrice: () => undefined, onChange: () => undefined, onUniverse: () => undefined,
  });
  await market.open();
  const running = market.run();
  market.want(new Map(symbols.map((symbol) => [symbol, intervals])));
  return {
    market, taken, violations,
    heldFrom: (symbol, interval) => store.read(symbol, interval, Infinity)[0]?.openTime,
    isCurrent: (marketTime) => market.streams.connected && market.candles.progress().done === symbols.length * intervals.length
      && symbols.every((symbol) => market.candles.isHalted(symbol) || intervals.every((interval) => {
        const last = store.lastCloseTime(symbol, interval);
        return last !== undefined && last >= intervalOpen(interval, marketTime);
      })),
    stop: async () => {
      ending.abort();
      await running;
    },
  };
}

/** A row of klines as the exchange's admin port tells the truth. */
export type TrueRow = readonly [number, string, string, string, string, string, number, string, number, string, string, string];

/** `forgotten`: candles that differ unmarked and that the store no longer holds, because their series began anew after a hole. */
export interface Compared { candles: number; marked: number; forgotten: number; violations: string[] }

/** Every candle that came out against what the exchange has: the same, or marked, as far as it is still stored; and none of the exchange's is missing that no mark names. */
export function compareWithTruth(machine: ChaosMachine, symbol: string, interval: Interval, rows: readonly TrueRow[]): Compared {
  const series = machine.taken.get(`${symbol} ${interval}`) ?? [];
  const marks = machine.market.marks.of(symbol, interval);
  const truth = new Map(rows.map((row) => [row[0], candleOf(row)]));
  const violations: string[] = [];
  const storedFrom = machine.heldFrom(symbol, interval) ?? Infinity;
  let marked = 0;
  let forgotten = 0;
  const at = (openTime: number) => `${symbol} ${interval} ${new Date(openTime).toISOString()}`;
  for (const candle of series) {
    const really = truth.get(candle.openTime);
    if (really && sameCandle(really, candle)) continue;
    const isMarked = marks.some((mark) => mark.openTime === candle.openTime && (really ? mark.kind === 'corrected' && sameCandle(mark.now, really) : mark.kind === 'withdrawn'));
    if (isMarked) marked += 1;
    else if (candle.openTime < storedFrom) forgotten += 1;
    else violations.push(`${at(candle.openTime)} is ${JSON.stringify(candle)}, the exchange has ${JSON.stringify(really)}`);
  }
  const has = new Set(series.map(({ openTime }) => openTime));
  const [first, last] = [series[0]?.openTime ?? Infinity, series.at(-1)?.openTime ?? -Infinity];
  for (const openTime of truth.keys()) {
    if (openTime < first || openTime > last || has.has(openTime)) continue;
    if (marks.some((mark) => mark.kind === 'hole' && mark.openTime <= openTime && openTime < mark.until)) marked += 1;
    else violations.push(`${at(openTime)} was never filled and is not marked`);
  }
  return { candles: series.length, marked, forgotten, violations };
}

function candleOf(row: TrueRow): Candle {
  const [openTime, open, high, low, close, volume, , quoteVolume, trades, takerBuy] = row.map(Number) as number[];
  return { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy } as Candle;
}
