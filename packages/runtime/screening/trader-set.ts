import { intervalMs, intervalOpen, sentenceOf, type Interval, type TraderStatus } from '@trademind/core';
import { Membership, type MemberSpan, type NeededSeries, type SignalRules } from '@trademind/engine';
import type { Log } from '../log.ts';
import type { MarketLink } from '../market/market-link.ts';
import type { StateStore, StoredTrader, TraderState, Watermark } from '../state/state-store.ts';
import type { ParallelScreener } from './parallel-screener.ts';
import type { SignalLedger } from './signal-ledger.ts';

const HISTORY_MS = 86_400_000;
/** After a long absence at most so much market time is caught up. */
const CATCH_UP_MS = 7 * 86_400_000;
/** Candles before the first one screened: the one an edge looks back to, and one more. */
const EXTRA_CANDLES = 2;
/** A symbol that has left is screened up to its last close at most so long after it. */
const LEAVING_MS = 3_600_000;
/** Kept beside those that are needed. */
const SPARE_CANDLES = 100;

/** How many candles of a series are kept: 24 h to search, what settles indicators before them, and some to spare. */
export const candlesKept = (interval: Interval, settle: number): number => Math.ceil(HISTORY_MS / intervalMs(interval)) + settle + SPARE_CANDLES;

const SHED = 'It waits because there is more to screen than time, and traders of higher priority go first. What it misses is caught up as soon as there is room; a larger machine would keep up.';

/** A trader that cannot run: its document is not readable, or its expressions do not compile. */
export interface InvalidTrader { id: string; name: string; version: number; error: string }

/** Whom the traders of a recorded session screened, and when: a replay's word on it. */
export interface RecordedMembers {
  /** What was recorded of a trader's version by now; undefined: nothing ever was. */
  of(trader: StoredTrader): Membership | undefined;
}

export interface TraderSetOptions {
  store: StateStore;
  recorded?: RecordedMembers | undefined;
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
  /** Per trader who was in its universe when. */
  readonly #memberships = new Map<string, Membership>();
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
        this.#memberships.delete(trader.id);
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
      if (before.get(trader.id)?.version !== trader.version) log('info', 'trader_runs', `"${trader.document.name}" (version ${trader.version}) runs on ${this.#memberships.get(trader.id)!.now.size} symbols.`);
    }
    this.#catchUp();
  }

  /** Lays down when a version was first seen, and which symbols it screens from where, before anything of it is screened. */
  #prepare(trader: StoredTrader, reselect: boolean): void {
    const { store, market } = this.#options;
    const { id, version, document } = trader;
    const interval = document.interval ?? this.#options.defaultInterval;
    const closed = intervalOpen(interval, market.clock.now());
    const mark = (symbol: string, closeTime: number): Watermark => ({ traderId: id, version, symbol, interval, closeTime });
    const state = store.traderState(id, version);
    if (!state) {
      const historyFrom = closed - HISTORY_MS;
      const { membership, spans } = this.#choose(trader, undefined, historyFrom);
      const marks = [...membership.after(historyFrom).symbols].map((symbol) => mark(symbol, historyFrom));
      this.#keep(trader, store.beginTrader({ traderId: id, version, historyFrom, liveFrom: closed, spans }, marks), marks, membership);
      return;
    }
    let marks = store.watermarks(id, version);
    const oldest = closed - CATCH_UP_MS;
    if (marks.some((known) => known.closeTime < oldest)) {
      this.#options.log('warn', 'catch_up_limited', `"${document.name}" was last screened more than 7 days ago: it is caught up from ${new Date(oldest).toISOString()} on.`);
      marks = marks.map((known) => ({ ...known, closeTime: Math.max(known.closeTime, oldest) }));
    }
    let membership = store.memberships.of(trader) ?? Membership.always(marks.map(({ symbol }) => symbol));
    if (reselect || marks.length === 0) {
      const choice = this.#choose(trader, membership, closed);
      membership = choice.membership;
      const known = new Map(marks.map((one) => [one.symbol, one]));
      // One that has left is screened up to its last close: what an outage holds back of it may still come.
      const isDone = ({ symbol, closeTime }: Watermark): boolean => { const until = membership.until(symbol); return closeTime >= until || until < closed - LEAVING_MS; };
      const left = marks.filter((one) => !membership.now.has(one.symbol) && isDone(one)).map(({ symbol }) => symbol);
      const joined = [...membership.now].filter((symbol) => !known.has(symbol)).map((symbol) => mark(symbol, marks.length === 0 ? closed : membership.since(symbol)));
      if (joined.length + left.length + choice.spans.length > 0) store.setMembers(id, version, { left, joined, spans: choice.spans });
      marks = [...marks.filter(({ symbol }) => !left.includes(symbol)), ...joined];
    }
    this.#keep(trader, state, marks, membership);
  }

  #keep(trader: StoredTrader, state: TraderState, marks: readonly Watermark[], membership: Membership): void {
    if (this.#options.ledger.state(trader.id)?.version !== trader.version) this.#options.store.memberships.begins(trader, membership);
    this.#memberships.set(trader.id, membership);
    this.#options.ledger.setTrader(state, marks, membership);
  }

  /** Whom a trader screens on the closes after `closed`, beside what is known of before; what is new in it. In a replay that is what was recorded. */
  #choose(trader: StoredTrader, known: Membership | undefined, closed: number): { membership: Membership; spans: MemberSpan[] } {
    const { market, recorded } = this.#options;
    const told = recorded?.of(trader);
    if (told) {
      const last = known?.spans.at(-1)?.after ?? -Infinity;
      return { membership: told, spans: told.spans.filter(({ after }) => after > last).map(({ after, symbols }) => ({ after, symbols: [...symbols] })) };
    }
    if (recorded && !known) this.#options.log('warn', 'membership_unrecorded', `Whom "${trader.document.name}" screened was not recorded: its universe is chosen by its rules, from the volumes of closed candles.`);
    const members = known?.now ?? new Set<string>();
    const symbols = market.universe.select(trader.document.universe, members);
    if (known && symbols.length === members.size && symbols.every((symbol) => members.has(symbol))) return { membership: known, spans: [] };
    const before = known?.spans.filter(({ after }) => after < closed) ?? [];
    return { membership: new Membership([...before, { after: closed, symbols }], known?.absences), spans: [{ after: closed, symbols }] };
  }

  /** Streams what is needed, fetches anew what reaches back too little, and screens the stored candles for whoever joined. */
  #catchUp(): void {
    const { market, screener } = this.#options;
    for (const { id } of this.#running.values()) screener.setUniverse(id, this.#screened(id));
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

  /**
   * What of a trader's membership its screening needs: the closes that are not screened yet; and of one that ranks symbols those on which what it finds then looks back, so that they are
   * ranked as they were.
   */
  #screened(traderId: string): Membership {
    const { ledger, screener } = this.#options;
    const membership = this.#memberships.get(traderId)!;
    const marks = ledger.progressOf(traderId);
    const trader = screener.trader(traderId);
    if (!trader?.waits) return membership.after(Math.min(...marks.filter(({ symbol }) => !membership.now.has(symbol)).map(({ closeTime }) => closeTime)));
    return membership.after(Math.max(...marks.map(({ closeTime }) => closeTime)) - (trader.settle + EXTRA_CANDLES) * intervalMs(trader.interval));
  }
}
