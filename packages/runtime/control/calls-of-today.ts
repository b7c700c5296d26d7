import { codeOf, sentenceOf, TradeMindError } from '@trademind/core';
import type { KnownCall } from '../analysis/analysis-queue.ts';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { callOf } from '../state/analysis-facts.ts';
import { Backoff, type Wall } from '../time.ts';
import type { CallRow, Database } from './database.ts';

const PAGE = 500;
/** More than anybody can make in a day at 60 a minute. */
const MOST_PAGES = 200;
const BACKOFF = { first: 1_000, most: 60_000 };
/** Calls of the model wait at most so long for what was used elsewhere. */
const PATIENCE_MS = 5_000;
/** A machine that was cut off may have written its calls later. */
const AGAIN_MS = 3_600_000;

export interface CallsOfTodayOptions {
  database: Pick<Database, 'analysesOfDay'>;
  /** Counts those that it does not know. False where they could not be written down. */
  learn: (calls: readonly KnownCall[]) => boolean;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
}

/**
 * What the user has used today (UTC) on another machine or on a disk that is gone, so that a cap holds for the user and not for a disk: the calls of the day as the database has them, read
 * whenever this machine becomes the one that acts, and every hour. Calls are told apart by their ids, so reading them again changes nothing. A database that is away holds calls up for 5 s; then
 * they are made by what is known here, that is said, and what is learnt later counts from then on.
 */
export class CallsOfToday {
  readonly #options: CallsOfTodayOptions;
  readonly #nudge: Nudge;
  readonly #backoff: Backoff;
  #fence: number | undefined;
  #known = false;
  #patientUntil = Infinity;
  #problem: { code: string; message: string } | null = null;

  constructor(options: CallsOfTodayOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** Whether calls should wait for the answer. */
  get learning(): boolean {
    return !this.#known && this.#options.wall.now() < this.#patientUntil;
  }

  /** That what was used elsewhere is not known; null when all is well. */
  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** This machine acts for its user under this fence, for the first time or again: what others used until now is read. */
  owned(fence: number): void {
    if (fence !== this.#fence) this.#ask();
    this.#fence = fence;
    this.#nudge.now();
  }

  /** Follows until the signal ends it. */
  async run(): Promise<void> {
    this.#ask();
    // Where nobody says by then who acts, the database is asked in any case.
    for (let wait = PATIENCE_MS; !this.#options.signal.aborted;) {
      await this.#nudge.wait(wait);
      wait = await this.#read();
    }
  }

  #ask(): void {
    this.#known = false;
    this.#patientUntil = this.#options.wall.now() + PATIENCE_MS;
  }

  async #read(): Promise<number> {
    const { wall, log, signal } = this.#options;
    const fence = this.#fence;
    try {
      await this.#readDay(new Date(wall.epoch()).toISOString().slice(0, 10));
      if (this.#problem) log('info', 'analysis_usage_known', 'What was used elsewhere today is known now.');
      this.#problem = null;
      this.#backoff.reset();
      // Another became the owner and this one again while it was read: it is read once more.
      if (fence === this.#fence) this.#known = true;
      return AGAIN_MS;
    } catch (error) {
      if (!signal.aborted && !this.#known) this.#unknown(error);
      return this.#backoff.next();
    }
  }

  async #readDay(day: string): Promise<void> {
    const { database, learn, signal } = this.#options;
    let last: CallRow | undefined;
    for (let page = 0; page < MOST_PAGES && !signal.aborted; page++) {
      const rows = await database.analysesOfDay(day, PAGE, last);
      if (!learn(rows.map(callOf))) throw new TradeMindError({ code: 'disk_failing', message: 'It cannot be written to the data folder.' });
      if (rows.length < PAGE) return;
      last = rows.at(-1);
    }
  }

  #unknown(error: unknown): void {
    if (!this.#problem) this.#options.log('warn', codeOf(error), `What was used elsewhere today is not known: ${sentenceOf(error)}`);
    this.#problem = { code: 'analysis_usage_unknown', message: `What the user's analyses used elsewhere today is not known yet (${sentenceOf(error)}): the daily caps are kept by the calls that this machine knows.` };
  }
}
