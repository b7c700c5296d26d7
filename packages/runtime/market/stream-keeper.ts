import type { TradeMindError } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import type { AttemptBudget } from './attempt-budget.ts';
import type { ConnectionEnd, ConnectionEvents, StreamConnection } from './stream-connection.ts';

const BACKOFF = { first: 250, most: 20_000 };
/** After a refusal that time alone can lift (ban, location, firewall) we ask rarely. */
const REFUSED_MS = 60_000;
const REFUSALS: ReadonlySet<string> = new Set(['exchange_location_refused', 'exchange_banned', 'exchange_limited', 'exchange_forbidden']);
/** A connection that lived so long was a good one: the next failure starts from the shortest wait. */
const GOOD_LIFE_MS = 10_000;
/** The exchange ends a connection after 24 h: before that, each at a moment of its own, another takes its place. */
const LONGEST_LIFE_MS = 23.5 * 3_600_000;
const LIFE_SPREAD_MS = 3_600_000;
/** So long both connections stand when one takes the other's place. */
const OVERLAP_MS = 3_000;

export interface KeeperOptions {
  wall: Wall;
  log: Log;
  attempts: AttemptBudget;
  /** Opens one connection to these streams. */
  connect(streams: Iterable<string>, events: ConnectionEvents): StreamConnection;
  /** What the streams bring. */
  sink: Omit<ConnectionEvents, 'onReady' | 'onShutdown' | 'onEnd'>;
  /** Up, down, or the reason why it stays down. */
  onState(error: TradeMindError | null): void;
  longestLifeMs?: number | undefined;
}

/**
 * Keeps one set of streams connected: reconnects with back-off and no last try, and where an end is known beforehand (an announced restart,
 * the 24-hour limit, streams gone quiet) opens the next connection before the old one ends, so that no frame is missed.
 */
export class StreamKeeper {
  readonly streams = new Set<string>();
  readonly #options: KeeperOptions;
  readonly #stopping = new AbortController();
  readonly #backoff: Backoff;
  /** Between renewals of connections that have lived for a moment only: an exchange that announces its end again and again gets no flood of attempts. */
  readonly #renewals: Backoff;
  readonly #open = new Set<StreamConnection>();
  #current: StreamConnection | undefined;
  #successor: StreamConnection | undefined;
  #connecting: Promise<void> | undefined;
  #cancelAge: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #renewing = false;
  #tookAt = -Infinity;
  #lost = 0;
  #said = '';
  #allEnded: (() => void) | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...BACKOFF, random: options.wall.random });
    this.#renewals = new Backoff({ ...BACKOFF, random: options.wall.random });
  }

  /** True when all wanted streams flow. */
  get up(): boolean {
    return this.#current?.ready ?? false;
  }

  /** Connections that ended without being asked to. */
  get lost(): number {
    return this.#lost;
  }

  /** When any of its connections last heard anything; -Infinity without one. */
  get heardAt(): number {
    return Math.max(-Infinity, ...[...this.#open].map((connection) => connection.heardAt));
  }

  /** What is wanted (`streams`) has changed. */
  changed(): void {
    this.#current?.want(this.streams);
    this.#successor?.want(this.streams);
    if (!this.#current && this.streams.size > 0) this.#connect(0);
  }

  /** Another connection takes this one's place, without a gap between them. */
  renew(why: string): void {
    if (this.#renewing || this.#stopping.signal.aborted || !this.#current) return;
    this.#renewing = true;
    this.#options.log('info', 'stream_renewed', `${why}: another connection to the exchange's stream takes its place.`);
    const { wall } = this.#options;
    if (wall.now() - this.#tookAt > GOOD_LIFE_MS) this.#renewals.reset();
    // The first at once, the next of a row later and later.
    const waitMs = this.#renewals.failures === 0 ? (this.#renewals.next(), 0) : this.#renewals.next();
    this.#cancelRenewal = wall.after(waitMs, () => this.#connect(0));
  }

  resubscribe(streams: readonly string[]): void {
    this.#current?.resubscribe(streams);
  }

  /** Ends all connections and waits for it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelAge?.();
    this.#cancelRenewal?.();
    for (const connection of this.#open) connection.end();
    await this.#connecting;
    if (this.#open.size > 0) await new Promise<void>((resolve) => { this.#allEnded = resolve; });
  }

  #connect(waitMs: number): void {
    this.#connecting ??= this.#connectAfter(waitMs).finally(() => { this.#connecting = undefined; });
  }

  async #connectAfter(waitMs: number): Promise<void> {
    const { attempts, wall } = this.#options;
    const { signal } = this.#stopping;
    if (waitMs > 0) await pause(waitMs, signal, wall);
    if (!(await attempts.take(signal)) || this.streams.size === 0) return;
    const openedAt = wall.now();
    const connection: StreamConnection = this.#options.connect(this.streams, {
      ...this.#options.sink,
      onReady: () => this.#onReady(connection),
      onShutdown: () => { if (connection === this.#current) this.renew('The exchange announced a restart of its stream'); },
      onEnd: (end) => this.#onEnd(connection, end, wall.now() - openedAt),
    });
    this.#open.add(connection);
    if (this.#current) this.#successor = connection;
    else this.#take(connection);
  }

  /** From now on this connection is the one. */
  #take(connection: StreamConnection): void {
    const { wall, longestLifeMs = LONGEST_LIFE_MS } = this.#options;
    this.#current = connection;
    this.#successor = undefined;
    this.#renewing = false;
    this.#tookAt = wall.now();
    this.#cancelRenewal?.();
    this.#cancelAge?.();
    this.#cancelAge = wall.after(longestLifeMs - Math.min(LIFE_SPREAD_MS, longestLifeMs / 10) * wall.random(), () => this.renew('The exchange ends a connection after 24 hours'));
  }

  #onReady(connection: StreamConnection): void {
    if (connection === this.#successor) {
      const before = this.#current;
      this.#take(connection);
      if (before) void pause(OVERLAP_MS, this.#stopping.signal, this.#options.wall).then(() => before.end());
    }
    if (connection !== this.#current) return;
    this.#said = '';
    this.#options.onState(null);
  }

  #onEnd(connection: StreamConnection, { error, waitMs }: ConnectionEnd, livedMs: number): void {
    this.#open.delete(connection);
    if (this.#stopping.signal.aborted) {
      if (this.#open.size === 0) this.#allEnded?.();
      return;
    }
    if (livedMs > GOOD_LIFE_MS) this.#backoff.reset();
    if (connection === this.#successor) {
      // The old one goes on meanwhile.
      this.#successor = undefined;
      this.#connect(this.#wait(error, waitMs));
    } else if (connection === this.#current) {
      this.#current = undefined;
      this.#cancelAge?.();
      if (this.streams.size === 0) return;
      this.#lost += 1;
      this.#say(error);
      this.#options.onState(error);
      if (this.#successor) this.#take(this.#successor);
      else this.#connect(this.#wait(error, waitMs));
    }
  }

  #wait(error: TradeMindError | null, waitMs: number): number {
    const next = this.#backoff.next();
    return Math.max(waitMs, error !== null && REFUSALS.has(error.code) ? REFUSED_MS : next);
  }

  /** Each reason once, until the streams flow again. */
  #say(error: TradeMindError | null): void {
    const code = error?.code ?? 'stream_lost';
    if (code === this.#said) return;
    this.#said = code;
    this.#options.log('warn', code, `The exchange's stream ended${error ? `: ${error.message}` : ' without a word.'} It is connected again.`);
  }
}
