import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { guardRequest } from '../../shared/http.ts';
import { answerControl, MAX_STREAMS, type Subscriptions } from './control.ts';
import type { Broadcaster, Subscriber } from './broadcaster.ts';

const MESSAGES_PER_SECOND = 5;
const PING_EVERY = 20_000;
const PONG_WITHIN = 60_000;
const LONGEST_LIFE = 24 * 60 * 60_000;
/** A socket that is this far behind is closed: its client reconnects and asks for what it missed. */
const MOST_BUFFERED = 4 * 1024 * 1024;
const POLICY = 1008;

export interface StreamsOptions {
  server: Server;
  broadcaster: Broadcaster;
  /** Wall time, ms. */
  now: () => number;
  allowedOrigins: readonly string[];
  log: (line: Record<string, unknown>) => void;
}

export interface Streams { keepAlive(): void; close(): void }

/** The WebSocket side: /ws/<stream>, /ws, /stream?streams=a/b/c, with Binance's control frames and limits. */
export function serveStreams(options: StreamsOptions): Streams {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024, perMessageDeflate: false });
  const connections = new Set<Connection>();

  options.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const asked = askedStreams(request.url ?? '/');
    const refusal = guardRequest(request, options);
    if (refusal || !asked) {
      socket.end(`HTTP/1.1 ${refusal ? `${refusal.status} Refused` : '404 Not Found'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = new Connection(webSocket, asked.combined, options);
      connections.add(connection);
      webSocket.on('close', () => {
        connections.delete(connection);
        connection.end();
      });
      connection.start(asked.streams);
    });
  });

  return {
    keepAlive: () => connections.forEach((connection) => connection.keepAlive()),
    close: () => {
      for (const connection of connections) connection.leave();
      sockets.close();
    },
  };
}

/** The streams that a URL names; null for a path that is not a stream endpoint. */
function askedStreams(url: string): { streams: string[]; combined: boolean } | null {
  let path: string;
  let query: URLSearchParams;
  try {
    const parsed = new URL(url, 'http://stand-in');
    path = decodeURIComponent(parsed.pathname);
    query = parsed.searchParams;
  } catch {
    return null;
  }
  if (path === '/stream' || path === '/stream/') return { streams: splitNames(query.get('streams') ?? ''), combined: true };
  if (path === '/ws' || path.startsWith('/ws/')) return { streams: splitNames(path.slice(3)), combined: false };
  return null;
}

function splitNames(names: string): string[] {
  return [...new Set(names.split('/').filter((name) => name !== ''))];
}

class Connection implements Subscriber, Subscriptions {
  combined: boolean;
  readonly #socket: WebSocket;
  readonly #options: StreamsOptions;
  readonly #streams = new Set<string>();
  readonly #openedAt: number;
  readonly #received: number[] = [];
  #pingedAt: number;
  #pongedAt: number;

  constructor(socket: WebSocket, combined: boolean, options: StreamsOptions) {
    this.#socket = socket;
    this.combined = combined;
    this.#options = options;
    this.#openedAt = this.#pingedAt = this.#pongedAt = options.now();
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, binary) => this.#obey(data, binary));
    socket.on('ping', () => this.#withinRate());
    socket.on('pong', () => {
      this.#pongedAt = options.now();
      this.#withinRate();
    });
  }

  start(streams: readonly string[]): void {
    if (streams.length > MAX_STREAMS) this.#socket.close(POLICY, 'Too many subscriptions');
    else for (const stream of streams) this.add(stream);
  }

  names(): readonly string[] {
    return [...this.#streams];
  }

  add(stream: string): void {
    this.#streams.add(stream);
    if (!this.#options.broadcaster.subscribe(stream, this)) this.#options.log({ level: 'warn', event: 'stream_without_data', stream: stream.slice(0, 80) });
  }

  remove(stream: string): void {
    if (this.#streams.delete(stream)) this.#options.broadcaster.unsubscribe(stream, this);
  }

  send(stream: string, frame: string): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > MOST_BUFFERED) {
      this.#options.log({ level: 'warn', event: 'slow_client_closed', buffered: this.#socket.bufferedAmount });
      this.#socket.terminate();
      return;
    }
    this.#socket.send(this.combined ? `{"stream":${JSON.stringify(stream)},"data":${frame}}` : frame);
  }

  /** Pings when it is due; ends a connection that does not answer, or that has lived its day. */
  keepAlive(): void {
    const now = this.#options.now();
    if (now - this.#openedAt >= LONGEST_LIFE) this.leave();
    else if (this.#pingedAt > this.#pongedAt && now - this.#pongedAt >= PONG_WITHIN + PING_EVERY) this.#socket.terminate();
    else if (now - this.#pingedAt >= PING_EVERY) {
      this.#pingedAt = now;
      this.#socket.ping(String(now));
    }
  }

  leave(): void {
    this.#socket.close(1001, 'going away');
  }

  end(): void {
    for (const stream of this.#streams) this.#options.broadcaster.unsubscribe(stream, this);
    this.#streams.clear();
  }

  #obey(data: RawData, binary: boolean): void {
    if (!this.#withinRate()) return;
    if (binary) this.#socket.close(1003, 'text frames only');
    else this.#socket.send(answerControl(Buffer.isBuffer(data) ? data.toString('utf8') : '', this));
  }

  /** Counts a ping, a pong or a control frame; a client that sends more than five a second is disconnected. */
  #withinRate(): boolean {
    const now = this.#options.now();
    this.#received.push(now);
    if (this.#received.length <= MESSAGES_PER_SECOND) return true;
    const sixthLast = this.#received.shift() as number;
    if (now - sixthLast >= 1_000) return true;
    this.#socket.close(POLICY, 'Too many requests');
    return false;
  }
}
