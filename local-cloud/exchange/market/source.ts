import type { Candle } from './candle.ts';
import type { Tape } from './tape.ts';

/** What a market says of one symbol. Sizes are in 1e-8 units. */
export interface SymbolInfo {
  symbol: string;
  base: string;
  quote: string;
  tick: number;
  step: number;
  /** Of the book: what usually rests on one price, in steps; how far its two sides usually stand apart, in ticks. */
  resting: number;
  spread: number;
  /** Behind the best prices one order may rest in every stretch of so many ticks. */
  cell: number;
  /** Binance's permission sets; leveraged tokens carry LEVERAGED. */
  permissions: readonly string[];
  /** Open time of the first candle, and the end of the last one (exclusive; Infinity when the market never ends). */
  first: number;
  end: number;
  /** Where the candles come from: a file name, or "simulated". */
  source: string;
  /** Whole weeks by which a recording was moved; 0 for a simulated market. */
  shiftWeeks: number;
  /** Columns that the recording does not have and that were computed from the others. */
  derived: readonly string[];
  /** Minutes of a recording whose figures no trades add up to: they keep prices and volume, the rest comes from the trades that are played. */
  adjusted: number;
}

/** A market as one-minute candles; every other view of it is computed from these. */
export interface MarketSource {
  readonly symbols: readonly SymbolInfo[];
  /** The finished one-minute candle that opens at `openTime`; undefined where the market has none. */
  minute(symbol: string, openTime: number): Candle | undefined;
  /** The finished minutes in [from, to) as one candle; both whole minutes of one hour. Undefined when the market has none of them. */
  fold(symbol: string, from: number, to: number): Candle | undefined;
  /** How many trades the symbol has had before the minute that opens at `openTime`: trade ids count on from there. */
  tradesBefore(symbol: string, openTime: number): number;
  /** The stretch without trading that the symbol is in at `time`, if it is in one. */
  haltAt?(symbol: string, time: number): { from: number; to: number } | undefined;
  /** The trades of that minute where the market knows them itself; otherwise they are laid out from its candle. */
  tape?(symbol: string, openTime: number): Tape | undefined;
}
