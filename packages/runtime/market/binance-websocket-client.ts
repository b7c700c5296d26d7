import type { Candle, Interval, TradeMindError } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import { StreamConnection } from './stream-connection.ts';
import type { StreamFrame } from './stream-frames.ts';

/** Binance allows so many streams on one connection. */
const STREAMS_PER_CONNECTION = 1_024;
/** The exchange pings every 20 s: a connection silent for longer is dead. */
const SILENCE_MS = 30_000;
const BACKOFF = { first: 250, most: 20_000 };
/** After a refusal that time alone can lift (ban, location) we ask rarely. */
const REFUSED_MS = 60_000;
/** A connection that lived so long was a good one: the next failure starts from the shortest wait. */
const GOOD_LIFE_MS = 30_000;
const SAMPLE_EVERY = 1_000;

export interface Series { symbol: string; interval: Interval }

export interface BinanceWebSocketEvents {
  /** A candle that has closed: the truth of its time. */
  onClosed(series: Series, candle: Candle, eventTime: number): void;
  /** The candle under way: its `close` is the price now. */
  onForming(series: Series, candle: Candle, eventTime: number): void;
  /** These series flow from now on, at first or again: what closed before may have been missed. */
  onSubscribed(series: readonly Series[]): void;
  /** Connected or not, as a whole; with the reason when not. */
  onState(state: { connected: boolean; error: TradeMindError | null }): void;
}

export interface BinanceWebSocketOptions {
  /** e.g. `wss://data-stream.binance.vision` */
  url: string;
  wall: Wall;
  log: Log;
  events: BinanceWebSocketEvents;
  limits?: { streamsPerConnection?: number; silenceMs?: number };
}

/** The frames taken in since the start, by kind. */
export interface FrameCounts { kline: number; answer: number; shutdown: number; other: number; malformed: number }

interface Slot { streams: Set<string>; connection: StreamConnection | undefined; backoff: Backoff; up: boolean }

/**
 * The exchange's kline streams: as many connections as the limits ask, subscriptions that follow what is wanted without reconnecting,
 * reconnects with back-off and no last try. Malformed frames are counted, the first and then some said, and harm nothing.
 */
export class BinanceWebSocketClient {
  readonly counts: FrameCounts = { kline: 0, answer: 0, shutdown: 0, other: 0, malformed: 0 };
  readonly #options: BinanceWebSocketOptions;
  readonly #slots: Slot[] = [];
  readonly #stopping = new AbortController();
  readonly #perConnection: number;
  readonly #running = new Set<Promise<void>>();
  #reconnects = 0;

  constructor(options: BinanceWebSocketOptions) {
    this.#options = options;
    this.#perConnection = options.limits?.streamsPerConnection ?? STREAMS_PER_CONNECTION;
  }

  /** True when every connection that is needed stands. */
  get connected(): boolean {
    return this.#slots.every((slot) => slot.up);
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  /** ms since any connection last heard anything; 0 when there is none. */
  silenceMs(): number {
    const heard = this.#slots.map((slot) => slot.connection?.heardAt ?? -Infinity);
    return heard.length === 0 || Math.max(...heard) === -Infinity ? 0 : this.#options.wall.now() - Math.max(...heard);
  }

  /** Wants exactly these series from now on; each stays on the connection that it is on. */
  want(series: readonly Series[]): void {
    const wanted = new Set(series.map(streamOf));
    const changed = new Set<Slot>();
    for (const slot of this.#slots) {
      for (const stream of slot.streams) {
        if (wanted.has(stream)) wanted.delete(stream);
        else if (slot.streams.delete(stream)) changed.add(slot);
      }
    }
    for (const stream of wanted) {
      const slot = this.#slots.find((candidate) => candidate.streams.size < this.#perConnection) ?? this.#open();
      slot.streams.add(stream);
      changed.add(slot);
    }
    for (const slot of changed) {
      if (slot.streams.size > 0) slot.connection?.want(slot.streams);
      else slot.connection?.end();
    }
  }

  /** Ends all connections and waits for it. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const slot of this.#slots) slot.connection?.end();
    await Promise.all(this.#running);
  }

  #open(): Slot {
    const { wall } = this.#options;
    const slot: Slot = { streams: new Set(), connection: undefined, backoff: new Backoff({ ...BACKOFF, random: wall.random }), up: false };
    this.#slots.push(slot);
    const running = this.#keep(slot).finally(() => this.#running.delete(running));
    this.#running.add(running);
    return slot;
  }

  /** Keeps one connection for as long as the client lives. */
  async #keep(slot: Slot): Promise<void> {
    const { log, wall } = this.#options;
    // The caller adds the first streams before the first connection opens.
    await Promise.resolve();
    while (!this.#stopping.signal.aborted) {
      if (slot.streams.size === 0) {
        this.#slots.splice(this.#slots.indexOf(slot), 1);
        return;
      }
      const openedAt = wall.now();
      const { shutdown, error } = await this.#live(slot);
      const wasUp = slot.up;
      slot.up = false;
      if (wall.now() - openedAt > GOOD_LIFE_MS) slot.backoff.reset();
      if (this.#stopping.signal.aborted || slot.streams.size === 0) continue;
      this.#options.events.onState({ connected: false, error });
      this.#reconnects += 1;
      const refused = error !== null && ['exchange_location_refused', 'exchange_banned', 'exchange_limited'].includes(error.code);
      if (wasUp || slot.backoff.failures === 0) {
        log('warn', error?.code ?? 'stream_lost', shutdown ? 'The exchange announced a restart of its stream; reconnecting at once.'
          : `The exchange's stream ended${error ? `: ${error.message}` : ' without a word'}; reconnecting.`);
      }
      if (!shutdown || !wasUp) await pause(refused ? REFUSED_MS : slot.backoff.next(), this.#stopping.signal);
    }
  }

  /** One connection from its opening to its end. */
  #live(slot: Slot): Promise<{ shutdown: boolean; error: TradeMindError | null }> {
    const { wall, url, events, log, limits } = this.#options;
    return new Promise((resolve) => {
      slot.connection = new StreamConnection({
        url, now: wall.now, silenceMs: limits?.silenceMs ?? SILENCE_MS, streams: slot.streams,
        events: {
          onSubscribed: (streams) => {
            slot.up = true;
            events.onState({ connected: this.connected, error: null });
            events.onSubscribed(streams.map(seriesOf));
          },
          onRefused: (streams, message) => log('error', 'stream_refused', `The exchange refused ${streams.length} streams: ${message}`, { streams: streams.slice(0, 10) }),
          onFrame: (frame) => this.#onFrame(frame),
          onEnd: (reason) => { slot.connection = undefined; resolve(reason); },
        },
      });
    });
  }

  #onFrame(frame: StreamFrame): void {
    this.counts[frame.kind] += 1;
    const { events, log } = this.#options;
    if (frame.kind === 'kline') {
      const series = { symbol: frame.symbol, interval: frame.interval };
      if (frame.closed) events.onClosed(series, frame.candle, frame.eventTime);
      else events.onForming(series, frame.candle, frame.eventTime);
    } else if (frame.kind === 'malformed' && this.counts.malformed % SAMPLE_EVERY === 1) {
      log('warn', 'frame_malformed', `A frame of the exchange could not be read (${this.counts.malformed} so far); it was left out.`);
    }
  }
}

function streamOf({ symbol, interval }: Series): string {
  return `${symbol.toLowerCase()}@kline_${interval}`;
}

function seriesOf(stream: string): Series {
  const [symbol, interval] = stream.split('@kline_') as [string, Interval];
  return { symbol: symbol.toUpperCase(), interval };
}
