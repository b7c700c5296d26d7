import { intervalMs, intervalOpen, sentenceOf, type Interval, type TraderStatus } from '@trademind/core';
import type { NeededSeries, SignalRules } from '@trademind/engine';
import type { Log } from '../log.ts';
import type { MarketLink } from '../market/market-link.ts';
import type { StateStore, StoredTrader, Watermark } from '../state/state-store.ts';
import type { ParallelScreener } from './parallel-screener.ts';
import type { SignalLedger } from './signal-ledger.ts';

const HISTORY_MS = 86_400_000;
/** After a long absence at most so much market time is caught up. */
const CATCH_UP_MS = 7 * 86_400_000;
/** Candles before the first one screened: the one an edge looks back to, and one more. */
const EXTRA_CANDLES = 2;
/** Kept beside those that are needed. */
const SPARE_CANDLES = 100;

/** How many candles of a series are kept: 24 h to search, what settles indicators before them, and some to spare. */
export const candlesKept = (interval: Interval, settle: number): number => Math.ceil(HISTORY_MS / intervalMs(interval)) + settle + SPARE_CANDLES;

const SHED = 'It waits because there is more to screen than time, and traders of higher priority go first. What it misses is caught up as soon as there is room; a larger machine would keep up.';

/** A trader that cannot run: its document is not readable, or its expressions do not compile. */
export interface InvalidTrader { id: string; name: string; version: number; error: string }

export interface TraderSetOptions {
  store: StateStore;
  market: Pick<MarketLink, 'clock' | 'universe' | 'candles' | 'want'>;
  screener: ParallelScreener;
  ledger: SignalLedger;
  defaultInterval: Interval;
  log: Log;
}

/**
 * The traders that run on this machine, reconciled level-based, both ways: new, edited, disabled and deleted ones, and the symbols that
 * each screens. When a version is first seen here, the moment is kept: 24 h before it are history, what closes after it is live.
 */
export class TraderSet {
  readonly #options: TraderSetOptions;
  #stored: readonly StoredTrader[] = [];
  /** Those of them that are not paused. */
  #wanted: readonly StoredTrader[] = [];
  #running = new Map<string, StoredTrader>();
  #unreadable: readonly InvalidTrader[] = [];
  #invalid: InvalidTrader[] = [];
  /** What is made of shorter candles, by symbol. */
  #longer: ReadonlyMap<string, readonly NeededSeries[]> = new Map();
  /** Traders that were stopped for what they did, by id; another version of one runs again. */
  readonly #paused = new Map<string, { trader: StoredTrader; why: string }>();

  constructor(options: TraderSetOptions) {
    this.#options = options;
  }

  running(): StoredTrader[] {
    return [...this.#running.values()];
  }

  /** All symbols that are screened, each with the intervals of the traders that screen it. */
  symbols(): Map<string, Interval[]> {
    const symbols = new Map<string, Interval[]>();
    for (const { id, document } of this.#running.values()) {
      for (const symbol of this.#options.ledger.symbolsOf(id)) symbols.set(symbol, [...(symbols.get(symbol) ?? []), document.interval ?? this.#options.defaultInterval]);
    }
    return symbols;
  }

  /** Cool-down and limits of a running trader. */
  rules(traderId: string): SignalRules | undefined {
    const document = this.#running.get(traderId)?.document;
    return document && { cooldown: document.cooldown, limits: document.limits, interval: document.interval ?? this.#options.defaultInterval };
  }

  /** A trader that has gone wrong stops, until it is edited or the machine restarts. */
  pause(traderId: string, why: string): void {
    const trader = this.#running.get(traderId);
    if (!trader) return;
    this.#paused.set(traderId, { trader, why });
    this.#options.log('error', 'trader_paused', `"${trader.document.name}" is paused. ${why}`);
    this.#reconcile(false);
  }

  name(traderId: string): string {
    return this.#running.get(traderId)?.document.name ?? traderId;
  }

  /** These traders run from now on, and no others. */
  set(traders: readonly StoredTrader[], unreadable: readonly InvalidTrader[]): void {
    this.#stored = traders;
    this.#unreadable = unreadable;
    this.#reconcile(false);
  }

  /** Every trader's symbols are chosen anew. */
  reselect(): void {
    this.#reconcile(true);
  }

  /** Open time of the first candle that a series needs: what settles the indicators before the first candle that is screened. */
  startOf(symbol: string, interval: Interval): number {
    const { market, ledger, screener } = this.#options;
    let from = intervalOpen(interval, market.clock.now()) - HISTORY_MS;
    for (const mark of ledger.marksOf(symbol)) if (mark.interval === interval) from = Math.min(from, mark.closeTime);
    return intervalOpen(interval, from - (screener.settleCandles(interval) + EXTRA_CANDLES) * intervalMs(interval));
  }

  /** Longer intervals that are made of a symbol's candles, and from where their past is needed: so that they have settled where its own history begins. */
  longer(symbol: string): { interval: Interval; from: number }[] {
    const { screener, market } = this.#options;
    return (this.#longer.get(symbol) ?? []).map(({ interval, settle }) => {
      const starts = screener.intervals().map((own) => this.startOf(symbol, own));
      const begin = Math.min(market.clock.now(), ...starts);
      return { interval, from: intervalOpen(interval, begin - (settle + EXTRA_CANDLES) * intervalMs(interval)) };
    });
  }

  statuses(): TraderStatus[] {
    const { ledger, screener, defaultInterval } = this.#options;
    const running = this.running().map((trader): TraderStatus => {
      const state = ledger.state(trader.id);
      const { symbols, ready, matching } = screener.counts(trader.id);
      const standing = screener.shed.has(trader.id) ? { state: 'shed' as const, error: SHED } : { state: 'running' as const };
      return {
        id: trader.id, name: trader.document.name, version: trader.version, interval: trader.document.interval ?? defaultInterval, ...standing,
        symbols, ready, matching, historyFrom: state?.historyFrom ?? 0, liveFrom: state?.liveFrom ?? 0,
        signals: { live: state?.liveSignals ?? 0, history: state?.historySignals ?? 0 },
      };
    });
    const invalid = [...this.#unreadable, ...this.#invalid].map(({ id, name, version, error }): TraderStatus => ({
      id, name, version, interval: defaultInterval, state: 'invalid', error, symbols: 0, ready: 0, matching: 0, historyFrom: 0, liveFrom: 0, signals: { live: 0, history: 0 },
    }));
    const paused = [...this.#paused.values()].map(({ trader: { id, version, document }, why }): TraderStatus => ({
      id, name: document.name, version, interval: document.interval ?? defaultInterval, state: 'paused', error: why, symbols: 0, ready: 0, matching: 0, historyFrom: 0, liveFrom: 0, signals: { live: 0, history: 0 },
    }));
    return [...running, ...paused, ...invalid];
  }

  #reconcile(reselect: boolean): void {
    const { store, ledger, screener, log } = this.#options;
    const before = this.#running;
    for (const [id, { trader }] of this.#paused) if (!this.#stored.some((stored) => stored.id === id && stored.version === trader.version)) this.#paused.delete(id);
    this.#wanted = this.#stored.filter(({ id }) => !this.#paused.has(id));
    for (const trader of before.values()) {
      if (!this.#wanted.some((wanted) => wanted.id === trader.id)) {
        ledger.removeTrader(trader.id);
        log('info', 'trader_stopped', `"${trader.document.name}" no longer runs.`);
      }
    }
    ledger.keepOnly(new Set(this.#wanted.map(({ id }) => id)));
    store.keepOnly(this.#wanted);
    for (const trader of this.#wanted) this.#prepare(trader, reselect);

    const { invalid } = screener.setTraders(this.#wanted);
    const broken = new Map(invalid.map(({ id, error }) => [id, error]));
    this.#running = new Map(this.#wanted.filter((trader) => !broken.has(trader.id)).map((trader) => [trader.id, trader]));
    this.#invalid = this.#wanted.filter((trader) => broken.has(trader.id))
      .map(({ id, version, document }) => ({ id, version, name: document.name, error: sentenceOf(broken.get(id)) }));
    for (const trader of this.#invalid) {
      ledger.removeTrader(trader.id);
      log('error', 'trader_invalid', `"${trader.name}" cannot run: ${trader.error}`);
    }
    for (const trader of this.#running.values()) {
      if (before.get(trader.id)?.version !== trader.version) log('info', 'trader_runs', `"${trader.document.name}" (version ${trader.version}) runs on ${this.#members(trader).size} symbols.`);
    }
    this.#catchUp();
  }

  /** Lays down when a version was first seen, and which symbols it screens from where, before anything of it is screened. */
  #prepare(trader: StoredTrader, reselect: boolean): void {
    const { store, market, ledger } = this.#options;
    const { id, version, document } = trader;
    const interval = document.interval ?? this.#options.defaultInterval;
    const closed = intervalOpen(interval, market.clock.now());
    const mark = (symbol: string, closeTime: number): Watermark => ({ traderId: id, version, symbol, interval, closeTime });
    const state = store.traderState(id, version);
    if (!state) {
      const historyFrom = closed - HISTORY_MS;
      const marks = market.universe.select(document.universe, new Set()).map((symbol) => mark(symbol, historyFrom));
      ledger.setTrader(store.beginTrader({ traderId: id, version, historyFrom, liveFrom: closed }, marks), marks);
      return;
    }
    let marks = store.watermarks(id, version);
    const oldest = closed - CATCH_UP_MS;
    if (marks.some((known) => known.closeTime < oldest)) {
      this.#options.log('warn', 'catch_up_limited', `"${document.name}" was last screened more than 7 days ago: it is caught up from ${new Date(oldest).toISOString()} on.`);
      marks = marks.map((known) => ({ ...known, closeTime: Math.max(known.closeTime, oldest) }));
    }
    if (reselect || marks.length === 0) {
      const members = new Map(marks.map((known) => [known.symbol, known]));
      const chosen = new Set(market.universe.select(document.universe, new Set(members.keys())));
      const joined = [...chosen].filter((symbol) => !members.has(symbol)).map((symbol) => mark(symbol, closed));
      const left = [...members.keys()].filter((symbol) => !chosen.has(symbol));
      if (joined.length + left.length > 0) store.setMembers(id, version, { left, joined });
      marks = [...marks.filter((known) => chosen.has(known.symbol)), ...joined];
    }
    ledger.setTrader(state, marks);
  }

  /** Streams what is needed, fetches anew what reaches back too little, and screens the stored candles for whoever joined. */
  #catchUp(): void {
    const { market, screener } = this.#options;
    for (const trader of this.#running.values()) screener.setUniverse(trader.id, this.#members(trader));
    const streamed = new Map<string, Interval[]>();
    const longer = new Map<string, NeededSeries[]>();
    for (const need of screener.needs()) {
      if (need.streamed) streamed.set(need.symbol, [...(streamed.get(need.symbol) ?? []), need.interval]);
      else longer.set(need.symbol, [...(longer.get(need.symbol) ?? []), need]);
    }
    const before = this.#longer;
    this.#longer = longer;
    market.want(streamed);
    for (const [symbol, intervals] of streamed) {
      const reaches = intervals.every((interval) => market.candles.covers(symbol, interval, this.startOf(symbol, interval), screener.candles.series(symbol, interval)))
        && this.longer(symbol).every(({ interval, from }) => {
          const settle = (one: ReadonlyMap<string, readonly NeededSeries[]>): number => one.get(symbol)?.find((need) => need.interval === interval)?.settle ?? 0;
          return settle(before) >= settle(longer) || (screener.candles.series(symbol, interval)?.openTime(0) ?? Infinity) <= from;
        });
      // What the stored candles gave to newcomers is void with them: it comes again with the longer history.
      if (!reaches) market.candles.refill(symbol);
    }
  }

  #members(trader: StoredTrader): Set<string> {
    return this.#options.ledger.symbolsOf(trader.id);
  }
}
