import { codeOf, sentenceOf, type BeatAnswer, type MachineStatus } from '@trademind/core';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { Backoff, type Wall } from '../time.ts';
import { faultOf } from './database-fault.ts';
import type { Database, TraderRow } from './database.ts';
import { leastStatus, toldStatus } from './told-status.ts';

const EVERY_MS = 15_000;
const BACKOFF = { first: 500, most: EVERY_MS };

/** Versions of what the machine fetches when it changes, and the public keys of tickets (null: those of its birth). */
export type BeatNews = Pick<BeatAnswer, 'settings_version' | 'keys_version' | 'jwks_version' | 'jwks'>;

export interface BeatOptions {
  database: Pick<Database, 'beat' | 'traders'>;
  status: () => MachineStatus;
  /** The stored traders, at first and whenever they changed. */
  onTraders: (rows: readonly TraderRow[]) => void;
  /** A drain is wished, or no longer. */
  onDrain: (drain: boolean) => void;
  /** At first, and whenever a version changed. */
  onNews: (news: BeatNews) => void;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
}

/**
 * Every 15 s, and at once when nudged: tells the database how the machine fares and hears what it must know. Level-based: whatever was
 * missed, the next answer says it again.
 */
export class Beat {
  readonly #options: BeatOptions;
  readonly #nudge: Nudge;
  readonly #backoff: Backoff;
  #tradersEtag: string | undefined;
  #news: string | undefined;
  #problem: { code: string; message: string } | null = null;
  #lastAt: number | null = null;
  #latencyMs: number | null = null;
  #clockOffsetMs: number | undefined;
  #statusRefused = false;

  constructor(options: BeatOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** When the database last answered (wall, monotonic ms); null before. */
  get lastAt(): number | null {
    return this.#lastAt;
  }

  /** How long the database took for its last answer (ms), and how far its clock is ahead of ours (ms, to half of that). */
  get measured(): { latencyMs: number | null; clockOffsetMs: number | undefined } {
    return { latencyMs: this.#latencyMs, clockOffsetMs: this.#clockOffsetMs };
  }

  /** Beats now instead of in its turn. */
  nudge(): void {
    this.#nudge.now();
  }

  async run(): Promise<void> {
    while (!this.#options.signal.aborted) {
      const wait = await this.#once();
      await this.#nudge.wait(wait);
    }
  }

  async #once(): Promise<number> {
    const { database, onTraders, onDrain, onNews, wall, log, signal } = this.#options;
    try {
      const sent = { now: wall.now(), epoch: wall.epoch() };
      const answer = await this.#tell(this.#options.status());
      this.#latencyMs = wall.now() - sent.now;
      const ahead = Date.parse(answer.server_time) - sent.epoch - this.#latencyMs / 2;
      if (Number.isFinite(ahead)) this.#clockOffsetMs = ahead;
      if (answer.traders_etag !== this.#tradersEtag) {
        onTraders(await database.traders());
        this.#tradersEtag = answer.traders_etag;
      }
      const { settings_version, keys_version, jwks_version, jwks } = answer;
      const news = [settings_version, keys_version, jwks_version].join();
      if (news !== this.#news) onNews({ settings_version, keys_version, jwks_version, jwks });
      this.#news = news;
      onDrain(answer.drain);
      this.#lastAt = wall.now();
      if (this.#problem) log('info', 'database_answers', 'The database answers again.');
      this.#problem = null;
      this.#backoff.reset();
      return EVERY_MS;
    } catch (error) {
      if (!signal.aborted) {
        const code = codeOf(error);
        if (this.#problem?.code !== code) log('warn', code, sentenceOf(error));
        this.#problem = { code, message: sentenceOf(error) };
      }
      return this.#backoff.next();
    }
  }

  /** A status that the database will not have must not keep the machine from hearing: it says only that it lives, then. */
  async #tell(status: MachineStatus): Promise<BeatAnswer> {
    const { database, log } = this.#options;
    try {
      const answer = await database.beat(toldStatus(status));
      this.#statusRefused = false;
      return answer;
    } catch (error) {
      if (faultOf(error) !== 'refused') throw error;
      const answer = await database.beat(leastStatus(status));
      if (!this.#statusRefused) log('error', 'status_refused', `The database refused what the machine says of itself; it hears only that it lives. ${sentenceOf(error)}`);
      this.#statusRefused = true;
      return answer;
    }
  }
}
