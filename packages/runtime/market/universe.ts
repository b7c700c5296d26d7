import type { SymbolInfo, TraderDocument } from '@trademind/core';
import { selectUniverse } from '@trademind/engine';
import type { BinanceRest } from './binance-rest.ts';

/** The symbols of the exchange with their 24 h quote volume: from these each trader's rules choose. */
export class Universe {
  readonly #rest: Pick<BinanceRest, 'exchangeInfo' | 'quoteVolumes'>;
  #symbols: readonly SymbolInfo[] = [];
  #volumes: ReadonlyMap<string, number> = new Map();

  constructor(rest: Pick<BinanceRest, 'exchangeInfo' | 'quoteVolumes'>) {
    this.#rest = rest;
  }

  /** Reads both anew. Rejects with the exchange's error; what was known stays. */
  async refresh(): Promise<void> {
    const [symbols, volumes] = await Promise.all([this.#rest.exchangeInfo(), this.#rest.quoteVolumes()]);
    this.#symbols = symbols;
    this.#volumes = volumes;
  }

  /** Reads the symbols anew, without their volumes. */
  async refreshSymbols(): Promise<void> {
    this.#symbols = await this.#rest.exchangeInfo();
  }

  status(symbol: string): string | undefined {
    return this.#symbols.find((info) => info.symbol === symbol)?.status;
  }

  /**
   * The symbols that a trader's rules choose now. One that it already screens and that has only halted stays, so that its halt is shown
   * and it goes on when the exchange does.
   */
  select(rules: TraderDocument['universe'], members: ReadonlySet<string>): string[] {
    const symbols = this.#symbols.map((info) => (members.has(info.symbol) && info.status !== 'TRADING' ? { ...info, status: 'TRADING' } : info));
    return selectUniverse(rules, symbols, (symbol) => this.#volumes.get(symbol)).symbols;
  }
}
