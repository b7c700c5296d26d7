import { codeOf, intervalClose, sentenceOf, type Candle, type Interval } from '@trademind/core';
import { Backoff } from '../time.ts';
import { layHistory } from './backfill.ts';
import { BrokenLonger } from './broken-longer.ts';
import { agrees, sameCandle, SETTLED_MS } from './candle-check.ts';
import { CandleMerge } from './candle-merge.ts';
import type { FeedContext } from './feed-context.ts';
import { QuietStreams } from './quiet-streams.ts';
import { SymbolHalt } from './symbol-halt.ts';

/** A candle is late when so much market time, and so much wall time, has passed since its end. */
const LATE_MARKET_MS = 10_000;
const LATE_WALL_MS = 1_000;
const RETRY = { first: 500, most: 60_000 };
const ROUNDS = 4;
/** Candles before the missing one that are asked for with it and compared. */
const OVERLAP = 2;

/**
 * All series of one symbol: every closed candle in order, exactly once, wherever it comes from. Stream candles wait while history is fetched.
 * What the exchange does not have is a halt: said once, and not asked for again until the stream or `revive` brings it back.
 */
export class SymbolFeed {
  readonly symbol: string;
  readonly addedAt: number;
  /** Its history was fetched once (or is not to be had). */
  filled = false;
  /** Not asked for before (wall ms). */
  notBefore = 0;
  readonly #context: FeedContext;
  readonly #merge = new CandleMerge();
  /** Where each series began: the open time that was asked for. */
  readonly #begun = new Map<Interval, number>();
  readonly #broken = new BrokenLonger();
  readonly #retry: Backoff;
  readonly #quiet = new QuietStreams();
  readonly #halt: SymbolHalt;
  /** Grows when the series are begun anew: what was fetched for an older one is dropped. */
  #generation = 0;
  #filling = false;
  #doubts = 0;

  constructor(symbol: string, context: FeedContext) {
    this.symbol = symbol;
    this.#context = context;
    this.#halt = new SymbolHalt(symbol, context, this.#merge);
    this.addedAt = context.wall.now();
    this.#retry = new Backoff({ ...RETRY, random: context.wall.random });
  }

  get intervals(): Interval[] {
    return this.#merge.intervals();
  }

  /** Stream candles that contradicted themselves or the clock and were asked for instead. */
  get doubts(): number {
    return this.#doubts;
  }

  isHalted(): boolean {
    return this.#halt.isHalted;
  }

  /** Keeps exactly these series. True when a new one needs the history to be fetched anew. */
  setIntervals(intervals: readonly Interval[]): boolean {
    const before = this.intervals;
    for (const interval of before) if (!intervals.includes(interval)) this.#context.restart(this.symbol, interval);
    this.#merge.setIntervals(intervals);
    return this.filled && intervals.some((interval) => !before.includes(interval));
  }

  /** Forgets all: what is under way is dropped. */
  drop(): void {
    this.#generation += 1;
    for (const interval of this.intervals) this.#context.restart(this.symbol, interval);
  }

  /** Begins all series anew, from where `startOf` says now. */
  beginAnew(): void {
    this.#generation += 1;
    this.filled = false;
    this.#begun.clear();
    this.#broken.clear();
    for (const interval of this.intervals) {
      this.#merge.unstart(interval);
      this.#context.restart(this.symbol, interval);
    }
  }

  /** Whether what is held of a series (or is being fetched) reaches back to `from`. */
  reachesBack(interval: Interval, from: number, held: { size: number; capacity: number; openTime(index: number): number | undefined } | undefined): boolean {
    if (!this.intervals.includes(interval)) return false;
    const begun = this.#begun.get(interval);
    if (begun === undefined) return !this.filled;
    // A series shorter than its ring has never dropped a candle: then it reaches as far as was asked.
    return begun <= from && (held === undefined || held.size < held.capacity || (held.openTime(0) ?? Infinity) <= from);
  }

  /** A candle that a stream brought. True when the exchange must be asked: there is a gap before it, it contradicts itself, or it came at a time that cannot be. */
  offer(interval: Interval, candle: Candle, believed: boolean): boolean {
    if (!this.intervals.includes(interval)) return false;
    if (!believed || !agrees(candle)) {
      this.#doubts += 1;
      return this.filled;
    }
    this.#quiet.spoke(interval);
    if (!this.#merge.offer(interval, candle)) {
      this.#compare(interval, candle);
      return false;
    }
    if (this.#filling || !this.filled) return false;
    this.#drain();
    return this.#merge.blocked()?.hole ?? false;
  }

  /** Market time at which the next candle of any of its series is over; Infinity when all have halted. */
  dueAt(): number {
    let due = Infinity;
    for (const interval of this.intervals) {
      const next = this.#merge.nextOpen(interval);
      if (!this.#merge.isHalted(interval)) due = Math.min(due, next === undefined ? 0 : intervalClose(interval, next));
    }
    return due;
  }

  /** Whether a candle should be here by now. By what the exchange has said: while it is away its market may stand still, and nothing is late. */
  isLate(): boolean {
    const { clock } = this.#context;
    return this.dueAt() <= clock.seen() - Math.max(LATE_MARKET_MS, LATE_WALL_MS * clock.rate);
  }

  /** Whether what comes next waits for longer candles that a hole has broken, and that are over. */
  lacksLonger(): boolean {
    const { next } = this.#broken;
    return next <= this.#context.clock.seen() - SETTLED_MS && next <= (this.#merge.nextClose() ?? -Infinity);
  }

  /** A symbol may trade again: it is asked for once more. */
  revive(): void {
    this.#halt.revive();
    this.notBefore = 0;
  }

  /** Its streams flow from now on. */
  subscribed(): void {
    this.#quiet.clear();
  }

  /** Series whose streams bring nothing although the symbol trades; each is told once. */
  takeQuiet(): Interval[] {
    return this.#quiet.take();
  }

  /** Fetches what it lacks, lays it in order, and lets it go on. Never rejects; the answer is the exchange's error, null when it answered. */
  async fill(isPaused: () => boolean): Promise<unknown> {
    const { wall, signal } = this.#context;
    this.#filling = true;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const generation = this.#generation;
        const late = this.filled && this.isLate();
        await this.#context.refreshClock();
        const brought = await this.#fetch(generation, late);
        if (isPaused()) return null;
        if (this.#generation !== generation) continue;
        this.filled = true;
        this.#retry.reset();
        this.#drain();
        await this.#judge(brought);
        while (this.#generation === generation && this.lacksLonger()) {
          await this.#fetchLonger();
          if (this.#generation === generation) this.#drain();
        }
        if (!this.#merge.blocked()?.hole) return null;
      }
      this.notBefore = wall.now() + this.#retry.next();
      return null;
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
      return error;
    } finally {
      this.#filling = false;
    }
  }

  #failed(error: unknown): void {
    const { wall, log } = this.#context;
    const code = codeOf(error);
    if (code === 'exchange_refused' && this.intervals.length > 0) this.#halts(`: ${sentenceOf(error)}`);
    this.notBefore = wall.now() + this.#retry.next();
    if (this.#retry.failures === 1) log('warn', code, `The history of ${this.symbol} could not be fetched: ${sentenceOf(error)} It is tried again.`);
  }

  /** Lays all closed candles that the exchange has beyond what was taken into the queue; answers whether there was any. */
  async #fetch(generation: number, late: boolean): Promise<boolean> {
    const { rest, clock, wall, signal, startOf, stored } = this.#context;
    let brought = false;
    const began = wall.now();
    for (const interval of this.intervals) if (this.#merge.nextOpen(interval) === undefined) this.#resume(interval);
    if (this.intervals.some((interval) => this.#merge.nextOpen(interval) === undefined)) await this.#fetchLonger();
    for (const interval of this.intervals) {
      const next = this.#merge.nextOpen(interval);
      const from = next ?? startOf(this.symbol, interval);
      // Nothing is due yet, unless a later candle proves that it is, whatever the clock says. A series that goes on after a restart asks for nothing either: its stream flows already, and
      // the audit will compare what is held.
      if (next !== undefined && intervalClose(interval, from) > (this.filled ? clock.seen() : clock.now()) && this.#merge.earliestWaiting(interval) === undefined) continue;
      const compared = next === undefined ? [] : this.#context.held(this.symbol, interval, OVERLAP);
      if (next === undefined) this.#begun.set(interval, from);
      const stillWanted = () => this.#generation === generation && this.intervals.includes(interval);
      const laid = await layHistory({
        rest, clock, wall, signal, symbol: this.symbol, interval, from: compared[0]?.openTime ?? from, priority: this.filled ? 'repair' : 'backfill', merge: this.#merge, stillWanted, held: compared, stored: this.filled ? undefined : stored,
        onDifference: () => this.#context.doubt(this.symbol, interval),
      });
      if (!stillWanted()) return brought;
      if (next === undefined) this.#broken.before(this.#context.longer(this.symbol), this.#merge.nextOpen(interval) ?? from);
      this.#halt.keepLast(interval, laid.unfollowed);
      if (laid.candles > 0) brought = true;
      if (late && laid.traded > 0 && wall.now() - began < LATE_MARKET_MS) this.#quiet.late(interval);
    }
    return brought;
  }

  async #fetchLonger(): Promise<void> {
    const settled = this.#context.clock.seen() - SETTLED_MS;
    await this.#context.before(this.symbol);
    this.#broken.fetched(settled);
  }

  /** A series of which candles are held already, as after a restart, goes on after them. */
  #resume(interval: Interval): void {
    const first = this.#context.heldFrom(this.symbol, interval);
    const last = this.#context.held(this.symbol, interval, 1)[0];
    if (first === undefined || last === undefined) return;
    this.#begun.set(interval, first);
    this.#merge.startAt(interval, intervalClose(interval, last.openTime));
    this.#broken.fetched(intervalClose(interval, last.openTime));
    this.#broken.before(this.#context.longer(this.symbol), first);
  }

  /** After an answer: a symbol that is due but got nothing has halted, if the exchange says so, or if it happens several times. */
  async #judge(brought: boolean): Promise<void> {
    const { clock, wall } = this.#context;
    if (brought) {
      this.#halt.lives();
      return;
    }
    // By the exchange's own clock, not by our estimate: a row that it was too early for is no sign of a halt.
    if (this.dueAt() + LATE_MARKET_MS > clock.seen()) return;
    this.notBefore = wall.now() + this.#halt.emptyAnswer();
    if (await this.#halt.isOne()) this.#halts('');
  }

  #halts(why: string): void {
    const wasHalted = this.isHalted();
    this.#halt.begin();
    this.filled = true;
    this.#drain(true);
    if (!wasHalted) this.#halt.tell(why);
  }

  /** A closed candle came once more: it must say what the first one said. */
  #compare(interval: Interval, candle: Candle): void {
    const next = this.#merge.nextOpen(interval);
    if (next === undefined || candle.openTime >= next) return;
    const { held, doubt } = this.#context;
    // Repeats come right after their first, or as a correction somewhat later: a few are enough, the audit sees the rest.
    const before = held(this.symbol, interval, 100).find(({ openTime }) => openTime === candle.openTime);
    if (before && !sameCandle(before, candle)) doubt(this.symbol, interval);
  }

  /** Lets all candles go on that are next in order. */
  #drain(halting = false): void {
    const { take, restart, log, marks, clock } = this.#context;
    for (;;) {
      // Longer candles are screened before the shorter one that ends with them.
      if ((this.#merge.nextClose() ?? -Infinity) >= this.#broken.next) return;
      const next = this.#merge.take();
      if (!next) return;
      const { interval } = next;
      if ('hole' in next) {
        const { from, to } = next.hole;
        log('warn', 'candles_missing', `The exchange has no ${interval} candles of ${this.symbol} from ${iso(from)} to ${iso(to)}; its series begins anew after them.`);
        marks.add({ kind: 'hole', symbol: this.symbol, interval, openTime: from, until: to, at: clock.now() });
        this.#broken.hole(this.#context.longer(this.symbol), from, to);
        restart(this.symbol, interval);
        continue;
      }
      if (this.#halt.isSuspected && !halting) this.#halt.lives();
      try {
        take(this.symbol, interval, next.candle);
      } catch (error) {
        // Must not happen; if it does, one symbol begins anew instead of all standing still.
        log('error', codeOf(error), `${this.symbol} ${interval} at ${iso(next.candle.openTime)}: ${sentenceOf(error)} Its history is fetched anew.`);
        this.beginAnew();
        return;
      }
    }
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
