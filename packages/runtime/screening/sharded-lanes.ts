import type { Candle, Interval } from '@trademind/core';
import { decodeMatches, kernelFault, LaneBook, LaneSet, LaneWatch, screenedTo, SnapshotReader, SnapshotWriter, type Absent, type ActiveTrader, type CandleStore, type LaneHost, type Match, type RunningTrader, type SavedLane, type ScreenedTo } from '@trademind/engine';
import type { Log } from '../log.ts';
import type { Wall } from '../time.ts';
import type { Shard, Task } from './shard.ts';
import { SeriesNumbers } from './shared-series.ts';
import { Shards } from './shards.ts';
import type { Answer, SharedSeries } from './worker-messages.ts';

export interface ShardedLanesOptions {
  candles: CandleStore;
  defaultInterval: Interval;
  wall: Wall;
  log: Log;
  /** What was found and screened, on this thread or by a worker. */
  onScreened: (found: Omit<Screened, 'absent'>) => void;
  /** A worker has worked so long (ms) on one task. */
  onWork: (busyMs: number, candlesMs: number) => void;
  /** A worker that owes an answer for so long (ms of wall time) is taken for hung. */
  patienceMs?: number;
}

/** What was found, how far screening has come with it, and who was missing on the way. */
export interface Screened { matches: readonly Match[]; screened: readonly ScreenedTo[]; absent: readonly Absent[] }

/** Lanes as they stood, and the series (symbol and interval) that were begun anew since. */
interface Collected { lanes: readonly Uint8Array[]; readonly voided: Set<string> }

const PATIENCE_MS = 15_000;

/**
 * Screens symbols on worker threads, each symbol on one of them; with none, on this thread. Either way what is found is told by `onScreened`, together with how far the traders that
 * found it have come: whoever has come so far by what was told before knows the rest for a repeat. A worker that throws, hangs or dies is replaced, its symbols are screened again from
 * the shared candles, and what was not told before is told; nothing is told twice but for what a worker was about to say.
 */
export class ShardedLanes implements LaneHost {
  readonly #options: ShardedLanesOptions;
  #local: { lanes: LaneSet; watch: LaneWatch } | undefined;
  readonly #shards: Shards;
  #traders: readonly ActiveTrader[] = [];
  readonly #universes = new Map<string, ReadonlySet<string>>();
  readonly #series = new SeriesNumbers();
  /** Books of the workers' lanes. */
  readonly #books = new Map<Interval, Map<string, LaneBook>>();
  /** What workers have told of each series, by its number. */
  readonly #told = new Map<number, ScreenedTo>();
  #collected: Collected | undefined;
  readonly #collections = new Set<Collected>();
  #flushing: NodeJS.Immediate | undefined;
  #resizing: Promise<void> | undefined;
  #stopped = false;
  #faultSaid = false;

  constructor(options: ShardedLanesOptions) {
    this.#options = options;
    this.#local = this.#newLanes();
    this.#shards = new Shards({
      ...options, patienceMs: options.patienceMs ?? PATIENCE_MS, onAnswer: (answer, task) => this.#answered(answer, task),
      onReplaced: (shard, index) => this.#begin(shard, index), askLanes: (shard, saved) => shard.ask({ type: 'save' }, this.#traders, saved),
    });
  }

  /** Worker threads now; 0 = this thread screens. */
  get workers(): number {
    return this.#shards.size;
  }

  /** The workers themselves. */
  get shards(): Pick<Shards, 'ready' | 'replaced' | 'busy' | 'threads' | 'settled'> {
    return this.#shards;
  }

  setTraders(traders: readonly ActiveTrader[]): Match[] {
    this.#traders = traders;
    // Only now, for a machine without traders has no memory to spare for kernels.
    if (traders.length > 0) this.#sayFault(kernelFault());
    if (this.#local !== undefined) return this.#here(this.#local.lanes.setTraders(traders));
    this.#shareAll();
    for (const shard of this.#shards.all()) shard.ask({ type: 'traders', traders: plain(traders) }, traders);
    return [];
  }

  setUniverse(traderId: string, symbols: ReadonlySet<string> | undefined): Match[] {
    const before = this.#universes.get(traderId);
    if (before === symbols || (symbols !== undefined && before?.size === symbols.size && [...symbols].every((symbol) => before.has(symbol)))) return [];
    if (symbols === undefined) this.#universes.delete(traderId);
    else this.#universes.set(traderId, symbols);
    if (this.#local !== undefined) return this.#here(this.#local.lanes.setUniverse(traderId, symbols));
    this.#shareAll();
    for (const [index, shard] of this.#shards.all().entries()) shard.ask({ type: 'universe', id: traderId, symbols: symbols && this.#shards.part(symbols, index) }, this.#traders);
    return [];
  }

  advance(symbol: string, interval: Interval): Match[] {
    if (this.#local !== undefined) return this.#here(this.#local.lanes.advance(symbol, interval), this.#local.lanes.book(symbol, interval));
    const known = this.#share(symbol, interval);
    if (known === undefined) return [];
    // What looks at longer candles reads them there too.
    for (const one of this.#options.candles.intervals()) if (one !== interval) this.#share(symbol, one);
    this.#shards.of(symbol).due.add(known.key);
    this.#flushing ??= setImmediate(() => this.#flush());
    return [];
  }

  peek(symbol: string, interval: Interval, candle: Candle): Match[] {
    if (this.#local !== undefined) return this.#here(this.#local.lanes.peek(symbol, interval, candle));
    const known = this.#series.find(symbol, interval);
    if (known === undefined) return [];
    this.#shards.of(symbol).peeks.set(known.key, candle);
    this.#flushing ??= setImmediate(() => this.#flush());
    return [];
  }

  /** What workers still say of the series as it was is void. */
  forget(symbol: string, interval: Interval): void {
    this.#local?.lanes.forget(symbol, interval);
    this.#books.get(interval)?.delete(symbol);
    for (const { voided } of this.#collections) voided.add(`${symbol} ${interval}`);
    const known = this.#series.forget(symbol, interval);
    if (known === undefined) return;
    this.#told.delete(known.key);
    const shard = this.#shards.of(symbol);
    shard.due.delete(known.key);
    shard.peeks.delete(known.key);
    shard.tell({ type: 'forget', key: known.key });
  }

  book(symbol: string, interval: Interval): LaneBook | undefined {
    return this.#local === undefined ? this.#books.get(interval)?.get(symbol) : this.#local.lanes.book(symbol, interval);
  }

  books(interval: Interval): Iterable<LaneBook> {
    return this.#local === undefined ? this.#books.get(interval)?.values() ?? [] : this.#local.lanes.books(interval);
  }

  /** Gets from the workers what `save` then writes: the lanes as they stand when each has answered. */
  async collect(): Promise<void> {
    if (this.#local !== undefined) return;
    if (this.#collected !== undefined) this.#collections.delete(this.#collected);
    this.#collected = await this.#collect();
  }

  save(writer: SnapshotWriter): SavedLane[] {
    if (this.#local !== undefined) return this.#local.lanes.save(writer);
    return (this.#collected?.lanes ?? []).flatMap((bytes) => {
      const reader = new SnapshotReader(bytes);
      return savedLanes(reader, this.#collected!.voided).map((lane) => ({ ...lane, place: writer.add(reader.at(lane.place)) }));
    });
  }

  /** For lanes on this thread, before there are workers. */
  restore(saved: readonly SavedLane[], reader: SnapshotReader): void {
    this.#local!.lanes.restore(saved, reader);
    this.#here([]);
  }

  /**
   * Spreads the symbols over so many workers; 0: this thread. What was computed moves along, to the last digit: nothing is screened twice, and what comes meanwhile waits. Calls
   * come one after the other.
   */
  resize(workers: number): Promise<void> {
    this.#resizing = (this.#resizing ?? Promise.resolve()).then(() => this.#resize(workers));
    return this.#resizing;
  }

  async #resize(workers: number): Promise<void> {
    if (workers === this.workers || this.#stopped) return;
    const collected = await this.#collect();
    this.#collections.delete(collected);
    if (this.#stopped) return;
    // From here until the new ones have begun nothing else runs: no candle comes between what was and what will be.
    const ended = this.#shards.dismiss();
    this.#books.clear();
    if (workers === 0) this.#takeBack(collected);
    else {
      this.#local = undefined;
      this.#shards.start(workers);
      this.#shareAll(false);
      for (const [index, shard] of this.#shards.all().entries()) this.#begin(shard, index, collected);
    }
    this.#shards.wake();
    await ended;
  }

  /** Ends all workers; nothing more is told. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    await this.#shards.stop();
  }

  #newLanes(): { lanes: LaneSet; watch: LaneWatch } {
    const lanes = new LaneSet(this.#options.candles);
    return { lanes, watch: new LaneWatch(lanes) };
  }

  /** Tells what was found on this thread: with the lane that has come further, and those that serve other traders now. */
  #here(matches: readonly Match[], book?: LaneBook): Match[] {
    const { candles, onScreened } = this.#options;
    const { books } = this.#local!.watch.take();
    const further = book === undefined || books.includes(book) ? books : [...books, book];
    const screened = further.flatMap((one) => screenedTo(one, candles.series(one.symbol, one.interval)) ?? []);
    if (matches.length + screened.length > 0) onScreened({ matches, screened });
    return [];
  }

  /** This thread screens from now on, from where the workers stopped; what came since they were asked is caught up. */
  #takeBack({ lanes, voided }: Collected): void {
    this.#local = this.#newLanes();
    this.#series.clear();
    this.#told.clear();
    for (const [id, symbols] of this.#universes) this.#local.lanes.setUniverse(id, symbols);
    this.#local.lanes.setTraders(this.#traders);
    for (const bytes of lanes) {
      const reader = new SnapshotReader(bytes);
      this.#local.lanes.restore(savedLanes(reader, voided), reader);
    }
    this.#here([...this.#options.candles.all()].flatMap(({ symbol, interval }) => this.#local!.lanes.advance(symbol, interval)));
  }

  /** What all lanes have computed, once everything that is owed has been answered. */
  async #collect(): Promise<Collected> {
    const collected: Collected = { lanes: [], voided: new Set() };
    this.#collections.add(collected);
    if (this.#local !== undefined) {
      const writer = new SnapshotWriter();
      const lanes = this.#local.lanes.save(writer);
      collected.lanes = [writer.finish({ lanes })];
      return collected;
    }
    this.#flush();
    collected.lanes = await Promise.all(this.#shards.all().map((shard) => new Promise<Uint8Array>((resolve) => { shard.ask({ type: 'save' }, this.#traders, resolve); })));
    return collected;
  }

  /** The end of one turn of the event loop: what came in it goes out together. */
  #flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    for (const shard of this.#shards.all()) {
      if (shard.due.size > 0) shard.ask({ type: 'advance', keys: [...shard.due] }, this.#traders);
      if (shard.peeks.size > 0) shard.ask({ type: 'peek', candles: [...shard.peeks] }, this.#traders);
      shard.due.clear();
      shard.peeks.clear();
    }
    this.#shards.wake();
  }

  /** Gives a new worker all that it needs: its series, the traders, and what others computed of its symbols. */
  #begin(shard: Shard, index: number, { lanes, voided }: Collected = { lanes: [], voided: new Set() }): void {
    const series = [...this.#series.all()].filter(({ symbol }) => this.#shards.indexOf(symbol) === index);
    shard.ask({
      type: 'begin', lanes, voided, series, told: series.flatMap(({ key }) => this.#told.get(key) ?? []), traders: plain(this.#traders),
      universes: [...this.#universes].map(([id, symbols]) => [id, this.#shards.part(symbols, index)]),
    }, this.#traders);
  }

  #answered({ matches, screened, books, gone, busyMs, candlesMs, lanes, kernelFault: fault }: Answer, task: Task): void {
    if (this.#stopped) return;
    this.#sayFault(fault);
    this.#options.onWork(busyMs, candlesMs);
    for (const [symbol, interval] of gone) this.#books.get(interval)?.delete(symbol);
    for (const { symbol, interval, traders, memory } of books) {
      let byInterval = this.#books.get(interval);
      if (byInterval === undefined) this.#books.set(interval, (byInterval = new Map()));
      byInterval.set(symbol, new LaneBook(symbol, interval, traders, memory));
    }
    const found = decodeMatches(matches, task.running, (key) => this.#series.byKey(key)?.symbol);
    const come: ScreenedTo[] = [];
    for (let at = 0; at < screened.length; at += 2) {
      const key = screened[at]!;
      const series = this.#series.byKey(key);
      const book = series && this.#books.get(series.interval)?.get(series.symbol);
      if (book === undefined) continue;
      const to = { symbol: book.symbol, interval: book.interval, closeTime: screened[at + 1]!, traders: book.traders };
      this.#told.set(key, to);
      come.push(to);
    }
    if (found.length + come.length > 0) this.#options.onScreened({ matches: found, screened: come });
    if (lanes !== undefined) task.saved?.(lanes);
  }

  /** Says once that screening is slower than it might be. */
  #sayFault(fault: string | undefined): void {
    if (fault === undefined || this.#faultSaid) return;
    this.#faultSaid = true;
    this.#options.log('warn', 'kernels_missing', `Screening takes about twice as long as it might, with the same results: its compiled code cannot be loaded (${fault}). It wants WebAssembly with vectors, and 4 GB of addresses, not memory, for each thread.`);
  }

  /** Makes every series known, such as longer candles that were made for a new trader. */
  #shareAll(tell = true): void {
    for (const { symbol, interval } of this.#options.candles.all()) this.#share(symbol, interval, tell);
  }

  #share(symbol: string, interval: Interval, tell = true): SharedSeries | undefined {
    const held = this.#options.candles.series(symbol, interval);
    if (held === undefined) return undefined;
    const { series, fresh } = this.#series.of(symbol, interval, held);
    if (fresh && tell) this.#shards.of(symbol).tell({ type: 'series', series });
    return series;
  }
}

const plain = (traders: readonly ActiveTrader[]): RunningTrader[] => traders.map(({ id, version, compiled }) => ({ id, version, document: compiled.document }));
const savedLanes = (reader: SnapshotReader, voided: ReadonlySet<string>): SavedLane[] => (reader.header as { lanes: SavedLane[] }).lanes.filter(({ symbol, interval }) => !voided.has(`${symbol} ${interval}`));
