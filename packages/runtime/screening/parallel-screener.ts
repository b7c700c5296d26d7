import { availableParallelism } from 'node:os';
import type { Candle, Explanation, Interval } from '@trademind/core';
import { Screener, type Funnel, type Match, type NeededSeries, type RunningTrader } from '@trademind/engine';
import type { Log } from '../log.ts';
import { every, type Wall } from '../time.ts';
import { OverloadWatch, toShed } from './overload.ts';
import { ShardedLanes, type Screened, type ScreenedTo } from './sharded-lanes.ts';
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
   * What was found and how far screening has come with it, in the order of each symbol's candles. It comes after `push` and `setTraders` have returned; what belongs to a series
   * that was forgotten meanwhile never comes.
   */
  onScreened: (found: Screened) => void;
  /** Worker threads: so many, or as the load wants. */
  workers?: number | 'auto';
  /** vCPUs of this machine. */
  cpus?: number;
}

/** How often deadlines and load are looked at, ms of wall time. */
const LOOK_MS = 500;
/** A close that is longer ago than this (ms of market time) is no live one; nor is one that the market's clock, set a moment ago, has not reached by far. */
const LIVE_MS = 120_000;
const EARLY_MS = 5_000;
/** Passes between two looks at the load, so that one slow pass changes nothing. */
const PASSES = 5;

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
  #matches: Match[] = [];
  #screened: ScreenedTo[] = [];
  #telling: NodeJS.Immediate | undefined;
  /** Per trader that looks at several symbols: the close up to which it was told to have screened. */
  readonly #marketTold = new Map<string, number>();
  #candles = 0;
  #busyMs = 0;
  #lastCloseAt: number | null = null;
  /** Cost of the close under way and of those before it. */
  #pass = { closeTime: 0, ms: 0, began: 0 };
  readonly #passes: number[] = [];
  readonly #overload = new OverloadWatch();
  /** All traders and their symbols, also those that are not screened for now because there is too much to do. */
  #traders: readonly RunningTrader[] = [];
  readonly #universes = new Map<string, ReadonlySet<string>>();
  readonly #shed = new Set<string>();

  constructor(options: ParallelScreenerOptions) {
    this.#options = options;
    const { defaultInterval, capacity, wall, log } = options;
    let lanes: ShardedLanes | undefined;
    this.#screener = new Screener({
      defaultInterval, capacity,
      lanes: (candles) => (lanes = new ShardedLanes({
        candles, defaultInterval, wall, log,
        onScreened: (found) => this.#tell(found),
        onWork: (busyMs) => this.#worked(busyMs),
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
    return { candles: this.#candles, busyMs: this.#busyMs, lastCloseAt: this.#lastCloseAt, passMs: this.#passMs(), workers: this.#lanes.workers, replaced: this.#lanes.replaced };
  }

  /** The lanes, for tests that end a worker. */
  get lanes(): ShardedLanes {
    return this.#lanes;
  }

  /** Takes a closed candle in. Throws TradeMindError `candle_gap` when it is not the next of its series. */
  push(symbol: string, interval: Interval, candle: Candle): void {
    const { wall } = this.#options;
    const began = wall.now();
    const matches = this.#screener.onCandle(symbol, interval, candle);
    this.#candles += 1;
    const closeTime = this.#screener.candles.lastCloseTime(symbol, interval)!;
    this.#lastCloseAt = Math.max(this.#lastCloseAt ?? 0, closeTime);
    if (closeTime > this.#pass.closeTime) this.#nextPass(closeTime, began);
    this.#worked(wall.now() - began);
    this.#later(matches, this.#lanes.workers > 0 ? [] : [{ symbol, interval, closeTime }]);
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
    for (const id of removed) this.#marketTold.delete(id);
    this.#later(matches, added.flatMap((id) => this.#warmed(id)));
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
      for (const id of shed) this.#shed.add(id);
      log('error', 'screening_overloaded', `Screening takes longer than the time between two closes: ${shed.length} traders of the lowest priority wait, and are caught up later. A larger machine would keep up.`);
    }
    this.#run();
  }

  /** Which symbols a trader screens; what it finds in the stored candles of those that joined is told as all else. */
  setUniverse(traderId: string, symbols: ReadonlySet<string>): void {
    this.#universes.set(traderId, symbols);
    if (this.#shed.has(traderId)) return;
    const matches = this.#screener.setUniverse(traderId, symbols);
    this.#later(matches, this.#warmed(traderId));
  }

  /** Shows traders that ask for it each candle under way as it stands: what it would give is told as all else, marked `forming`. */
  peek(formingOf: (series: { symbol: string; interval: Interval }) => Candle | undefined): void {
    for (const { interval, symbols } of this.#screener.forming()) {
      for (const symbol of symbols) {
        const candle = formingOf({ symbol, interval });
        if (candle) this.#later(this.#screener.peek(symbol, interval, candle), []);
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
    this.#matches = this.#matches.filter(other);
    this.#screened = this.#screened.filter(other);
  }

  explain(traderId: string, symbol: string, closeTime?: number): Explanation {
    return this.#screener.explain(traderId, symbol, closeTime);
  }

  funnel(traderId: string): Funnel {
    return this.#screener.funnel(traderId);
  }

  counts(traderId: string): ReturnType<Screener['counts']> {
    return this.#screener.counts(traderId);
  }

  /** Names of the traders that hold on the symbol's last closed candle. */
  matching(symbol: string): string[] {
    return this.#screener.matching(symbol);
  }

  /** All that screening knows, candles included, as bytes for `restore`, in parts to be laid end to end. */
  async snapshot(): Promise<Uint8Array[]> {
    await this.#lanes.collect();
    return this.#screener.snapshot();
  }

  /** Takes in a snapshot, first of all. Throws `snapshot_unreadable`, and stays as new. */
  restore(bytes: Uint8Array): void {
    this.#screener.restore(bytes);
  }

  /** Resolves once everything that was taken in has been screened and told. */
  async idle(): Promise<void> {
    do {
      await new Promise((resolve) => { setImmediate(resolve); });
      await this.#lanes.settled();
    } while (this.#lanes.busy || this.#telling !== undefined);
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

  /** Whether a trader looks at several symbols, and so waits for their candles. */
  trader(traderId: string): ReturnType<Screener['trader']> {
    return this.#screener.trader(traderId);
  }

  /** How far a trader has come with the stored candles, where this thread knows it: workers tell it themselves. */
  #warmed(traderId: string): ScreenedTo[] {
    const trader = this.#screener.trader(traderId);
    if (trader === undefined || trader.waits || this.#lanes.workers > 0) return [];
    return [...trader.symbols].flatMap((symbol) => {
      const closeTime = this.candles.lastCloseTime(symbol, trader.interval);
      return closeTime === undefined ? [] : [{ symbol, interval: trader.interval, closeTime, traderId }];
    });
  }

  #later(matches: readonly Match[], screened: readonly ScreenedTo[]): void {
    this.#matches.push(...matches);
    this.#screened.push(...screened);
    for (const { id, interval, screenedTo, symbols } of this.#screener.market()) {
      if (screenedTo <= (this.#marketTold.get(id) ?? -Infinity)) continue;
      this.#marketTold.set(id, screenedTo);
      for (const symbol of symbols) this.#screened.push({ symbol, interval, closeTime: screenedTo, traderId: id });
    }
    if (this.#matches.length + this.#screened.length > 0) this.#telling ??= setImmediate(() => this.#tellNow());
  }

  #tellNow(): void {
    this.#telling = undefined;
    const found = { matches: this.#matches, screened: this.#screened };
    this.#matches = [];
    this.#screened = [];
    this.#tell(found);
  }

  #tell(found: Screened): void {
    if (found.matches.length + found.screened.length > 0) this.#options.onScreened(found);
  }

  #worked(ms: number): void {
    this.#busyMs += ms;
    this.#pass.ms += ms;
  }

  #nextPass(closeTime: number, began: number): void {
    const before = this.#pass;
    this.#pass = { closeTime, ms: 0, began };
    if (before.closeTime === 0) return;
    this.#passes.push(before.ms);
    if (this.#passes.length > PASSES) this.#passes.shift();
    // A backlog, such as history, is worked off as fast as it goes: only what comes live can be too much.
    const age = this.#options.marketNow() - closeTime;
    if (age > LIVE_MS || age < -EARLY_MS) return;
    const decided = this.#overload.pass(before.ms / Math.max(1, this.#lanes.workers), began - before.began);
    if (decided !== undefined) setImmediate(() => this.#balance(decided));
  }

  /** The middle of the last passes: one slow pass says nothing. */
  #passMs(): number {
    return this.#passes.toSorted((a, b) => a - b)[this.#passes.length >> 1] ?? 0;
  }

  #lookAround(): void {
    this.#later(this.#screener.advanceTime(this.#options.marketNow()), []);
    if ((this.#options.workers ?? 'auto') !== 'auto' || this.#passes.length < PASSES) return;
    const wanted = workersWanted({ passMs: this.#passMs(), workers: this.#lanes.workers, cpus: this.#options.cpus ?? availableParallelism() });
    if (wanted === this.#lanes.workers) return;
    this.#options.log('info', 'screening_threads', `A pass takes ${this.#passMs().toFixed(1)} ms: screening goes on with ${wanted === 0 ? 'no worker thread' : `${wanted} worker ${wanted === 1 ? 'thread' : 'threads'}`}.`);
    this.#passes.length = 0;
    void this.#lanes.resize(wanted);
  }
}
