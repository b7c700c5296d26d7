import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { guardRequest } from '../../shared/http.ts';
import { targetOf } from '../rest/target.ts';
import { Attempts } from './attempts.ts';
import { Connection } from './connection.ts';
import type { Faults } from '../faults/faults.ts';
import type { Broadcaster } from './broadcaster.ts';

export interface StreamsOptions {
  server: Server;
  broadcaster: Broadcaster;
  faults: Faults;
  /** Wall time, ms. */
  now: () => number;
  allowedOrigins: readonly string[];
  log: (line: Record<string, unknown>) => void;
}

export interface Streams {
  keepAlive(): void;
  /** All connections, or the one of this id. */
  connections(id?: string): Connection[];
  attempts(): Record<string, number>;
  /** Resolves when every client has what was sent to it, or has been waited for long enough. */
  drained(): Promise<void>;
  close(): void;
}

/** The WebSocket side: /ws/<stream>, /ws, /stream?streams=a/b/c, with Binance's control frames and limits. */
export function serveStreams(options: StreamsOptions): Streams {
  // Without compression, so that a frame's bytes are the same for everyone; pongs are our own, so that a stalled connection gives none.
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024, perMessageDeflate: false, autoPong: false });
  const attempts = new Attempts(options.now);
  const connections = new Map<string, Connection>();
  let made = 0;

  options.server.on('upgrade', (request: IncomingMessage, wire: Duplex, head: Buffer) => {
    wire.on('error', () => wire.destroy());
    const asked = askedStreams(request);
    const refused = refusal(request, options, attempts);
    if (refused || !asked) {
      wire.end(`HTTP/1.1 ${refused ?? '404 Not Found'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, wire, head, (socket) => {
      const { broadcaster, faults, now, log } = options;
      const connection = new Connection({ id: String(++made), socket, wire, combined: asked.combined, broadcaster, faults, now, log });
      connections.set(connection.id, connection);
      socket.on('close', () => {
        connections.delete(connection.id);
        connection.end();
      });
      connection.start(asked.streams);
    });
  });

  const all = () => [...connections.values()];
  return {
    keepAlive: () => all().forEach((connection) => connection.keepAlive()),
    connections: (id) => (id === undefined ? all() : all().filter((connection) => connection.id === id)),
    attempts: () => attempts.report(),
    drained: async () => { await Promise.all(all().map((connection) => connection.drained())); },
    close: () => {
      for (const connection of all()) connection.leave();
      sockets.close();
    },
  };
}

/** Why a connection may not come in, as the first line of the answer and its headers; null when it may. */
function refusal(request: IncomingMessage, { faults, allowedOrigins }: StreamsOptions, attempts: Attempts): string | null {
  const guarded = guardRequest(request, { allowedOrigins });
  if (guarded) return `${guarded.status} Refused`;
  const wait = attempts.count(request.socket.remoteAddress ?? '');
  if (wait !== null) return `429 Too Many Requests\r\nRetry-After: ${wait}`;
  const status = faults.refusal();
  return status === null ? null : `${status} Refused`;
}

/** The streams that a URL names; null for a path that is not a stream endpoint. */
function askedStreams(request: IncomingMessage): { streams: string[]; combined: boolean } | null {
  const { path: raw, query } = targetOf(request);
  let path: string;
  try {
    path = decodeURIComponent(raw);
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
