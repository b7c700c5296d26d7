import { join, type Candle } from './candle.ts';
import { MINUTE } from './intervals.ts';
import { FEWEST_TRADES } from './lay-trades.ts';
import { worthInUnits } from './lots.ts';
import type { MarketSource, SymbolInfo } from './source.ts';
import type { Tape } from './tape.ts';

/** Something that happens to a symbol, or to all (`*`), in [from, to), whole minutes of market time. */
export type MarketEvent = { symbol: string; from: number; to: number } & (
  /** Nothing trades; the exchange has no candles of it. */
  | { kind: 'halt' }
  /** The price falls by the share `depth` until `lowest`, and comes back until `to`. */
  | { kind: 'crash'; depth: number; lowest: number }
);

/** How much more is traded than usual while a price falls, and while it comes back. */
const FALLING = 6;
const RECOVERING = 2.5;
const LOWEST_TICKS = 2;

/** A market with what was made to happen in it. What has been shown never changes: an event begins with a minute that has not. */
export class EventfulMarket implements MarketSource {
  readonly symbols: readonly SymbolInfo[];
  readonly events: MarketEvent[];
  readonly #inner: MarketSource;
  readonly #infos: Map<string, SymbolInfo>;

  constructor(inner: MarketSource, events: MarketEvent[]) {
    this.#inner = inner;
    this.symbols = inner.symbols;
    this.events = events;
    this.#infos = new Map(inner.symbols.map((info) => [info.symbol, info]));
  }

  /** The halt that the symbol is in at `time`. */
  haltAt(symbol: string, time: number): { from: number; to: number } | undefined {
    return this.events.find((event) => event.kind === 'halt' && concerns(event, symbol) && time >= event.from && time < event.to);
  }

  minute(symbol: string, openTime: number): Candle | undefined {
    const event = this.events.find((one) => concerns(one, symbol) && openTime >= one.from && openTime < one.to);
    if (!event) return this.#inner.minute(symbol, openTime);
    const candle = event.kind === 'halt' ? undefined : this.#inner.minute(symbol, openTime);
    return candle && event.kind === 'crash' ? crashed(candle, event, this.#infos.get(symbol) as SymbolInfo) : undefined;
  }

  fold(symbol: string, from: number, to: number): Candle | undefined {
    if (!this.#touches(symbol, from, to)) return this.#inner.fold(symbol, from, to);
    let folded: Candle | undefined;
    for (let at = from; at < to; at += MINUTE) {
      const minute = this.minute(symbol, at);
      if (minute) folded = folded ? join(folded, minute) : minute;
    }
    return folded;
  }

  tradesBefore(symbol: string, openTime: number): number {
    let count = this.#inner.tradesBefore(symbol, openTime);
    for (const event of this.events) {
      if (event.kind !== 'halt' || !concerns(event, symbol) || event.from >= openTime) continue;
      count -= this.#inner.tradesBefore(symbol, Math.min(event.to, openTime)) - this.#inner.tradesBefore(symbol, event.from);
    }
    return count;
  }

  tape(symbol: string, openTime: number): Tape | undefined {
    return this.#touches(symbol, openTime, openTime + MINUTE) ? undefined : this.#inner.tape?.(symbol, openTime);
  }

  #touches(symbol: string, from: number, to: number): boolean {
    return this.events.some((event) => concerns(event, symbol) && event.from < to && event.to > from);
  }
}

const concerns = (event: MarketEvent, symbol: string) => event.symbol === '*' || event.symbol === symbol;

/** True when both concern a common symbol at a common time: then one of them could not be told from the other. */
export function collide(a: MarketEvent, b: MarketEvent): boolean {
  return (a.symbol === '*' || b.symbol === '*' || a.symbol === b.symbol) && a.from < b.to && b.from < a.to;
}

/** The share of its price that a crash leaves, evenly in percent down and back up. */
function left(event: MarketEvent & { kind: 'crash' }, time: number): number {
  const fallen = time < event.lowest ? (time - event.from) / (event.lowest - event.from) : (event.to - time) / (event.to - event.lowest);
  return (1 - event.depth) ** Math.min(1, Math.max(0, fallen));
}

function crashed(candle: Candle, event: MarketEvent & { kind: 'crash' }, { tick, step }: SymbolInfo): Candle {
  const [first, last] = [left(event, candle.openTime), left(event, candle.openTime + MINUTE)];
  const ticks = (price: number, share: number) => Math.max(LOWEST_TICKS, Math.round((price * share) / tick));
  const open = ticks(candle.open, first);
  if (candle.trades < FEWEST_TRADES) return { ...candle, open: open * tick, high: open * tick, low: open * tick, close: open * tick };
  const close = ticks(candle.close, last);
  const high = Math.max(open, close, ticks(candle.high, Math.max(first, last)));
  const low = Math.min(open, close, ticks(candle.low, Math.min(first, last)));
  const busier = candle.openTime < event.lowest ? FALLING : RECOVERING;
  const most = Math.floor(Number.MAX_SAFE_INTEGER / high);
  const [steps, taken] = [Number(candle.volume / BigInt(step)) * busier, Number(candle.takerBase / BigInt(step)) * busier];
  const [volume, taker] = steps <= most ? [Math.floor(steps), Math.floor(taken)] : [most, Math.floor((taken / steps) * most)];
  const mean = (high + close - 2 * low) / 3;
  const takerWorth = Math.round(taker * mean);
  const units = (size: number, worth: number) => worthInUnits(BigInt(low) * BigInt(size) + BigInt(worth), { tick, step });
  return {
    openTime: candle.openTime, open: open * tick, high: high * tick, low: low * tick, close: close * tick, trades: candle.trades,
    volume: BigInt(volume) * BigInt(step), quoteVolume: units(volume, takerWorth + Math.round((volume - taker) * mean)),
    takerBase: BigInt(taker) * BigInt(step), takerQuote: units(taker, takerWorth),
  };
}
