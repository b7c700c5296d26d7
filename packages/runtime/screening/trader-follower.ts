import { codeOf, sentenceOf } from '@trademind/core';
import type { Log } from '../log.ts';
import type { StateStore, StoredTrader } from '../state/state-store.ts';
import type { InvalidTrader, TraderSet } from './trader-set.ts';

const RETRY_MS = 5_000;

export interface TraderFollowerOptions {
  traders: Pick<TraderSet, 'set' | 'reselect' | 'pause'>;
  store: Pick<StateStore, 'cachedTraders'>;
  /** Whether traders may run now; `apply` is to be called when that changes. */
  mayScreen: () => boolean;
  log: Log;
  signal: AbortSignal;
  /** Other traders run, or the same on other symbols. */
  onChanged: () => void;
}

/**
 * Has those traders run that were named last, as soon as the machine may screen. A failure in applying what others stored (a full disk) must not end the machine: it is said and tried
 * again.
 */
export class TraderFollower {
  readonly #options: TraderFollowerOptions;
  readonly #known = Promise.withResolvers<void>();
  /** Before that nothing runs whose symbols could be chosen. */
  #applied = false;
  #named: { traders: readonly StoredTrader[]; unreadable: readonly InvalidTrader[] } | undefined;

  constructor(options: TraderFollowerOptions) {
    this.#options = options;
  }

  /** Resolves when traders have been named for the first time, or it ends. */
  get known(): Promise<void> {
    return this.#known.promise;
  }

  /** How many are to run. */
  get count(): number {
    return this.#named?.traders.length ?? 0;
  }

  /** These are to run from now on, and no others. */
  set(traders: readonly StoredTrader[], unreadable: readonly InvalidTrader[]): void {
    this.#named = { traders, unreadable };
    this.#known.resolve();
    this.apply();
  }

  /** The database is away: the traders that it named last are as good as any. Without any, the machine waits. */
  useCached(): void {
    const cached = this.#named ? undefined : this.#options.store.cachedTraders();
    if (!cached) return;
    this.#options.log('warn', 'traders_cached', `The database has not named its traders yet; the machine goes on with the ${cached.length} that it knows.`);
    this.set(cached, []);
  }

  /** Brings what runs to what was named, as far as the machine may screen. */
  apply(): void {
    const named = this.#named;
    if (!named || !this.#options.mayScreen()) return;
    this.#applied = true;
    this.#change((traders) => traders.set(named.traders, named.unreadable));
  }

  /** The universe was read anew: every trader's symbols are chosen again. */
  reselect(): void {
    if (this.#applied) this.#change((traders) => traders.reselect());
  }

  /** A trader has gone wrong; what found that out is over before the trader stops. */
  pauseSoon(traderId: string, why: string): void {
    setImmediate(() => { if (!this.#options.signal.aborted) this.#change((traders) => traders.pause(traderId, why)); });
  }

  /** Whoever waits for traders waits no longer. */
  stop(): void {
    this.#known.resolve();
  }

  #change(work: (traders: TraderFollowerOptions['traders']) => void): void {
    const { traders, log, signal, onChanged } = this.#options;
    try {
      work(traders);
      onChanged();
    } catch (error) {
      log('error', codeOf(error), `The traders could not be applied: ${sentenceOf(error)} It is tried again.`);
      setTimeout(() => { if (!signal.aborted) this.apply(); }, RETRY_MS).unref();
    }
  }
}
