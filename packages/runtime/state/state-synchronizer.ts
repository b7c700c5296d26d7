import { codeOf, sentenceOf } from '@trademind/core';
import type { Database } from '../control/database.ts';
import type { Log } from '../log.ts';
import { Nudge } from '../nudge.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import type { StateStore } from './state-store.ts';

const ROWS = 500;
const GAP_MS = 1_000;
const BACKOFF = { first: 200, most: 15_000 };
const GIVE_UP_MS = 2_000;

export interface StateSynchronizerOptions {
  store: Pick<StateStore, 'outboxBatch' | 'acknowledge' | 'outboxState'>;
  database: Pick<Database, 'writeSignals'>;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  /** The outbox became shorter. */
  onSent: () => void;
}

/**
 * Sends the outbox to the database: oldest first, in batches, at once when something is queued and then at most every second. A row leaves the
 * outbox only when the database has answered for it; one that it refuses is set aside with the reason and never holds others up.
 */
export class StateSynchronizer {
  readonly #options: StateSynchronizerOptions;
  readonly #nudge: Nudge;
  /** Cuts the gap between two batches short; only a flush does that. */
  readonly #hurry: Nudge;
  readonly #backoff: Backoff;
  #problem: { code: string; message: string } | null = null;
  #flushing = false;

  constructor(options: StateSynchronizerOptions) {
    this.#options = options;
    this.#nudge = new Nudge(options.signal);
    this.#hurry = new Nudge(options.signal);
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** Something was queued. */
  nudge(): void {
    // While the database is away its back-off decides, not the next candle.
    if (this.#problem === null) this.#nudge.now();
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      const sent = await this.#once();
      if (sent === 'failed') await this.#nudge.wait(this.#flushing ? BACKOFF.first : this.#backoff.next());
      else if (sent === 'empty') await this.#nudge.wait(GAP_MS * 15);
      else if (!this.#flushing) await this.#hurry.wait(GAP_MS);
    }
  }

  /**
   * Sends without pauses until the outbox is empty or `ms` have passed, or the database has failed for 2 s: what is left waits on disk.
   * Answers whether it is empty. `run` must be running.
   */
  async flush(ms: number): Promise<boolean> {
    const { store, wall, signal } = this.#options;
    this.#flushing = true;
    const deadline = wall.now() + ms;
    let failingSince: number | null = null;
    this.#nudge.now();
    this.#hurry.now();
    try {
      while (store.outboxState().rows > 0) {
        failingSince = this.#problem === null ? null : (failingSince ?? wall.now());
        if (wall.now() >= deadline || signal.aborted || (failingSince !== null && wall.now() - failingSince >= GIVE_UP_MS)) return false;
        if (this.#problem === null) this.#nudge.now();
        await pause(50, signal);
      }
      return true;
    } finally {
      this.#flushing = false;
    }
  }

  async #once(): Promise<'sent' | 'empty' | 'failed'> {
    const { store, database, log, signal } = this.#options;
    try {
      const rows = store.outboxBatch(ROWS);
      if (rows.length === 0) return 'empty';
      const answer = await database.writeSignals(rows.map((row) => JSON.parse(row.payload) as unknown));
      store.acknowledge(rows, answer.rejected.map((row) => ({ ...row, id: row.id ?? '' })));
      for (const row of answer.rejected.slice(0, 5)) log('error', row.code, `The database refused signal ${row.id ?? '(unreadable)'}: ${row.message}. It is set aside.`);
      if (this.#problem) log('info', 'outbox_sending', 'Signals are being written to the database again.');
      this.#problem = null;
      this.#backoff.reset();
      this.#options.onSent();
      return 'sent';
    } catch (error) {
      if (!signal.aborted) {
        const code = codeOf(error);
        if (this.#problem?.code !== code) log('warn', code, `Signals wait on disk: ${sentenceOf(error)}`);
        this.#problem = { code, message: sentenceOf(error) };
      }
      return 'failed';
    }
  }
}
