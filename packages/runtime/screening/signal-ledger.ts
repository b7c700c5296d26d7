import type { Signal } from '@trademind/core';
import { Membership, SignalPolicy, signalOf, withdrawalOf, type Absent, type Match, type ScreenedTo, type SignalRules } from '@trademind/engine';
import type { Missed, TraderState, Watermark } from '../state/state-store.ts';

interface Entry { mark: Watermark; state: TraderState; membership: Membership }

export interface SignalLedgerOptions {
  /** The live signals of the last 24 h and the open ones, in the order in which they were given. */
  recent: readonly Signal[];
  /** A running trader's cool-down and limits. */
  rules: (traderId: string) => SignalRules | undefined;
  /** A trader gives so much that it is to be paused, and why. */
  onTripped: (traderId: string, why: string) => void;
}

const keyOf = ({ traderId, symbol }: { traderId: string; symbol: string }): string => `${traderId} ${symbol}`;

/**
 * Decides what a match is: nothing new (its candle was screened before), history, or live. Keeps for each trader, version and symbol how far
 * screening has come, and gathers signals and watermarks so that both are written in one transaction.
 */
export class SignalLedger {
  /** symbol → trader id → entry */
  readonly #entries = new Map<string, Map<string, Entry>>();
  readonly #states = new Map<string, TraderState>();
  #missed: Missed[] = [];
  #signals: Signal[] = [];
  readonly #dirty = new Set<Entry>();
  readonly #options: SignalLedgerOptions;
  readonly #policy = new SignalPolicy();
  /** Signals of candles under way that were neither confirmed nor taken back, by trader and symbol. */
  readonly #open = new Map<string, Signal>();

  constructor(options: SignalLedgerOptions) {
    this.#options = options;
    for (const signal of options.recent) this.#remember(signal);
  }

  /** What was given before a restart counts on. */
  #remember(signal: Signal): void {
    if (signal.origin === 'history') return;
    if (signal.phase === 'forming') this.#open.set(keyOf(signal), signal);
    else if (this.#open.get(keyOf(signal))?.closeTime === signal.closeTime) this.#open.delete(keyOf(signal));
    if (signal.phase === 'closed') this.#policy.take(signal);
  }

  /**
   * A trader's version with the symbols that it screens and how far each has come. Replaces what was known of the trader. A match counts where its symbol was a member: one that has left
   * is screened up to its last close.
   */
  setTrader(state: TraderState, marks: readonly Watermark[], membership = Membership.always(marks.map(({ symbol }) => symbol))): void {
    this.#states.set(state.traderId, state);
    const wanted = new Map(marks.map((mark) => [mark.symbol, mark]));
    this.#withdraw((open) => open.traderId === state.traderId && !(open.traderVersion === state.version && wanted.has(open.symbol) && membership.at(open.closeTime).has(open.symbol)));
    for (const [symbol, traders] of this.#entries) {
      const entry = traders.get(state.traderId);
      if (entry && !(wanted.has(symbol) && entry.mark.version === state.version)) this.#drop(symbol, state.traderId);
    }
    for (const mark of wanted.values()) {
      const traders = this.#entries.get(mark.symbol) ?? new Map<string, Entry>();
      this.#entries.set(mark.symbol, traders);
      const known = traders.get(state.traderId);
      if (known) Object.assign(known, { state, membership });
      else traders.set(state.traderId, { mark: { ...mark }, state, membership });
    }
  }

  removeTrader(traderId: string): void {
    this.#states.delete(traderId);
    this.#policy.forget(traderId);
    this.#withdraw((open) => open.traderId === traderId);
    for (const symbol of this.#entries.keys()) this.#drop(symbol, traderId);
  }

  /** Only these traders run: what others said of candles under way, before a restart too, is taken back. */
  keepOnly(traderIds: ReadonlySet<string>): void {
    this.#withdraw((open) => !traderIds.has(open.traderId));
  }

  /** Nobody will see the close of these candles for whoever gave the signals. */
  #withdraw(which: (open: Signal) => boolean): void {
    for (const [key, open] of this.#open) {
      if (!which(open)) continue;
      this.#open.delete(key);
      this.#signals.push(withdrawalOf(open));
    }
  }

  state(traderId: string): TraderState | undefined {
    return this.#states.get(traderId);
  }

  /** The symbols that a trader screens now; those that have left and are not done are none of them. */
  symbolsOf(traderId: string): Set<string> {
    return new Set([...this.#entries].filter(([symbol, traders]) => traders.get(traderId)?.membership.now.has(symbol)).map(([symbol]) => symbol));
  }

  /** How far a trader has come on each of its symbols. */
  progressOf(traderId: string): Watermark[] {
    return [...this.#entries.values()].flatMap((traders) => traders.get(traderId)?.mark ?? []);
  }

  /** Traders that screen a symbol, with the interval and how far each has come. */
  marksOf(symbol: string): Watermark[] {
    return [...(this.#entries.get(symbol)?.values() ?? [])].map((entry) => entry.mark);
  }

  /** Takes matches in; those of candles at or before the watermark are old. Must come before `screened` of the same candle. */
  matched(matches: readonly Match[]): void {
    for (const match of matches) {
      const entry = this.#entries.get(match.symbol)?.get(match.traderId);
      if (!entry || entry.mark.version !== match.traderVersion || match.closeTime <= entry.mark.closeTime || match.closeTime <= entry.state.historyFrom) continue;
      if (!entry.membership.at(match.closeTime).has(match.symbol)) continue;
      if (match.closeTime <= entry.state.liveFrom) this.#signals.push(signalOf(match, 'history'));
      else this.#give(signalOf(match, 'live'));
    }
  }

  /** A live signal, acted upon unless the trader's own rules say otherwise. */
  #give(signal: Signal): void {
    const key = keyOf(signal);
    const { phase, closeTime, traderId } = signal;
    if (phase === 'forming' && this.#open.get(key)?.closeTime === closeTime) return;
    const rules = this.#options.rules(traderId);
    const suppressed = rules && this.#policy.decide(signal, rules);
    const given = suppressed ? { ...signal, suppressed } : signal;
    this.#signals.push(given);
    if (phase === 'forming') {
      this.#open.set(key, given);
      return;
    }
    if (this.#open.get(key)?.closeTime === closeTime) this.#open.delete(key);
    this.#policy.take(given);
    const why = rules && this.#policy.tripped(traderId, rules);
    if (why) this.#options.onTripped(traderId, why);
  }

  /** These traders have screened the symbol's candles up to this close. Who is not named has not, whatever the others did. */
  screened({ symbol, closeTime, traders }: Pick<ScreenedTo, 'symbol' | 'closeTime'> & { traders: readonly { id: string; version: number }[] }): void {
    const entries = this.#entries.get(symbol);
    if (!entries) return;
    for (const { id, version } of traders) {
      const entry = entries.get(id);
      if (entry?.mark.version !== version || closeTime <= entry.mark.closeTime) continue;
      entry.mark.closeTime = closeTime;
      const open = this.#open.get(`${id} ${symbol}`);
      if (open && open.closeTime <= closeTime) {
        // Its candle has closed, and the trader did not hold on it.
        this.#open.delete(`${id} ${symbol}`);
        this.#signals.push(withdrawalOf(open));
      }
      this.#dirty.add(entry);
    }
  }

  /** Who was missing when closes were screened: noted where that is news. Must come before `screened` of the same closes. */
  absent(absent: readonly Absent[]): void {
    for (const { traderId, version, closeTime, symbols } of absent) {
      const marks = this.progressOf(traderId);
      const [mark] = marks;
      if (mark?.version !== version || marks.some((known) => known.closeTime >= closeTime)) continue;
      this.#missed.push({ traderId, version, interval: mark.interval, closeTime, symbols });
    }
  }

  get isEmpty(): boolean {
    return this.#signals.length === 0 && this.#dirty.size === 0 && this.#missed.length === 0;
  }

  /** What is to be written now. `written` must follow when it was; until then it is given again. */
  step(): { signals: readonly Signal[]; watermarks: readonly Watermark[]; missed: readonly Missed[] } {
    return { signals: this.#signals, watermarks: [...this.#dirty].map((entry) => entry.mark), missed: this.#missed };
  }

  /** The step is on disk: `fresh` of its signals were new, and are counted. */
  written(fresh: readonly Signal[]): void {
    for (const signal of fresh) {
      const state = this.#states.get(signal.traderId);
      if (state?.version !== signal.traderVersion) continue;
      if (signal.origin === 'live') state.liveSignals += 1;
      else state.historySignals += 1;
    }
    this.#signals = [];
    this.#missed = [];
    this.#dirty.clear();
  }

  #drop(symbol: string, traderId: string): void {
    const traders = this.#entries.get(symbol);
    const entry = traders?.get(traderId);
    if (!traders || !entry) return;
    this.#dirty.delete(entry);
    traders.delete(traderId);
    if (traders.size === 0) this.#entries.delete(symbol);
  }
}
