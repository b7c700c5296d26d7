import { codeOf, intervalOpen, sentenceOf, type SymbolInfo, type Universe as Rules } from '@trademind/core';
import { selectUniverse, type UniverseChoice } from '@trademind/engine';
import type { Log } from '../log.ts';
import type { BinanceRest } from './binance-rest.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Symbols that are asked about at the same time. */
const CONCURRENCY = 8;
/** Of so many times as many as a trader takes the volume by closed candles is asked: the ticker's differs from it by an hour's trade at most. */
const SHORTLIST = 2;
const LEAST_SHORTLIST = 20;
/** The youngest of those that a trader could take may be too young: then the next ones are asked about. */
const AGE_ROUNDS = 6;
/** Until a trader is known, the usual one is expected. */
const USUAL: Rules = { quote: 'USDT', include: [], exclude: [], largest: 100, minQuoteVolume: 0, minAgeDays: 0 };

/** Keeps when a symbol was first traded; it never changes. */
export interface ListingStore {
  listedAt(symbol: string): number | undefined;
  setListedAt(symbol: string, ms: number): void;
}

export interface UniverseOptions {
  rest: Pick<BinanceRest, 'exchangeInfo' | 'quoteVolumes' | 'klines' | 'firstDay'>;
  /** Market time. */
  clock: { now(): number };
  log: Log;
  signal: AbortSignal;
  listings?: ListingStore | undefined;
  /** Rules that are known beforehand, so that their facts are there when they are asked for. */
  rules?(): readonly Rules[];
  /** More became known than at the last choice. */
  onFacts(): void;
}

/** What the exchange said of volumes at one refresh. Figures of different hours are never ranked against each other. */
interface Volumes {
  /** Close time of the newest hourly candle that counts, ms. */
  readonly hour: number;
  /** The exchange's rolling figures. */
  readonly rolling: ReadonlyMap<string, number>;
  /** By the 24 hourly candles up to `hour`, of the symbols that were asked about. */
  readonly closed: Map<string, number>;
  /** Symbols whose hourly candles cannot be read in this hour. */
  readonly unread: Set<string>;
}

/** What is wrong with one symbol's answer alone; any other error ends the reading. */
const OF_ONE_SYMBOL: ReadonlySet<string> = new Set(['exchange_refused', 'exchange_malformed']);
/** So many symbols are named where there are more. */
const MOST_NAMED = 5;

/**
 * The symbols of the exchange and what is known of them: from these each trader's rules choose. The 24 h volume is that of the last 24 closed
 * hourly candles, so that a backtest chooses the same; the exchange's rolling figure of the same hour only stands in until they are known. Ages come
 * from the first daily candle and are kept for good.
 */
export class Universe {
  readonly #options: UniverseOptions;
  readonly #listings: ListingStore;
  readonly #demands = new Map<string, Rules>();
  #symbols: readonly SymbolInfo[] = [];
  /** By which traders choose, and those of a refresh under way or that failed: they take the place of the former once they are complete. */
  #volumes: Volumes = { hour: 0, rolling: new Map(), closed: new Map(), unread: new Set() };
  #coming: Volumes | undefined;
  /** Symbols whose first candle was asked for in vain. */
  readonly #ageless = new Set<string>();
  #asking: Promise<void> | undefined;

  constructor(options: UniverseOptions) {
    this.#options = options;
    this.#listings = options.listings ?? listingsInMemory();
  }

  /** Reads all anew. Rejects with the exchange's error; what was known stays. */
  async refresh(): Promise<void> {
    const { rest, clock, rules } = this.#options;
    const [symbols, rolling] = await Promise.all([rest.exchangeInfo(), rest.quoteVolumes()]);
    this.#symbols = symbols;
    const hour = intervalOpen('1h', clock.now());
    // What was asked in this hour counts on.
    const known = [this.#coming, this.#volumes].find((before) => before?.hour === hour);
    this.#coming = { hour, rolling, closed: known?.closed ?? new Map(), unread: known?.unread ?? new Set() };
    this.#ageless.clear();
    for (const expected of rules?.() ?? []) this.#demand(expected);
    if (this.#demands.size === 0) this.#demand(USUAL);
    await this.#askFacts(this.#coming);
    this.#volumes = this.#coming;
    this.#coming = undefined;
    // Whoever still wants the same asks for it again by choosing.
    this.#demands.clear();
  }

  /** Reads the symbols anew unless they are at most so old. */
  async refreshSymbols(maxAgeMs: number): Promise<void> {
    this.#symbols = await this.#options.rest.exchangeInfo(maxAgeMs);
  }

  status(symbol: string): string | undefined {
    return this.#symbols.find((info) => info.symbol === symbol)?.status;
  }

  /**
   * The symbols that a trader's rules choose now. One that it already screens and that has only halted stays, so that its halt is shown
   * and it goes on when the exchange does. What is not known yet of others is asked for; then `onFacts` tells to choose again.
   */
  select(rules: Rules, members: ReadonlySet<string>): string[] {
    this.#demand(rules);
    const choice = this.#choose(rules, members);
    if (this.#lacking(rules, choice).length > 0) this.#askSoon();
    return choice.symbols;
  }

  /** Why a symbol is in a trader's universe or out of it, in a sentence. */
  why(rules: Rules, members: ReadonlySet<string>, symbol: string): string {
    return this.#choose(rules, members).why(symbol);
  }

  #choose(rules: Rules, members: ReadonlySet<string>, { closed, rolling }: Volumes = this.#volumes): UniverseChoice {
    const symbols = this.#symbols.map((info) => (members.has(info.symbol) && info.status !== 'TRADING' ? { ...info, status: 'TRADING' } : info));
    const now = this.#options.clock.now();
    return selectUniverse(rules, symbols, {
      quoteVolume24h: (symbol) => closed.get(symbol) ?? rolling.get(symbol),
      ageDays: (symbol) => {
        const listedAt = this.#listings.listedAt(symbol);
        return listedAt === undefined ? undefined : Math.floor((now - listedAt) / DAY_MS);
      },
    });
  }

  #demand(rules: Rules): void {
    this.#demands.set(JSON.stringify(rules), rules);
  }

  /** Facts that a choice would need and that are not known: volumes of the last hour, and ages. */
  #lacking(rules: Rules, choice: UniverseChoice): string[] {
    return [...this.#volumesToAsk(rules, choice, this.#volumes), ...this.#agesToAsk(choice)];
  }

  #agesToAsk({ ageUnknown }: UniverseChoice): string[] {
    return ageUnknown.filter((symbol) => !this.#ageless.has(symbol));
  }

  /** Of the largest, those whose closed candles were not asked for in this hour. */
  #volumesToAsk({ largest, minQuoteVolume = 0 }: Rules, { candidates }: UniverseChoice, { closed, rolling, unread }: Volumes): string[] {
    return candidates.slice(0, Math.max(LEAST_SHORTLIST, SHORTLIST * largest)).filter((symbol) => (rolling.get(symbol) ?? 0) >= minQuoteVolume / 2 && !closed.has(symbol) && !unread.has(symbol));
  }

  /** Asks in the background; tells when something became known. */
  #askSoon(): void {
    const { log, signal, onFacts } = this.#options;
    if (this.#asking) return;
    this.#asking = this.#askFacts(this.#volumes).then(onFacts, (error: unknown) => {
      if (!signal.aborted) log('warn', codeOf(error), `What the traders' universes need could not be read: ${sentenceOf(error)} It is tried again with the next look at the symbols.`);
    }).finally(() => { this.#asking = undefined; });
  }

  async #askFacts(volumes: Volumes): Promise<void> {
    for (const rules of this.#demands.values()) {
      await this.#askVolumes(rules, volumes);
      for (let round = 0; round < AGE_ROUNDS; round++) {
        const unknown = this.#agesToAsk(this.#choose(rules, new Set(), volumes));
        if (unknown.length === 0) break;
        const unread = await this.#forEach(unknown, async (symbol) => {
          const first = await this.#options.rest.firstDay(symbol);
          if (first === undefined) this.#ageless.add(symbol);
          else this.#listings.setListedAt(symbol, first);
        });
        for (const symbol of unread) this.#ageless.add(symbol);
      }
    }
  }

  async #askVolumes(rules: Rules, volumes: Volumes): Promise<void> {
    const { hour, closed } = volumes;
    const unread = await this.#forEach(this.#volumesToAsk(rules, this.#choose(rules, new Set(), volumes), volumes), async (symbol) => {
      const candles = await this.#options.rest.klines(symbol, '1h', hour - DAY_MS, { until: hour - HOUR_MS, limit: 24 });
      closed.set(symbol, candles.reduce((sum, { quoteVolume }) => sum + quoteVolume, 0));
    });
    for (const symbol of unread) volumes.unread.add(symbol);
  }

  /** A few at a time. Answers the symbols of which alone the exchange says nothing that can be read, said once; any other error ends it. */
  async #forEach(symbols: readonly string[], ask: (symbol: string) => Promise<void>): Promise<string[]> {
    const waiting = [...symbols];
    const unread = new Map<string, unknown>();
    await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
      for (let symbol = waiting.shift(); symbol !== undefined; symbol = waiting.shift()) {
        try {
          await ask(symbol);
        } catch (error) {
          if (!OF_ONE_SYMBOL.has(codeOf(error))) {
            waiting.length = 0;
            throw error;
          }
          unread.set(symbol, error);
        }
      }
    }));
    const [first] = unread.values();
    if (first !== undefined) this.#options.log('warn', codeOf(first), `What the exchange says of ${named([...unread.keys()])} cannot be read: ${sentenceOf(first)} The universes do without it; it is asked again within an hour or so.`);
    return [...unread.keys()];
  }
}

function named(symbols: readonly string[]): string {
  const more = symbols.length - MOST_NAMED;
  return symbols.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** First days that this process alone remembers. */
export function listingsInMemory(): ListingStore {
  const listed = new Map<string, number>();
  return { listedAt: (symbol) => listed.get(symbol), setListedAt: (symbol, ms) => listed.set(symbol, ms) };
}
