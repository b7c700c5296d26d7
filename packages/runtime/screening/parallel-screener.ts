import { availableParallelism } from 'node:os';
import type { Candle, Explanation, Interval } from '@trademind/core';
import { Membership, Screener, type Funnel, type IdleTrader, type Match, type NeededSeries, type RunningTrader, type ScreenedTo } from '@trademind/engine';
import type { Log } from '../log.ts';
import { every, type Wall } from '../time.ts';
import { toShed } from './overload.ts';
import { PassLoad } from './pass-load.ts';
import { ShardedLanes, type Screened } from './sharded-lanes.ts';
import { workersWanted } from './worker-count.ts';

export interface ParallelScreenerOptions {
  defaultInterval: Interval;
  /** Candles to keep of a series. */
  capacity: (interval: Interval) => number;
  wall: Wall;
  log: Log;
  /** Market time now, ms: traders that look at other symbols do not wait for them for ever. */
  marketNow: () => number;
  /**
   * What was found, in the order of each symbol's candles, and how far the traders that found it have come with it: all that they find in those candles is there or was told before. It comes
   * after `push` and `setTraders` have returned; what belongs to a series that was forgotten meanwhile never comes. A match may be told twice: what a trader found up to where it has come is old.
   */
  onScreened: (found: Screened) => void;
  /** Market time (ms) that a trader which looks at other symbols waits for their candles after a close. */
  deadlineMs?: number | undefined;
  /** Worker threads: so many, or as the load wants. */
  workers?: number | 'auto';
  /** vCPUs of this machine. */
  cpus?: number;
}

/** How often deadlines and load are looked at, ms of wall time. */
const LOOK_MS = 500;

/**
 * Owns the screening. Candles go in by `push`, results come out by `onScreened`. It shards the symbols over worker threads where the load wants it; what looks at several symbols runs
 * on this thread.
 */
export class ParallelScreener {
  readonly #options: ParallelScreenerOptions;
  readonly #screener: Screener;
  readonly #lanes: ShardedLanes;
  readonly #endLooks: () => void;
  /** What waits for the end of this turn of the event loop. */
  #found: Screened[] = [];
  #telling: NodeJS.Immediate | undefined;
  #candles = 0;
  #lastCloseAt: number | null = null;
  readonly #load = new PassLoad();
  /** All traders and their symbols, also those that are not screened for now because there is too much to do. */
  #traders: readonly RunningTrader[] = [];
  readonly #universes = new Map<string, Membership>();
  readonly #shed = new Set<string>();

  constructor(options: ParallelScreenerOptions) {
    this.#options = options;
    const { defaultInterval, capacity, wall, log, marketNow, deadlineMs } = options;
    let lanes: ShardedLanes | undefined;
    this.#screener = new Screener({
      defaultInterval, capacity, marketNow, ...(deadlineMs !== undefined && { deadlineMs }),
      lanes: (candles) => (lanes = new ShardedLanes({
        candles, defaultInterval, wall, log,
        onScreened: ({ matches, screened }) => this.#later(matches, screened),
        onWork: (busyMs, candlesMs) => this.#load.worked(busyMs, candlesMs),
      })),
    });
    this.#lanes = lanes!;
    this.#endLooks = every(LOOK_MS, wall, () => this.#lookAround());
    if (typeof options.workers === 'number' && options.workers > 0) void this.#lanes.resize(options.workers);
  }

  get candles(): Screener['candles'] {
    return this.#screener.candles;
  }

  /** Candles taken in since the start, the time that screening took on all threads, the close time (ms, market time) of the latest, and the workers there are and were lost. */
  get work(): { candles: number; busyMs: number; lastCloseAt: number | null; passMs: number; workers: number; replaced: number } {
    return { candles: this.#candles, busyMs: this.#load.busyMs, lastCloseAt: this.#lastCloseAt, passMs: this.#load.passMs, workers: this.#lanes.workers, replaced: this.#lanes.shards.replaced };
  }

  /** The lanes, for tests that end a worker. */
  get lanes(): ShardedLanes {
    return this.#lanes;
  }

  /** Takes a closed candle in. Throws TradeMindError `candle_gap` when it is not the next of its series. */
  push(symbol: string, interval: Interval, candle: Candle): void {
    const { wall, marketNow } = this.#options;
    const began = wall.now();
    const matches = this.#screener.onCandle(symbol, interval, candle);
    this.#candles += 1;
    const closeTime = this.#screener.candles.lastCloseTime(symbol, interval)!;
    this.#lastCloseAt = Math.max(this.#lastCloseAt ?? 0, closeTime);
    const decided = this.#load.closed(closeTime, began, marketNow(), this.#lanes.workers);
    if (decided !== undefined) setImmediate(() => this.#balance(decided));
    this.#load.worked(wall.now() - began);
    this.#later(matches);
  }

  /** Makes the running set equal the given one; what new traders find in the stored candles is told as all else. */
  setTraders(traders: readonly RunningTrader[]): Omit<ReturnType<Screener['setTraders']>, 'matches'> {
    this.#traders = traders;
    this.#shed.clear();
    for (const id of this.#universes.keys()) if (!traders.some((trader) => trader.id === id)) this.#universes.delete(id);
    return this.#run();
  }

  /** Runs those that are not shed. */
  #run(): Omit<ReturnType<Screener['setTraders']>, 'matches'> {
    const running = this.#traders.filter(({ id }) => !this.#shed.has(id));
    for (const { id } of running) {
      const symbols = this.#universes.get(id);
      if (symbols !== undefined && this.#screener.trader(id) === undefined) this.#screener.setUniverse(id, symbols);
    }
    const { matches, added, removed, invalid } = this.#screener.setTraders(running);
    this.#later(matches);
    return { added, removed, invalid };
  }

  /** Traders that are not screened for now, because there is more to do than time; they are caught up later. */
  get shed(): ReadonlySet<string> {
    return this.#shed;
  }

  /** Screening does not keep up, or has room again: the least important traders stop, or all go on from where they stopped. */
  #balance(what: 'shed' | 'restore'): void {
    const { log } = this.#options;
    if (what === 'restore') {
      if (this.#shed.size === 0) return;
      log('info', 'screening_restored', `Screening keeps up again: ${this.#shed.size} traders go on, and what they missed is screened now.`);
      this.#shed.clear();
    } else {
      const shed = toShed(this.#traders.filter(({ id }) => !this.#shed.has(id)).map(({ id, document }) => ({ id, priority: document.analysis.priority })));
      if (shed.length === 0) return;
      for (const id of shed) {
        // Who was missing up to now is known to whoever screened it.
        const universe = this.#screener.trader(id)?.universe;
        if (universe !== undefined) this.#universes.set(id, universe);
        this.#shed.add(id);
      }
      log('error', 'screening_overloaded', `Screening takes longer than the time between two closes: ${shed.length} traders of the lowest priority wait, and are caught up later. A larger machine would keep up.`);
    }
    this.#run();
  }

  /** A running trader that is not shed. */
  trader(traderId: string): ReturnType<Screener['trader']> {
    return this.#screener.trader(traderId);
  }

  /** Which symbols a trader screens, and since when; what it finds in the stored candles of those that joined is told as all else. */
  setUniverse(traderId: string, universe: Membership | ReadonlySet<string>): void {
    const membership = universe instanceof Membership ? universe : Membership.always(universe);
    this.#universes.set(traderId, membership);
    if (this.#shed.has(traderId)) return;
    this.#later(this.#screener.setUniverse(traderId, membership));
  }

  /** Shows traders that ask for it each candle under way as it stands: what it would give is told as all else, marked `forming`. */
  peek(formingOf: (series: { symbol: string; interval: Interval }) => Candle | undefined): void {
    for (const { interval, symbols } of this.#screener.forming()) {
      for (const symbol of symbols) {
        const candle = formingOf({ symbol, interval });
        if (candle) this.#later(this.#screener.peek(symbol, interval, candle));
      }
    }
  }

  settleCandles(interval: Interval): number {
    return this.#screener.settleCandles(interval);
  }

  /** Intervals on which traders run. */
  intervals(): Interval[] {
    return this.#screener.intervals();
  }

  /** Every series that the running traders read. */
  needs(): NeededSeries[] {
    return this.#screener.needs();
  }

  /** The past of a series that is made of shorter candles, as the exchange has it. */
  seed(symbol: string, interval: Interval, candles: readonly Candle[]): void {
    this.#screener.seed(symbol, interval, candles);
  }

  forget(symbol: string, interval: Interval): void {
    this.#screener.forget(symbol, interval);
    const other = (one: { symbol: string; interval: Interval }): boolean => one.symbol !== symbol || one.interval !== interval;
    this.#found = this.#found.map(({ matches, screened, absent }) => ({ matches: matches.filter(other), screened: screened.filter(other), absent }));
  }

  /** Why a trader holds on a symbol, or why not: of one that is shed too. Throws `unknown_trader`, `unknown_candle`. */
  explain(traderId: string, symbol: string, closeTime?: number): Explanation {
    return this.#screener.explain(this.#idle(traderId), symbol, closeTime);
  }

  /** How many of a trader's symbols pass each of its conditions: of one that is shed too. Throws `unknown_trader`. */
  funnel(traderId: string): Funnel {
    return this.#screener.funnel(this.#idle(traderId));
  }

  #idle(traderId: string): string | IdleTrader {
    const trader = this.#shed.has(traderId) ? this.#traders.find(({ id }) => id === traderId) : undefined;
    return trader === undefined ? traderId : { trader, universe: this.#universes.get(traderId) ?? new Membership([]) };
  }

  /** Symbols in a trader's universe, those on which it has settled, those on which it holds; of one that is shed the symbols alone. */
  counts(traderId: string): ReturnType<Screener['counts']> {
    if (this.#shed.has(traderId)) return { symbols: this.#universes.get(traderId)?.now.size ?? 0, ready: 0, matching: 0 };
    return this.#screener.counts(traderId);
  }

  /** Names of the traders that hold on the symbol's last closed candle. */
  matching(symbol: string): string[] {
    return this.#screener.matching(symbol);
  }

  /** All that screening knows, candles included, as bytes for `restore`, in parts to be laid end to end. */
  async snapshot(): Promise<Uint8Array[]> {
    await this.#lanes.collect();
    const bytes = this.#screener.snapshot();
    // Whoever starts from it is not told again what was found: so that must have been told, and had its turn to be kept.
    do await new Promise((resolve) => { setImmediate(resolve); }); while (this.#telling !== undefined);
    await new Promise((resolve) => { setImmediate(resolve); });
    return bytes;
  }

  /** Takes in a snapshot, first of all. Throws `snapshot_unreadable`, and stays as new. */
  restore(bytes: Uint8Array): void {
    this.#screener.restore(bytes);
  }

  /** Resolves once everything that was taken in has been screened and told. */
  async idle(): Promise<void> {
    do {
      await new Promise((resolve) => { setImmediate(resolve); });
      await this.#lanes.shards.settled();
    } while (this.#lanes.shards.busy || this.#telling !== undefined);
  }

  /** Spreads the screening over so many threads; 0: this one. */
  resize(workers: number): Promise<void> {
    return this.#lanes.resize(workers);
  }

  async stop(): Promise<void> {
    this.#endLooks();
    if (this.#telling !== undefined) clearImmediate(this.#telling);
    await this.#lanes.stop();
  }

  /** One after the other, not together: what was found twice is known for old by how far screening had come with the first. */
  #later(matches: readonly Match[], screened: readonly ScreenedTo[] = []): void {
    const market = this.#screener.takeScreened();
    const absent = this.#screener.takeAbsent();
    if (matches.length + screened.length + market.length + absent.length === 0) return;
    this.#found.push({ matches, absent, screened: market.length === 0 ? screened : [...screened, ...market] });
    this.#telling ??= setImmediate(() => {
      this.#telling = undefined;
      for (const found of this.#found.splice(0)) if (found.matches.length + found.screened.length + found.absent.length > 0) this.#options.onScreened(found);
    });
  }

  #lookAround(): void {
    this.#later(this.#screener.advanceTime(this.#options.marketNow()));
    if ((this.#options.workers ?? 'auto') !== 'auto' || !this.#load.known) return;
    const { passMs } = this.#load;
    const wanted = workersWanted({ passMs, workers: this.#lanes.workers, cpus: this.#options.cpus ?? availableParallelism() });
    if (wanted === this.#lanes.workers) return;
    this.#options.log('info', 'screening_threads', `A pass takes ${passMs.toFixed(1)} ms: screening goes on with ${wanted === 0 ? 'no worker thread' : `${wanted} worker ${wanted === 1 ? 'thread' : 'threads'}`}.`);
    this.#load.restart();
    void this.#lanes.resize(wanted);
  }
}
