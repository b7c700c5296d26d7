import { WebSocket, type RawData } from 'ws';
import type { TradeMindError } from '@trademind/core';
import { exchangeRefusal, exchangeUnreachable } from './exchange-error.ts';
import { parseStreamFrame, type StreamFrame } from './stream-frames.ts';

/** Binance takes 5 messages a second, and our pongs count among them. */
const MESSAGE_GAP_MS = 250;
const STREAMS_PER_MESSAGE = 200;
const HANDSHAKE_MS = 10_000;
const SILENCE_LOOK_MS = 1_000;

export interface ConnectionEvents {
  /** These streams flow from now on: what closed before may have been missed. */
  onSubscribed(streams: readonly string[]): void;
  onFrame(frame: StreamFrame): void;
  /** The exchange refused a subscription, in its own words. */
  onRefused(streams: readonly string[], message: string): void;
  /** Once, at the end; `shutdown` when the exchange announced it. */
  onEnd(reason: { shutdown: boolean; error: TradeMindError | null }): void;
}

/**
 * One WebSocket of the exchange, for its whole life: it subscribes to what is wanted, follows changes without reconnecting, answers pings,
 * and ends itself after `silenceMs` without a frame or ping. It does not reconnect; its owner does.
 */
export class StreamConnection {
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  readonly #now: () => number;
  readonly #silenceMs: number;
  readonly #host: string;
  readonly #wanted = new Set<string>();
  readonly #asked = new Set<string>();
  readonly #pending = new Map<number, { method: 'SUBSCRIBE' | 'UNSUBSCRIBE'; streams: string[] }>();
  readonly #watch: NodeJS.Timeout;
  #sender: NodeJS.Timeout | undefined;
  #nextId = 1;
  #heardAt: number;
  #error: TradeMindError | null = null;
  #shutdown = false;

  constructor(options: { url: string; now: () => number; silenceMs: number; streams: Iterable<string>; events: ConnectionEvents }) {
    this.#events = options.events;
    this.#now = options.now;
    this.#silenceMs = options.silenceMs;
    this.#host = new URL(options.url).host;
    this.#heardAt = options.now();
    for (const stream of options.streams) this.#wanted.add(stream);
    // ws answers pings with the same payload by itself.
    this.#socket = new WebSocket(`${options.url.replace(/\/$/, '')}/stream`, { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false, maxPayload: 1024 * 1024 });
    this.#socket.on('open', () => { this.#heardAt = this.#now(); this.#send(); });
    this.#socket.on('message', (data, isBinary) => this.#onMessage(data, isBinary));
    this.#socket.on('ping', () => { this.#heardAt = this.#now(); });
    this.#socket.on('unexpected-response', (request, response) => {
      this.#error = exchangeRefusal(response.statusCode ?? 0, '');
      response.resume();
      request.destroy();
      this.#socket.terminate();
    });
    this.#socket.on('error', (error) => { this.#error ??= exchangeUnreachable(this.#host, error); });
    this.#socket.on('close', () => {
      clearInterval(this.#watch);
      clearTimeout(this.#sender);
      this.#events.onEnd({ shutdown: this.#shutdown, error: this.#error });
    });
    this.#watch = setInterval(() => {
      if (this.#socket.readyState === WebSocket.OPEN && this.#now() - this.#heardAt > this.#silenceMs) this.#socket.terminate();
    }, SILENCE_LOOK_MS);
  }

  get size(): number {
    return this.#wanted.size;
  }

  /** When the exchange last said anything (wall, monotonic ms). */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Wants exactly these streams from now on. */
  want(streams: ReadonlySet<string>): void {
    this.#wanted.clear();
    for (const stream of streams) this.#wanted.add(stream);
    this.#send();
  }

  /** Ends it; `onEnd` follows. */
  end(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.close(1000);
    // A peer that does not answer the close is not waited for.
    setTimeout(() => this.#socket.terminate(), 500).unref();
    if (this.#socket.readyState === WebSocket.CONNECTING) this.#socket.terminate();
  }

  /** Sends the next difference between wanted and asked, a few a second. */
  #send(): void {
    if (this.#sender !== undefined || this.#socket.readyState !== WebSocket.OPEN) return;
    const gone = [...this.#asked].filter((stream) => !this.#wanted.has(stream)).slice(0, STREAMS_PER_MESSAGE);
    const added = [...this.#wanted].filter((stream) => !this.#asked.has(stream)).slice(0, STREAMS_PER_MESSAGE);
    const [method, streams] = gone.length > 0 ? ['UNSUBSCRIBE' as const, gone] : ['SUBSCRIBE' as const, added];
    if (streams.length === 0) return;
    const id = this.#nextId++;
    this.#pending.set(id, { method, streams });
    for (const stream of streams) {
      if (method === 'SUBSCRIBE') this.#asked.add(stream);
      else this.#asked.delete(stream);
    }
    this.#socket.send(JSON.stringify({ method, params: streams, id }));
    this.#sender = setTimeout(() => { this.#sender = undefined; this.#send(); }, MESSAGE_GAP_MS);
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heardAt = this.#now();
    const frame = isBinary ? ({ kind: 'malformed' } as const) : parseStreamFrame(textOf(data));
    if (frame.kind === 'answer') this.#onAnswer(frame.id, frame.error);
    if (frame.kind === 'shutdown') {
      this.#shutdown = true;
      this.#socket.close(1000);
    }
    this.#events.onFrame(frame);
  }

  #onAnswer(id: number, error: string | null): void {
    const asked = this.#pending.get(id);
    this.#pending.delete(id);
    if (!asked || asked.method === 'UNSUBSCRIBE') return;
    if (error === null) this.#events.onSubscribed(asked.streams);
    else this.#events.onRefused(asked.streams, error);
  }
}

function textOf(data: RawData): string {
  if (Buffer.isBuffer(data)) return data.toString('utf8');
  return Array.isArray(data) ? Buffer.concat(data).toString('utf8') : Buffer.from(data).toString('utf8');
}
