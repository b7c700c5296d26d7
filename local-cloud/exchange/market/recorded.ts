import { join, type Candle } from './candle.ts';
import { cellOf } from './depth.ts';
import { MINUTE, WEEK } from './intervals.ts';
import { makePlayable, type Playable } from './playable.ts';
import { hash } from './random.ts';
import { minutesOf, type RecordedTrade } from './recorded-frames.ts';
import { splitSymbol } from './symbols.ts';
import { Tape } from './tape.ts';
import type { Lots } from './lots.ts';
import type { Recording } from './recordings.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

interface Series {
  candles: Candle[];
  /** Trades before candle i. */
  tradesBefore: Float64Array;
  /** The trades of minutes whose trades were recorded, or that have too few to be laid out from their candle. */
  tapes: Map<number, Tape>;
}

/** The recordings as a market, each moved by its whole number of weeks. */
export class RecordedMarket implements MarketSource {
  readonly symbols: readonly SymbolInfo[];
  readonly #series = new Map<string, Series>();

  constructor(recordings: readonly Recording[], shifts: Readonly<Record<string, number>>) {
    this.symbols = recordings.map((recording) => {
      const weeks = shifts[recording.symbol] ?? 0;
      const { lots, candles, tapes, adjusted } = recording.trades ? playTrades(recording.trades, weeks) : playCandles(recording, weeks);
      const tradesBefore = new Float64Array(candles.length + 1);
      let steps = 0;
      for (const [i, candle] of candles.entries()) {
        tradesBefore[i + 1] = (tradesBefore[i] as number) + candle.trades;
        steps += Number(candle.volume) / lots.step;
      }
      this.#series.set(recording.symbol, { candles, tradesBefore, tapes });
      return {
        symbol: recording.symbol,
        ...splitSymbol(recording.symbol),
        ...lots,
        resting: Math.max(20, Math.round(steps / candles.length / 20)),
        spread: 1,
        cell: cellOf((candles[0] as Candle).open, lots.tick),
        permissions: ['SPOT'],
        first: recording.stretch.from + weeks * WEEK,
        end: recording.stretch.to + weeks * WEEK,
        source: recording.files.join(', '),
        shiftWeeks: weeks,
        derived: recording.derived,
        adjusted,
      };
    });
  }

  minute(symbol: string, openTime: number): Candle | undefined {
    const series = this.#series.get(symbol);
    if (!series) return undefined;
    const candle = series.candles[firstFrom(series.candles, openTime)];
    return candle?.openTime === openTime ? candle : undefined;
  }

  fold(symbol: string, from: number, to: number): Candle | undefined {
    const candles = this.#series.get(symbol)?.candles ?? [];
    let folded: Candle | undefined;
    for (let i = candles.length > 0 ? firstFrom(candles, from) : 0; i < candles.length && (candles[i] as Candle).openTime < to; i++) {
      folded = folded ? join(folded, candles[i] as Candle) : candles[i];
    }
    return folded;
  }

  tradesBefore(symbol: string, openTime: number): number {
    const series = this.#series.get(symbol);
    return series ? series.tradesBefore[firstFrom(series.candles, openTime)] as number : 0;
  }

  tape(symbol: string, openTime: number): Tape | undefined {
    return this.#series.get(symbol)?.tapes.get(openTime);
  }
}

function playCandles({ symbol, candles, derived }: Recording & { candles: Candle[] }, weeks: number): Playable & { lots: Lots } {
  const moved = candles.map((candle) => ({ ...candle, openTime: candle.openTime + weeks * WEEK }));
  const lots = {
    tick: smallestStep(moved.flatMap((c) => [c.open, c.high, c.low, c.close])),
    step: smallestStep(moved.map((c) => Number(c.volume % 100_000_000n))),
  };
  return { lots, ...makePlayable(moved, lots, derived, hash(symbol)) };
}

function playTrades(trades: readonly RecordedTrade[], weeks: number): Playable & { lots: Lots } {
  const lots = { tick: smallestStep(trades.map(({ price }) => price)), step: smallestStep(trades.map(({ quantity }) => quantity % 100_000_000)) };
  const tapes = new Map<number, Tape>();
  let close = 0;
  const candles = minutesOf(trades).map(({ openTime, trades: own }): Candle => {
    const moved = openTime + weeks * WEEK;
    const tape = new Tape(moved, lots, {
      at: Uint16Array.from(own, ({ time }) => time - openTime), price: Float64Array.from(own, ({ price }) => price / lots.tick),
      quantity: Float64Array.from(own, ({ quantity }) => quantity / lots.step), buyerMaker: Uint8Array.from(own, ({ buyerMaker }) => (buyerMaker ? 1 : 0)),
    });
    tapes.set(moved, tape);
    const candle = tape.fold(0, tape.count) ?? { openTime: moved, open: close, high: close, low: close, close, volume: 0n, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
    close = candle.close;
    return candle;
  });
  return { lots, candles, tapes, adjusted: 0 };
}

/** The place of the first candle that opens at `openTime` or later. */
function firstFrom(candles: readonly Candle[], openTime: number): number {
  const start = (candles[0] as Candle).openTime;
  // Without holes the place is known; with holes it lies before that, so search there.
  const guess = Math.ceil((openTime - start) / MINUTE);
  if (guess <= 0) return 0;
  if (candles[guess]?.openTime === openTime) return guess;
  let [low, high] = [0, Math.min(guess, candles.length)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((candles[middle] as Candle).openTime < openTime) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The smallest power of ten (in 1e-8 units) that all values are multiples of: the recording's tick or step. */
function smallestStep(values: readonly number[]): number {
  let step = 100_000_000;
  for (const value of values) while (step > 1 && value % step !== 0) step /= 10;
  return step;
}
