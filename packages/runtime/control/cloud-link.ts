import { randomUUID } from 'node:crypto';
import { cutText, parseWith, sentenceOf, TraderDocument, type MachineStatus } from '@trademind/core';
import type { KnownCall } from '../analysis/analysis-queue.ts';
import type { Log } from '../log.ts';
import type { InvalidTrader } from '../screening/trader-set.ts';
import { MinuteMetrics, type LoadSample } from '../state/minute-metrics.ts';
import type { StateStore, StoredTrader } from '../state/state-store.ts';
import { StateSynchronizer } from '../state/state-synchronizer.ts';
import type { Wall } from '../time.ts';
import { Beat, type BeatNews } from './beat.ts';
import { CallsOfToday } from './calls-of-today.ts';
import { SupabaseDatabase, type TraderRow } from './database.ts';
import { MachineToken } from './machine-token.ts';
import { OwnerLease, type OwnerState } from './owner-lease.ts';

export interface CloudOptions {
  controlPlaneUrl: string;
  machineSecret: string;
  supabaseUrl: string;
  publishableKey: string;
}

export interface CloudHooks {
  store: StateStore;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  status: () => MachineStatus;
  /** What was measured since it was last asked, for the minute's figures. */
  worst?: () => Pick<LoadSample, 'loopMs' | 'lagMs' | 'screeningMsTotal'>;
  /** The stored traders: those that can be read, and those that cannot. */
  onTraders: (traders: StoredTrader[], unreadable: InvalidTrader[]) => void;
  onDrain: (drain: boolean) => void;
  /** Whether this machine is the one that acts for its user, whenever that changes. */
  onOwner?: (state: OwnerState) => void;
  /** Calls of the model that the database knows, to be counted where they are not known here. False where they could not be written down. */
  onCalls?: (calls: readonly KnownCall[]) => boolean;
  /** What the beat brings besides: versions to follow. */
  onNews?: (news: BeatNews) => void;
  /** Something worth a status frame changed. */
  onChange: () => void;
}

/** The machine's ties to the cloud: its token, its beat, its outbox, its part in being the user's one owner, what the user used elsewhere. Each keeps trying by itself; none stops the screening. */
export class CloudLink {
  readonly owner: OwnerLease;
  readonly calls: CallsOfToday;
  readonly #token: MachineToken;
  readonly #beat: Beat;
  readonly #synchronizer: StateSynchronizer;
  readonly #silenceMs: () => number;
  readonly #hooks: Pick<CloudHooks, 'store' | 'log'>;
  /** Public keys that tickets are verified with, as the beat brought them; null: those of the machine's birth. */
  ticketKeys: BeatNews['jwks'] = null;

  constructor(options: CloudOptions, hooks: CloudHooks) {
    const { wall, log, signal, store } = hooks;
    this.#hooks = hooks;
    const begunAt = wall.now();
    this.#silenceMs = () => wall.now() - (this.#beat.lastAt ?? begunAt);
    this.#token = new MachineToken({ controlPlaneUrl: options.controlPlaneUrl, secret: options.machineSecret, wall, log, signal });
    const database = new SupabaseDatabase({ url: options.supabaseUrl, publishableKey: options.publishableKey, token: this.#token, signal });
    this.#synchronizer = new StateSynchronizer({ store, database, wall, log, signal, newId: randomUUID, onSent: hooks.onChange });
    this.calls = new CallsOfToday({ database, wall, log, signal, learn: (calls) => hooks.onCalls?.(calls) ?? true });
    this.owner = new OwnerLease({
      store, database, wall, log, signal, newId: randomUUID, onChange: (state) => {
        if (state.state === 'held') this.calls.owned(state.fence);
        hooks.onOwner?.(state);
        hooks.onChange();
      },
    });
    const metrics = new MinuteMetrics();
    this.#beat = new Beat({
      database, wall, log, signal, onDrain: hooks.onDrain, onNews: (news) => { this.ticketKeys = news.jwks; hooks.onNews?.(news); },
      status: () => {
        const status = hooks.status();
        const minute = metrics.add({ ...sampleOf(status, wall), ...hooks.worst?.() });
        if (minute) store.outbox.add('metric', minute.at, minute);
        return status;
      },
      onTraders: (rows) => {
        const { traders, unreadable } = readTraders(rows);
        for (const trader of unreadable) log('error', 'trader_unreadable', `"${trader.name}" cannot run: ${trader.error}`);
        store.cacheTraders(traders);
        hooks.onTraders(traders, unreadable);
      },
    });
  }

  /** Works until the signal ends it. */
  async run(): Promise<void> {
    await Promise.all([this.#token.run(), this.#beat.run(), this.#synchronizer.run(), this.owner.run(), this.calls.run()]);
  }

  /** The phase changed: the database hears of it now. */
  beatNow(): void {
    this.#beat.nudge();
  }

  /** Something was queued that is to be sent at once: signals, orders. */
  sendNow(): void {
    this.#synchronizer.nudge();
  }

  /** Sends what waits, for at most `ms`, and lets another machine of the user act. */
  async leave(ms: number): Promise<void> {
    const { store, log } = this.#hooks;
    const waiting = store.outboxState().rows;
    if (waiting > 0) {
      const empty = await this.#synchronizer.flush(ms);
      log(empty ? 'info' : 'warn', 'outbox', empty ? `The last ${waiting} rows were written.` : `${store.outboxState().rows} rows wait on disk for the next start.`);
    }
    await this.owner.release();
  }

  /** How the database fares: time since it last answered a beat, how long that took, how far its clock is ahead (all ms). */
  health(): { silenceMs: number; latencyMs: number | null; clockOffsetMs: number | undefined } {
    return { silenceMs: this.#silenceMs(), ...this.#beat.measured };
  }

  problems(): { code: string; message: string }[] {
    const { problem } = this.#token;
    const seen = new Set<string>();
    return [problem && { code: problem.code, message: sentenceOf(problem) }, this.#beat.problem, this.#synchronizer.problem, this.owner.problem, this.calls.problem]
      .filter((one) => one !== null).filter(({ code }) => !seen.has(code) && seen.add(code));
  }
}

function sampleOf({ process, market, traders, outbox }: MachineStatus, wall: Wall): LoadSample {
  return {
    at: wall.epoch(), cpuPercent: process.cpuPercent, rssMb: process.rssMb, candlesTotal: market.candles, outboxRows: outbox.rows,
    signalsTotal: traders.reduce((sum, { signals }) => sum + signals.live, 0),
  };
}

/** Of what is wrong with a document its user is told so much. */
const ERROR_LENGTH = 300;

/** Documents were written by others, maybe by a newer version: each is parsed, and one that cannot be read harms no other. */
function readTraders(rows: readonly TraderRow[]): { traders: StoredTrader[]; unreadable: InvalidTrader[] } {
  const traders: StoredTrader[] = [];
  const unreadable: InvalidTrader[] = [];
  for (const { id, version, name, document } of rows) {
    try {
      traders.push({ id, version, document: parseWith(TraderDocument, document, 'trader_unreadable', 'The stored document') });
    } catch (error) {
      unreadable.push({ id, version, name, error: cutText(sentenceOf(error), ERROR_LENGTH) });
    }
  }
  return { traders, unreadable };
}
