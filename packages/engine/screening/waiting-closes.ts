import { intervalClose, type Interval } from '@trademind/core';
import type { Match } from './match.ts';
import type { Membership } from './membership.ts';

/** So many deadlines long candles of long ago are waited for while they come. */
const LONGEST_BACKLOG = 60;

export interface WaitingClosesOptions {
  readonly interval: Interval;
  /** Market time after a close (ms) at which it is screened with what is there. */
  readonly deadlineMs: number;
  readonly membership: Membership;
  /** Symbols that every close needs, whoever is in. */
  readonly named: readonly string[];
  /** Whether a symbol's candle of a close is stored. */
  has(symbol: string, closeTime: number): boolean;
  /** Screens a close with what is there; `begin` of the next one comes first in it. */
  screen(closeTime: number): Match[];
}

/**
 * Which close is screened next, and for whose candles it waits: those of everybody who is in or comes in later, and of who is named; at its deadline for none. Who is known to have been
 * missing is not waited for. Where candles come whose deadline has long passed (history, or what an outage has held back: one symbol after the other), the closes wait until all symbols
 * have them, or none has come for as long.
 */
export class WaitingCloses {
  readonly #options: WaitingClosesOptions;
  /** Whose candles a close needs: by who is in or coming. */
  readonly #needs = new Map<ReadonlySet<string>, ReadonlySet<string>>();
  /** Close time of the next close to be screened by all; candles before it are late. */
  #due = -Infinity;
  /** The latest close of which a candle has come. */
  #ahead = -Infinity;
  /** Symbols whose candle of the close under way is still to come, and whether any is there. */
  #waiting = new Set<string>();
  #begun = false;
  /** When a candle last came whose deadline had passed (ms of market time), and since when they come. */
  #backlogAt = -Infinity;
  #backlogSince = -Infinity;

  constructor(options: WaitingClosesOptions) {
    this.#options = options;
  }

  /** Whether a close was screened, or passed over because no candle of it came. */
  isOver(closeTime: number): boolean {
    return closeTime < this.#due;
  }

  needed(closeTime: number): ReadonlySet<string> {
    const { membership, named } = this.#options;
    const coming = membership.coming(closeTime);
    let needed = this.#needs.get(coming);
    if (needed === undefined) this.#needs.set(coming, (needed = new Set([...coming, ...named])));
    return needed;
  }

  /**
   * Begins where the closes of these stored candles are; answers up to which of them all are to be screened with what is there, because their deadlines have passed: at a market time (ms;
   * unless given, that of the newest), or because the one that this one replaces has screened them. `resume` follows.
   */
  start(stored: readonly number[], time: number | undefined, before: WaitingCloses | undefined): number {
    this.#ahead = stored.at(-1) ?? -Infinity;
    if (before === undefined || before.#due === -Infinity) return (time ?? this.#ahead) - this.#options.deadlineMs;
    this.#backlogAt = before.#backlogAt;
    this.#backlogSince = before.#backlogSince;
    return before.#due - 1;
  }

  /** Goes on with the first of the closes after `over`; the matches of those that have all. */
  resume(stored: readonly number[], over: number): Match[] {
    const next = stored.find((close) => close > over);
    if (next !== undefined) this.begin(next);
    return this.#screenComplete();
  }

  /** The candle of a symbol that is needed, of a close that is not over, is stored, at a market time (ms); the matches that this gives. */
  arrived(symbol: string, closeTime: number, time: number): Match[] {
    if (this.#due === -Infinity) this.begin(closeTime);
    if (time > closeTime + this.#options.deadlineMs) {
      if (this.#isQuiet(time)) this.#backlogSince = time;
      this.#backlogAt = time;
    }
    this.#ahead = Math.max(this.#ahead, closeTime);
    // Whatever of the closes before is not there comes late: their deadlines have passed, or the interval is shorter than they are.
    const matches = closeTime > this.#due && this.#isQuiet(time) ? this.#screenUntil(closeTime) : [];
    if (closeTime === this.#due) this.#take(symbol);
    return [...matches, ...this.#screenComplete()];
  }

  /** The market's time is now `time` (ms): closes whose deadline has passed are screened with what is there. */
  advanceTime(time: number): Match[] {
    if (this.#ahead < this.#due || !this.#isQuiet(time)) return [];
    return this.#screenUntil(Math.min(this.#ahead + 1, time - this.#options.deadlineMs + 1));
  }

  /** The close under way is this one: some symbols may have its candle already. */
  begin(closeTime: number): void {
    const { membership, has } = this.#options;
    this.#due = closeTime;
    this.#begun = false;
    const needed = this.needed(closeTime);
    this.#waiting = new Set(needed);
    for (const symbol of membership.absentAt(closeTime)) this.#waiting.delete(symbol);
    if (this.#ahead < closeTime) return;
    for (const symbol of needed) if (has(symbol, closeTime)) this.#take(symbol);
  }

  /** For `restore`; JSON knows no infinity. */
  save(): { due: number | null; ahead: number | null } {
    const finite = (time: number): number | null => (time === -Infinity ? null : time);
    return { due: finite(this.#due), ahead: finite(this.#ahead) };
  }

  /** Goes on where it was saved, over the candles of then. */
  restore({ due, ahead }: ReturnType<WaitingCloses['save']>): void {
    this.#ahead = ahead ?? -Infinity;
    if (due !== null) this.begin(due);
  }

  #take(symbol: string): void {
    this.#begun = true;
    this.#waiting.delete(symbol);
  }

  #screenComplete(): Match[] {
    const matches: Match[] = [];
    while (this.#begun && this.#waiting.size === 0) matches.push(...this.#options.screen(this.#due));
    return matches;
  }

  /** Screens the closes before this instant of which a candle has come. */
  #screenUntil(end: number): Match[] {
    const matches: Match[] = [];
    while (this.#due < end && this.#ahead >= this.#due) {
      if (this.#begun) matches.push(...this.#options.screen(this.#due));
      else this.begin(intervalClose(this.#options.interval, this.#due));
    }
    return matches;
  }

  /** Whether nothing of long ago comes any more, or has come for so long that whoever is missing is not waited for. */
  #isQuiet(time: number): boolean {
    const { deadlineMs } = this.#options;
    return time >= this.#backlogAt + deadlineMs || time >= this.#backlogSince + LONGEST_BACKLOG * deadlineMs;
  }
}
