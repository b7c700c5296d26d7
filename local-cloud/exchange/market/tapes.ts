import { canBeLaid, layTrades } from './lay-trades.ts';
import { inLots } from './lots.ts';
import { MINUTE } from './intervals.ts';
import { hash, mix } from './random.ts';
import { Tape } from './tape.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

/** Minutes whose trades are kept, per symbol. */
const KEPT = 4;

/** The trades of every minute: the market's own, or laid out from its candle; the same each time, whoever asks. */
export class Tapes {
  readonly #source: MarketSource;
  readonly #known: Map<string, { info: SymbolInfo; key: number; kept: Map<number, Tape> }>;

  constructor(source: MarketSource) {
    this.#source = source;
    this.#known = new Map(source.symbols.map((info) => [info.symbol, { info, key: hash(`${info.symbol}/trades`), kept: new Map() }]));
  }

  /** The trades of the minute that opens at `openTime`; undefined where the market has no such minute. A quiet minute has none. */
  at(symbol: string, openTime: number): Tape | undefined {
    const known = this.#known.get(symbol);
    if (!known) return undefined;
    const found = known.kept.get(openTime);
    if (found) return found;
    const tape = this.#source.tape?.(symbol, openTime) ?? this.#lay(known.info, openTime, mix(known.key ^ (openTime / MINUTE)));
    if (!tape) return undefined;
    known.kept.set(openTime, tape);
    if (known.kept.size > KEPT) known.kept.delete(known.kept.keys().next().value as number);
    return tape;
  }

  #lay(info: SymbolInfo, openTime: number, key: number): Tape | undefined {
    const candle = this.#source.minute(info.symbol, openTime);
    if (!candle) return undefined;
    const none = { at: new Uint16Array(), price: new Float64Array(), quantity: new Float64Array(), buyerMaker: new Uint8Array() };
    if (candle.trades === 0) return new Tape(openTime, info, none);
    const lots = inLots(candle, info);
    if (!lots || !canBeLaid(lots, candle.trades)) throw new Error(`The candle of ${info.symbol} at ${openTime} cannot be made of ${candle.trades} trades.`);
    return new Tape(openTime, info, layTrades(lots, candle.trades, key));
  }
}
