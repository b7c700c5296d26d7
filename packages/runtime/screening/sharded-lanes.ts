import { Worker } from 'node:worker_threads';
import type { Candle, Interval } from '@trademind/core';
import { checksumOfText, decodeMatches, LaneBook, LaneSet, SnapshotReader, SnapshotWriter, type ActiveTrader, type CandleStore, type LaneHost, type Match, type RunningTrader, type SavedLane } from '@trademind/engine';
import type { Log } from '../log.ts';
import { Backoff, type Wall } from '../time.ts';
import type { Answer, Request, SharedSeries } from './worker-messages.ts';

export interface ShardedLanesOptions {
  candles: CandleStore;
  defaultInterval: Interval;
  wall: Wall;
  log: Log;
  /** What a worker has found and screened; on this thread it is the answer of each call instead. */
  onScreened: (found: Screened) => void;
  /** A worker has worked so long (ms) on one task. */
  onWork: (busyMs: number) => void;
  /** A worker that owes an answer for so long (ms of wall time) is taken for hung. */
  patienceMs?: number;
}

/** How far a symbol's candles were screened (close time, ms): by all traders of the interval that look at one symbol at a time, or by the one named. */
export interface ScreenedTo { symbol: string; interval: Interval; closeTime: number; traderId?: string }
/** What was found, and how far screening has come with it. */
export interface Screened { matches: readonly Match[]; screened: readonly ScreenedTo[] }

const PATIENCE_MS = 15_000;
const RESTART = { first: 50, most: 10_000 };
/** The worker's file lies beside this one, in the source and in a bundle. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './screening-worker.ts' : './screening-worker.js', import.meta.url);

interface Task {
  readonly sentAt: number;
  /** Traders that are new with it, on all symbols or on those named: all that they find is news. */
  readonly traders: readonly string[];
  readonly symbols?: ReadonlySet<string> | undefined;
  /** The traders that the worker runs when it answers: its matches name them by their place. */
  readonly running: readonly ActiveTrader[];
  /** Series with this number and above are younger than it. */
  readonly before: number;
  readonly answered?: (answer: Answer) => void;
}

/** One worker thread and what it owes. */
interface Shard {
  worker: Worker;
  readonly tasks: Map<number, Task>;
  /** Series that wait for the end of this turn of the event loop. */
  readonly due: Set<number>;
  readonly peeks: Map<number, Candle>;
  readonly retry: Backoff;
  /** Whether it has answered yet. */
  answered: boolean;
}

/**
 * Screens symbols on worker threads, each symbol on one of them; with none, on this thread. A worker that throws, hangs or dies is replaced: its symbols are screened again from the
 * shared candles, and what was told before is not told again.
 */
export class ShardedLanes implements LaneHost {
  readonly #options: ShardedLanesOptions;
  #local: LaneSet | undefined;
  #shards: Shard[] = [];
  #traders: readonly ActiveTrader[] = [];
  readonly #universes = new Map<string, ReadonlySet<string>>();
  /** Series that the workers know, by name and by number. */
  readonly #series = new Map<string, SharedSeries & { closeTime: number }>();
  readonly #byKey = new Map<number, SharedSeries & { closeTime: number }>();
  readonly #books = new Map<Interval, Map<string, LaneBook>>();
  readonly #hashes = new Map<string, number>();
  #collected: readonly Uint8Array[] = [];
  readonly #waiting: (() => void)[] = [];
  #nextKey = 0;
  #nextTask = 0;
  #flushing: NodeJS.Immediate | undefined;
  #watch: NodeJS.Timeout | undefined;
  #resizing: Promise<void> | undefined;
  #replaced = 0;
  #stopped = false;

  constructor(options: ShardedLanesOptions) {
    this.#options = options;
    this.#local = new LaneSet(options.candles);
  }

  /** Worker threads now; 0 = this thread screens. */
  get workers(): number {
    return this.#shards.length;
  }

  /** Whether every worker there is has taken over its symbols. */
  get ready(): boolean {
    return this.#shards.every(({ answered }) => answered);
  }

  /** Workers that had to be replaced since the start. */
  get replaced(): number {
    return this.#replaced;
  }

  /** Whether workers owe an answer. */
  get busy(): boolean {
    return this.#shards.some(({ tasks, due }) => tasks.size > 0 || due.size > 0);
  }

  /** Resolves once the workers owe nothing. */
  settled(): Promise<void> {
    return this.busy ? new Promise((resolve) => { this.#waiting.push(resolve); }) : Promise.resolve();
  }

  /** Threads of the workers, for tests that end one. */
  get threads(): readonly Worker[] {
    return this.#shards.map(({ worker }) => worker);
  }

  setTraders(traders: readonly ActiveTrader[]): Match[] {
    const known = new Set(this.#traders);
    const fresh = traders.filter((trader) => !known.has(trader)).map(({ id }) => id);
    this.#traders = traders;
    if (this.#local !== undefined) return this.#local.setTraders(traders);
    this.#shareAll();
    for (const shard of this.#shards) this.#ask(shard, { type: 'traders', task: this.#task(shard, fresh), traders: plain(traders) });
    return [];
  }

  setUniverse(traderId: string, symbols: ReadonlySet<string> | undefined): Match[] {
    const before = this.#universes.get(traderId);
    if (symbols === undefined) this.#universes.delete(traderId);
    else this.#universes.set(traderId, symbols);
    if (this.#local !== undefined) return this.#local.setUniverse(traderId, symbols);
    this.#shareAll();
    const joined = new Set([...symbols ?? []].filter((symbol) => before?.has(symbol) !== true));
    for (const [index, shard] of this.#shards.entries()) {
      this.#ask(shard, { type: 'universe', task: this.#task(shard, [traderId], undefined, joined), id: traderId, symbols: symbols && this.#part(symbols, index) });
    }
    return [];
  }

  advance(symbol: string, interval: Interval): Match[] {
    if (this.#local !== undefined) return this.#local.advance(symbol, interval);
    const known = this.#share(symbol, interval);
    if (known === undefined) return [];
    // What looks at longer candles reads them there too.
    for (const one of this.#options.candles.intervals()) if (one !== interval) this.#share(symbol, one);
    this.#shardOf(symbol).due.add(known.key);
    this.#flushing ??= setImmediate(() => this.#flush());
    return [];
  }

  peek(symbol: string, interval: Interval, candle: Candle): Match[] {
    if (this.#local !== undefined) return this.#local.peek(symbol, interval, candle);
    const known = this.#series.get(`${symbol} ${interval}`);
    if (known === undefined) return [];
    this.#shardOf(symbol).peeks.set(known.key, candle);
    this.#flushing ??= setImmediate(() => this.#flush());
    return [];
  }

  forget(symbol: string, interval: Interval): void {
    this.#local?.forget(symbol, interval);
    this.#books.get(interval)?.delete(symbol);
    const name = `${symbol} ${interval}`;
    const known = this.#series.get(name);
    if (known === undefined) return;
    this.#series.delete(name);
    this.#byKey.delete(known.key);
    const shard = this.#shardOf(symbol);
    shard.due.delete(known.key);
    this.#ask(shard, { type: 'forget', key: known.key });
  }

  book(symbol: string, interval: Interval): LaneBook | undefined {
    return this.#local === undefined ? this.#books.get(interval)?.get(symbol) : this.#local.book(symbol, interval);
  }

  books(interval: Interval): Iterable<LaneBook> {
    return this.#local === undefined ? this.#books.get(interval)?.values() ?? [] : this.#local.books(interval);
  }

  /** Gets from the workers what `save` then writes: the lanes as they stand when each has answered. */
  async collect(): Promise<void> {
    if (this.#local === undefined) this.#collected = await this.#collect();
  }

  save(writer: SnapshotWriter): SavedLane[] {
    if (this.#local !== undefined) return this.#local.save(writer);
    return this.#collected.flatMap((bytes) => {
      const reader = new SnapshotReader(bytes);
      return (reader.header as { lanes: SavedLane[] }).lanes.map((lane) => ({ ...lane, place: writer.add(reader.at(lane.place)) }));
    });
  }

  /** For lanes on this thread, before there are workers. */
  restore(traders: readonly ActiveTrader[], universes: ReadonlyMap<string, ReadonlySet<string>>, saved: readonly SavedLane[], reader: SnapshotReader): void {
    this.#traders = traders;
    for (const [id, symbols] of universes) this.#universes.set(id, symbols);
    this.#local!.restore(traders, universes, saved, reader);
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
    const lanes = await this.#collect();
    if (this.#stopped) return;
    // From here until the new ones have begun nothing else runs: no candle comes between what was and what will be.
    const ended = Promise.all(this.#dismiss());
    this.#books.clear();
    if (workers === 0) {
      this.#local = new LaneSet(this.#options.candles);
      for (const bytes of lanes) {
        const reader = new SnapshotReader(bytes);
        this.#local.restore(this.#traders, this.#universes, (reader.header as { lanes: SavedLane[] }).lanes, reader);
      }
      this.#catchUpHere();
      await ended;
      return;
    }
    this.#local = undefined;
    this.#shareAll();
    this.#shards = Array.from({ length: workers }, () => this.#newShard());
    for (const [index, shard] of this.#shards.entries()) this.#begin(shard, index, lanes);
    this.#watch ??= setInterval(() => this.#look(), 1_000).unref();
    await ended;
  }

  /** Ends all workers; nothing more is told. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#watch);
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    await Promise.all(this.#dismiss());
  }

  /** What all lanes have computed, once everything that is owed has been answered. */
  async #collect(): Promise<Uint8Array[]> {
    if (this.#local !== undefined) {
      const writer = new SnapshotWriter();
      const lanes = this.#local.save(writer);
      return [writer.finish({ lanes })];
    }
    this.#flush();
    return Promise.all(this.#shards.map((shard) => new Promise<Uint8Array>((resolve) => {
      this.#ask(shard, { type: 'save', task: this.#task(shard, [], (answer) => resolve(answer.lanes!)) });
    })));
  }

  /** The end of one turn of the event loop: what came in it goes out together. */
  #flush(): void {
    if (this.#flushing !== undefined) clearImmediate(this.#flushing);
    this.#flushing = undefined;
    for (const shard of this.#shards) {
      if (shard.due.size > 0) this.#ask(shard, { type: 'advance', task: this.#task(shard, []), keys: [...shard.due] });
      if (shard.peeks.size > 0) this.#ask(shard, { type: 'peek', task: this.#task(shard, []), candles: [...shard.peeks] });
      shard.due.clear();
      shard.peeks.clear();
    }
  }

  #newShard(retry = new Backoff({ ...RESTART, random: this.#options.wall.random })): Shard {
    const worker = new Worker(WORKER, { workerData: { defaultInterval: this.#options.defaultInterval }, name: 'screening' });
    const shard: Shard = { worker, tasks: new Map(), due: new Set(), peeks: new Map(), retry, answered: false };
    worker.on('message', (answer: Answer) => this.#answered(shard, answer));
    worker.on('error', (error) => this.#replace(shard, `failed: ${error instanceof Error ? error.message : String(error)}`));
    worker.on('exit', () => this.#replace(shard, 'ended'));
    return shard;
  }

  /** Gives a new worker all that it needs: its series, the traders, and what others computed of its symbols. */
  #begin(shard: Shard, index: number, lanes: readonly Uint8Array[] | undefined, fresh: readonly string[] = []): void {
    const series = [...this.#series.values()].filter(({ symbol }) => this.#indexOf(symbol) === index);
    this.#ask(shard, {
      type: 'begin', task: this.#task(shard, fresh), series: series.map(({ key, symbol, interval, capacity, memory }) => ({ key, symbol, interval, capacity, memory })), traders: plain(this.#traders),
      universes: [...this.#universes].map(([id, symbols]) => [id, this.#part(symbols, index)]), lanes, told: series.map(({ key, closeTime }) => [key, closeTime]), fresh,
    });
  }

  #answered(shard: Shard, { task: number, matches, screened, books, gone, busyMs, lanes }: Answer): void {
    const task = shard.tasks.get(number);
    if (task === undefined || this.#stopped) return;
    shard.tasks.delete(number);
    shard.retry.reset();
    shard.answered = true;
    this.#options.onWork(busyMs);
    for (const [symbol, interval] of gone) this.#books.get(interval)?.delete(symbol);
    for (const { symbol, interval, traders, memory } of books) {
      let byInterval = this.#books.get(interval);
      if (byInterval === undefined) this.#books.set(interval, (byInterval = new Map()));
      byInterval.set(symbol, new LaneBook(symbol, interval, traders, memory));
    }
    this.#tell(decodeMatches(matches, task.running, (key) => this.#byKey.get(key)?.symbol), screened, task, this.#shards.indexOf(shard));
    if (!this.busy) for (const settled of this.#waiting.splice(0)) settled();
    task.answered?.({ task: number, matches, screened, books, gone, busyMs, ...(lanes && { lanes }) });
  }

  /** Tells what was found, but for what was told before: matches of closes that were screened already, unless a trader is new. */
  #tell(matches: readonly Match[], screened: Answer['screened'], { traders, symbols, before: youngest }: Pick<Task, 'traders' | 'symbols' | 'before'>, index?: number): void {
    const news: ScreenedTo[] = [];
    const before = new Map<string, number>();
    for (const [key, closeTime] of screened) {
      const known = this.#byKey.get(key);
      if (known === undefined) continue;
      const name = `${known.symbol} ${known.interval}`;
      before.set(name, known.closeTime);
      if (closeTime <= known.closeTime) continue;
      known.closeTime = closeTime;
      news.push({ symbol: known.symbol, interval: known.interval, closeTime });
    }
    // A series that was begun anew meanwhile will be screened as a whole: what its forerunner gave is void.
    const current = (symbol: string, interval: Interval): boolean => (this.#series.get(`${symbol} ${interval}`)?.key ?? Infinity) < youngest;
    const isNew = (match: Match): boolean => traders.includes(match.traderId) && current(match.symbol, match.interval);
    const told = matches.filter((match) => match.phase === 'forming' || match.closeTime > (before.get(`${match.symbol} ${match.interval}`) ?? Infinity) || isNew(match));
    for (const id of traders) {
      const interval = this.#traders.find((trader) => trader.id === id)?.compiled.interval;
      if (interval === undefined) continue;
      for (const symbol of symbols ?? this.#universes.get(id) ?? []) {
        const known = index === undefined || this.#indexOf(symbol) === index ? this.#series.get(`${symbol} ${interval}`) : undefined;
        if (known !== undefined && known.closeTime > -Infinity && current(symbol, interval)) news.push({ symbol, interval, closeTime: known.closeTime, traderId: id });
      }
    }
    if (told.length + news.length > 0) this.#options.onScreened({ matches: told, screened: news });
  }

  /** After workers are gone: what came since they were asked is screened on this thread. */
  #catchUpHere(): void {
    const matches: Match[] = [];
    const screened: [number, number][] = [];
    for (const { key, symbol, interval } of this.#series.values()) {
      matches.push(...this.#local!.advance(symbol, interval));
      const closeTime = this.#options.candles.lastCloseTime(symbol, interval);
      if (closeTime !== undefined) screened.push([key, closeTime]);
    }
    this.#tell(matches, screened, { traders: [], before: this.#nextKey });
    this.#series.clear();
    this.#byKey.clear();
  }

  /** A worker that answers no more: another takes over its symbols, from the shared candles. */
  #replace(shard: Shard, why: string): void {
    const index = this.#shards.indexOf(shard);
    if (index < 0 || this.#stopped) return;
    this.#replaced += 1;
    void shard.worker.terminate();
    const wait = shard.retry.failures === 0 ? 0 : shard.retry.next();
    if (wait === 0) shard.retry.next();
    this.#options.log('error', 'worker_replaced', `Screening worker ${index + 1} of ${this.#shards.length} ${why}; another takes over its symbols${wait > 0 ? ` in ${Math.round(wait)} ms` : ''}.`);
    const owed = [...shard.tasks.values()];
    const fresh = [...new Set(owed.flatMap(({ traders }) => traders))];
    if (wait === 0) {
      this.#takeOver(shard, index, owed, fresh);
      return;
    }
    // Until then what comes waits in the old shard's place.
    shard.tasks.clear();
    setTimeout(() => { if (this.#shards[index] === shard && !this.#stopped) this.#takeOver(shard, index, owed, fresh); }, wait);
  }

  #takeOver(old: Shard, index: number, owed: readonly Task[], fresh: readonly string[]): void {
    const shard = this.#newShard(old.retry);
    this.#shards[index] = shard;
    this.#begin(shard, index, undefined, fresh);
    for (const { answered } of owed) if (answered !== undefined) this.#ask(shard, { type: 'save', task: this.#task(shard, [], answered) });
  }

  /** Looks for workers that hang. */
  #look(): void {
    const late = this.#options.wall.now() - (this.#options.patienceMs ?? PATIENCE_MS);
    for (const shard of this.#shards) {
      for (const { sentAt } of shard.tasks.values()) {
        if (sentAt > late) break;
        this.#replace(shard, 'hangs');
        break;
      }
    }
  }

  #dismiss(): Promise<number>[] {
    const shards = this.#shards;
    this.#shards = [];
    for (const settled of this.#waiting.splice(0)) settled();
    return shards.map(({ worker }) => worker.terminate());
  }

  #ask(shard: Shard, request: Request): void {
    shard.worker.postMessage(request);
  }

  #task(shard: Shard, traders: readonly string[], answered?: (answer: Answer) => void, symbols?: ReadonlySet<string>): number {
    const task = this.#nextTask++;
    shard.tasks.set(task, { sentAt: this.#options.wall.now(), traders, symbols, running: this.#traders, before: this.#nextKey, ...(answered && { answered }) });
    return task;
  }

  /** Makes every series known, such as longer candles that were made for a new trader. */
  #shareAll(): void {
    for (const { symbol, interval } of this.#options.candles.all()) this.#share(symbol, interval);
  }

  /** Makes a series known to its worker; undefined where there is none. Who already screened it here has told all of it. */
  #share(symbol: string, interval: Interval): SharedSeries | undefined {
    const { candles } = this.#options;
    const series = candles.series(symbol, interval);
    if (series === undefined) return undefined;
    const name = `${symbol} ${interval}`;
    const known = this.#series.get(name);
    if (known?.memory === series.memory) return known;
    const told = this.#shards.length === 0 ? candles.lastCloseTime(symbol, interval) : undefined;
    const shared = { key: this.#nextKey++, symbol, interval, capacity: series.capacity, memory: series.memory, closeTime: told ?? known?.closeTime ?? -Infinity };
    if (known !== undefined) this.#byKey.delete(known.key);
    this.#series.set(name, shared);
    this.#byKey.set(shared.key, shared);
    if (this.#shards.length > 0) {
      const { key, capacity, memory } = shared;
      this.#ask(this.#shardOf(symbol), { type: 'series', series: { key, symbol, interval, capacity, memory } });
    }
    return shared;
  }

  #shardOf(symbol: string): Shard {
    return this.#shards[this.#indexOf(symbol)]!;
  }

  /** The same symbol always on the same worker. */
  #indexOf(symbol: string): number {
    let hash = this.#hashes.get(symbol);
    if (hash === undefined) this.#hashes.set(symbol, (hash = checksumOfText(symbol)));
    return hash % this.#shards.length;
  }

  #part(symbols: ReadonlySet<string>, index: number): ReadonlySet<string> {
    return new Set([...symbols].filter((symbol) => this.#indexOf(symbol) === index));
  }
}

const plain = (traders: readonly ActiveTrader[]): RunningTrader[] => traders.map(({ id, version, compiled }) => ({ id, version, document: compiled.document }));
