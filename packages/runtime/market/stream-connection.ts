import { TradeMindError } from '@trademind/core';
import { every, type Wall } from '../time.ts';
import { exchangeRefusal, exchangeUnreachable, LONGEST_REFUSAL_MS } from './exchange-error.ts';
import type { FrameKind, FrameReader, FrameSink } from './stream-frames.ts';
import type { OpenStreamSocket, StreamSocket } from './stream-socket.ts';

/** Binance takes 5 messages a second, and our pongs count among them. */
const MESSAGE_GAP_MS = 250;
const STREAMS_PER_MESSAGE = 200;
const LOOK_MS = 1_000;
/** A subscription that is not answered for so long makes the connection doubtful: it ends. */
const ANSWER_MS = 10_000;

/** How a connection ended. `waitMs`: the exchange said not to come back before. */
export interface ConnectionEnd { error: TradeMindError | null; waitMs: number }

export interface ConnectionEvents extends Omit<FrameSink, 'answer' | 'shutdown'> {
  /** These streams flow from now on: what closed before may have been missed. */
  onSubscribed(streams: readonly string[]): void;
  /** All series that are wanted at first flow. */
  onReady(): void;
  /** The exchange refused a subscription, in its own words. */
  onRefused(streams: readonly string[], message: string): void;
  onFrame(kind: FrameKind, bytes: Buffer): void;
  /** The exchange announced that it will end this connection. */
  onShutdown(): void;
  /** Once, at the end. */
  onEnd(end: ConnectionEnd): void;
}

/** Hears every connection's life as it happens: for a recording. */
export interface StreamTap {
  opened(connection: number): void;
  frame(connection: number, bytes: Buffer): void;
  closed(connection: number): void;
}

export interface ConnectionOptions {
  url: string;
  /** Number of this connection, from 1 on. */
  number: number;
  wall: Wall;
  silenceMs: number;
  streams: Iterable<string>;
  reader: FrameReader;
  open: OpenStreamSocket;
  tap?: StreamTap | undefined;
  events: ConnectionEvents;
}

/** The code of a connection that ended without a close frame. */
const NOTHING_SAID = 1006;

interface Asked { method: 'SUBSCRIBE' | 'UNSUBSCRIBE'; streams: string[]; at: number }

/**
 * One WebSocket of the exchange, for its whole life: it subscribes to what is wanted, follows changes without reconnecting, answers pings,
 * and ends itself after `silenceMs` without a frame or ping. It does not reconnect; its keeper does.
 */
export class StreamConnection {
  readonly #socket: StreamSocket;
  readonly #options: ConnectionOptions;
  readonly #sink: FrameSink;
  readonly #wanted: Set<string>;
  readonly #asked = new Set<string>();
  /** To be unsubscribed and subscribed again. */
  readonly #again = new Set<string>();
  readonly #pending = new Map<number, Asked>();
  readonly #stopLooking: () => void;
  #cancelSend: (() => void) | undefined;
  #nextId = 1;
  #heardAt: number;
  /** A frame has come since the last look: it is enough to know the second. */
  #heard = false;
  #error: TradeMindError | null = null;
  #waitMs = 0;
  #ready = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#wanted = new Set(options.streams);
    this.#heardAt = options.wall.now();
    const { events, tap, number, wall } = options;
    this.#sink = {
      forming: (stream) => events.forming(stream), closed: (stream, candle, eventTime) => events.closed(stream, candle, eventTime),
      price: (symbol, price, eventTime) => events.price(symbol, price, eventTime), book: (symbol, bid, ask) => events.book(symbol, bid, ask),
      answer: (id, error) => this.#onAnswer(id, error), shutdown: () => events.onShutdown(),
    };
    this.#stopLooking = every(LOOK_MS, wall, () => this.#look());
    this.#socket = options.open(`${options.url.replace(/\/$/, '')}/stream`, {
      onOpen: () => { this.#heardAt = wall.now(); tap?.opened(number); this.#send(); },
      onFrame: (bytes, isBinary) => this.#onFrame(bytes, isBinary),
      onPing: () => { this.#heardAt = wall.now(); },
      onRefused: (status, retryAfter) => {
        this.#error = exchangeRefusal(status, '');
        this.#waitMs = Math.min(Math.max(0, (retryAfter ?? 0) * 1_000), LONGEST_REFUSAL_MS);
      },
      onError: (error) => { this.#error ??= exchangeUnreachable(new URL(options.url).host, error); },
      onClose: (code, reason) => {
        this.#error ??= code === NOTHING_SAID ? null : closedBy(code, reason);
        this.#stopLooking();
        this.#cancelSend?.();
        tap?.closed(number);
        events.onEnd({ error: this.#error, waitMs: this.#waitMs });
      },
    });
  }

  /** When the exchange last said anything (wall, monotonic ms), to the second. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** True once all series that were wanted at first flow. */
  get ready(): boolean {
    return this.#ready;
  }

  /** Wants exactly these streams from now on. */
  want(streams: ReadonlySet<string>): void {
    this.#wanted.clear();
    for (const stream of streams) this.#wanted.add(stream);
    this.#send();
  }

  /** Subscribes to these once more: they have gone quiet. */
  resubscribe(streams: readonly string[]): void {
    for (const stream of streams) if (this.#asked.has(stream)) this.#again.add(stream);
    this.#send();
  }

  /** Ends it; `onEnd` follows. */
  end(): void {
    this.#socket.close();
  }

  /** Sends the next difference between wanted and asked: one message at a time, a few a second, however late the exchange reads them. */
  #send(): void {
    if (this.#cancelSend !== undefined || this.#pending.size > 0 || !this.#socket.isOpen) return;
    const gone = [...this.#asked].filter((stream) => !this.#wanted.has(stream) || this.#again.has(stream)).slice(0, STREAMS_PER_MESSAGE);
    const added = [...this.#wanted].filter((stream) => !this.#asked.has(stream));
    // A stream of all symbols goes alone: if the exchange retires it, it refuses nothing else with it.
    const ofOne = added.filter((stream) => !stream.startsWith('!'));
    const [method, streams] = gone.length > 0 ? ['UNSUBSCRIBE' as const, gone] : ['SUBSCRIBE' as const, ofOne.length > 0 ? ofOne.slice(0, STREAMS_PER_MESSAGE) : added.slice(0, 1)];
    if (streams.length === 0) return;
    const id = this.#nextId++;
    this.#pending.set(id, { method, streams, at: this.#options.wall.now() });
    for (const stream of streams) {
      this.#again.delete(stream);
      if (method === 'SUBSCRIBE') this.#asked.add(stream);
      else this.#asked.delete(stream);
    }
    this.#socket.send(JSON.stringify({ method, params: streams, id }));
    this.#cancelSend = this.#options.wall.after(MESSAGE_GAP_MS, () => { this.#cancelSend = undefined; this.#send(); });
  }

  #onFrame(bytes: Buffer, isBinary: boolean): void {
    const { tap, number, reader, events } = this.#options;
    this.#heard = true;
    tap?.frame(number, bytes);
    events.onFrame(isBinary ? 'malformed' : reader.read(bytes, this.#sink), bytes);
  }

  #onAnswer(id: number, error: string | null): void {
    const asked = this.#pending.get(id);
    if (!asked) return;
    this.#pending.delete(id);
    const { events } = this.#options;
    if (asked.method === 'SUBSCRIBE') {
      if (error === null) events.onSubscribed(asked.streams);
      else events.onRefused(asked.streams, error);
    }
    this.#send();
    if (this.#ready || !this.#flows()) return;
    this.#ready = true;
    events.onReady();
  }

  /** Whether every wanted series is subscribed to and the exchange has answered; streams of all symbols are not waited for. */
  #flows(): boolean {
    const unanswered = new Set([...this.#pending.values()].flatMap(({ streams }) => streams));
    return [...this.#wanted].every((stream) => stream.startsWith('!') || (this.#asked.has(stream) && !unanswered.has(stream)));
  }

  #look(): void {
    const { wall, silenceMs } = this.#options;
    if (!this.#socket.isOpen) return;
    const now = wall.now();
    if (this.#heard) this.#heardAt = now;
    this.#heard = false;
    const [oldest] = this.#pending.values();
    if (oldest && now - oldest.at > ANSWER_MS) this.#fail('stream_unanswered', `The exchange did not answer a subscription within ${ANSWER_MS / 1_000} s.`);
    else if (now - this.#heardAt > silenceMs) this.#fail('stream_silent', `The exchange sent neither data nor a ping for ${silenceMs / 1_000} s.`);
  }

  #fail(code: string, message: string): void {
    this.#error ??= new TradeMindError({ code, message });
    this.#socket.terminate();
  }
}

function closedBy(code: number, reason: string): TradeMindError {
  const words = reason.replaceAll(/\p{Cc}/gu, ' ').slice(0, 100);
  return new TradeMindError({ code: 'stream_closed', message: `The exchange closed the connection (${code}${words === '' ? '' : `: ${words}`}).` });
}
