import type { Candle, Interval, TradeMindError } from '@trademind/core';
import type { Log } from '../log.ts';
import type { Wall } from '../time.ts';
import { AttemptBudget } from './attempt-budget.ts';
import { StreamConnection, type StreamTap } from './stream-connection.ts';
import { candleOf, FRAME_KINDS, FrameReader, klineStream, type FrameKind, type KlineStream } from './stream-frames.ts';
import { StreamKeeper, type KeeperOptions } from './stream-keeper.ts';
import { openStreamSocket, type OpenStreamSocket } from './stream-socket.ts';

/** Binance allows so many streams on one connection. */
const STREAMS_PER_CONNECTION = 1_024;
/** The exchange pings every 20 s: a connection silent for longer is dead. */
const SILENCE_MS = 30_000;
/** Of frames that could not be read, the first and then every so many-th is shown. */
const SAMPLE_EVERY = 1_000;
const SAMPLE_LENGTH = 120;
/** When so large a part of a connection's streams has gone quiet, the connection is renewed instead of each stream. */
const QUIET_PART = 0.25;
/** The last prices of all symbols, once a second, of those that changed. */
export const ALL_PRICES = '!miniTicker@arr';

export interface Series { symbol: string; interval: Interval }

export interface BinanceWebSocketEvents {
  /** A candle that has closed: the truth of its time. It may come twice, and late. */
  onClosed(series: Series, candle: Candle, eventTime: number): void;
  /** The candle under way has moved: its `close` is the price now; see `forming`. */
  onForming(series: Series, close: number, eventTime: number): void;
  /** A price from any other stream. */
  onPrice(symbol: string, price: number, eventTime: number): void;
  /** Best bid and ask. */
  onBook?(symbol: string, bid: number, ask: number): void;
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
  limits?: { streamsPerConnection?: number; silenceMs?: number; longestLifeMs?: number };
  /** Another transport than a real WebSocket: a replay. */
  open?: OpenStreamSocket | undefined;
  /** Hears every frame as received: a recording. */
  tap?: StreamTap | undefined;
}

/** Frames taken in since the start, by kind. */
export type FrameCounts = Record<FrameKind, number>;

/**
 * The exchange's streams: as many connections as the limits ask, subscriptions that follow what is wanted without reconnecting, connections
 * that are replaced before they end. Malformed and unknown frames are counted, the first and then some said, and harm nothing.
 */
export class BinanceWebSocketClient {
  readonly counts = Object.fromEntries(FRAME_KINDS.map((kind) => [kind, 0])) as FrameCounts;
  readonly #options: BinanceWebSocketOptions;
  readonly #streams = new Map<string, KlineStream>();
  readonly #reader = new FrameReader(this.#streams);
  readonly #keepers: StreamKeeper[] = [];
  readonly #keeperOptions: KeeperOptions;
  readonly #perConnection: number;
  readonly #leaving = new Set<Promise<void>>();
  #connections = 0;
  #lostBefore = 0;

  constructor(options: BinanceWebSocketOptions) {
    this.#options = options;
    const { wall, log, events, limits } = options;
    this.#perConnection = limits?.streamsPerConnection ?? STREAMS_PER_CONNECTION;
    this.#keeperOptions = {
      wall, log, attempts: new AttemptBudget(wall), longestLifeMs: limits?.longestLifeMs,
      connect: (streams, connectionEvents) => new StreamConnection({
        url: options.url, number: ++this.#connections, wall, silenceMs: limits?.silenceMs ?? SILENCE_MS, streams, reader: this.#reader,
        open: options.open ?? openStreamSocket, tap: options.tap, events: connectionEvents,
      }),
      sink: {
        forming: (stream) => events.onForming(stream, stream.values[3]!, stream.eventTime),
        closed: (stream, candle, eventTime) => events.onClosed(stream, candle, eventTime),
        price: (symbol, price, eventTime) => events.onPrice(symbol, price, eventTime),
        book: (symbol, bid, ask) => events.onBook?.(symbol, bid, ask),
        onSubscribed: (streams) => events.onSubscribed(streams.flatMap((name) => this.#streams.get(name) ?? [])),
        onRefused: (streams, message) => log('error', 'stream_refused', `The exchange refused ${streams.length} streams: ${message}`, { streams: streams.slice(0, 10) }),
        onFrame: (kind, bytes) => this.#count(kind, bytes),
      },
      onState: (error) => events.onState({ connected: this.connected, error }),
    };
  }

  /** True when every connection that is needed stands and all wanted streams flow. */
  get connected(): boolean {
    return this.#keepers.every((keeper) => keeper.up);
  }

  /** Connections lost since the start; replaced ones are none. */
  get reconnects(): number {
    return this.#keepers.reduce((sum, keeper) => sum + keeper.lost, this.#lostBefore);
  }

  /** ms since any connection last heard anything; 0 when there is none. */
  silenceMs(): number {
    const heardAt = Math.max(-Infinity, ...this.#keepers.map((keeper) => keeper.heardAt));
    return heardAt === -Infinity ? 0 : this.#options.wall.now() - heardAt;
  }

  /** The candle under way of a wanted series, as last heard; undefined when none is. */
  forming({ symbol, interval }: Series): { candle: Candle; eventTime: number } | undefined {
    const stream = this.#streams.get(nameOf(symbol, interval));
    if (!stream || stream.openTime < stream.closedUntil || stream.eventTime === 0) return undefined;
    return { candle: candleOf(stream), eventTime: stream.eventTime };
  }

  /** Wants exactly these series from now on, and other streams by name; each stays on the connection that it is on. */
  want(series: readonly Series[], others: readonly string[] = []): void {
    const wanted = new Set(others);
    const names = new Set<string>();
    for (const { symbol, interval } of series) {
      const name = nameOf(symbol, interval);
      names.add(name);
      wanted.add(name);
      if (!this.#streams.has(name)) this.#streams.set(name, klineStream(symbol, interval));
    }
    for (const name of this.#streams.keys()) if (!names.has(name)) this.#streams.delete(name);
    this.#share(wanted);
  }

  /** These series have gone quiet although the symbols trade: they are subscribed to again, or their connection is replaced. */
  renew(series: readonly Series[]): void {
    const quiet = new Set(series.map(({ symbol, interval }) => nameOf(symbol, interval)));
    for (const keeper of this.#keepers) {
      const own = [...keeper.streams].filter((stream) => quiet.has(stream));
      if (own.length === 0) continue;
      if (own.length >= keeper.streams.size * QUIET_PART) keeper.renew(`${own.length} of ${keeper.streams.size} streams have gone quiet`);
      else keeper.resubscribe(own);
    }
  }

  /** Ends all connections and waits for it. */
  async stop(): Promise<void> {
    await Promise.all([...this.#keepers.map((keeper) => keeper.stop()), ...this.#leaving]);
  }

  /** Shares the streams out among the connections. */
  #share(wanted: Set<string>): void {
    const changed = new Set<StreamKeeper>();
    for (const keeper of this.#keepers) {
      for (const stream of keeper.streams) {
        if (wanted.has(stream)) wanted.delete(stream);
        else if (keeper.streams.delete(stream)) changed.add(keeper);
      }
    }
    for (const stream of wanted) {
      let keeper = this.#keepers.find((candidate) => candidate.streams.size < this.#perConnection);
      if (!keeper) this.#keepers.push(keeper = new StreamKeeper(this.#keeperOptions));
      keeper.streams.add(stream);
      changed.add(keeper);
    }
    for (const keeper of changed) {
      if (keeper.streams.size > 0) keeper.changed();
      else this.#drop(keeper);
    }
  }

  #drop(keeper: StreamKeeper): void {
    this.#keepers.splice(this.#keepers.indexOf(keeper), 1);
    this.#lostBefore += keeper.lost;
    const left = keeper.stop().finally(() => this.#leaving.delete(left));
    this.#leaving.add(left);
  }

  #count(kind: FrameKind, bytes: Buffer): void {
    const count = ++this.counts[kind];
    if ((kind !== 'malformed' && kind !== 'unknown') || count % SAMPLE_EVERY !== 1) return;
    const sample = bytes.toString('utf8', 0, SAMPLE_LENGTH).replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
    this.#options.log('warn', `frame_${kind}`, `A frame of the exchange ${kind === 'malformed' ? 'could not be read' : 'is of a kind that we do not know'} (${count} so far); it was left out.`, { sample });
  }
}

function nameOf(symbol: string, interval: Interval): string {
  return `${symbol.toLowerCase()}@kline_${interval}`;
}
