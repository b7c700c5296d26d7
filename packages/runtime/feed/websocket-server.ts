import { createServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { FEED_CLOSE, FEED_PROTOCOL, TICKET_PROTOCOL_PREFIX, sentenceOf } from '@trademind/core';
import { WebSocketServer } from 'ws';
import { FeedConnection, closeSocket, type FeedRequest, type Hub } from './connection.ts';
import { createGate, createUsedTickets } from './gate.ts';
import { FEED_LIMITS, type FeedStats, type RunningWebSocketServer, type WebSocketServerOptions } from './options.ts';
import { addressOf } from './address.ts';
import { createPrivateHandler } from './private.ts';
import { FeedRefusal } from './refusal.ts';
import { createRestHandler } from './rest.ts';
import { FrameRing, type RingFrame } from './ring.ts';
import { createRefusalLog } from './refusal-log.ts';

const FEED_PATH = '/v1/feed';
const FRAME_TYPES: readonly RingFrame['type'][] = ['status', 'metrics', 'signal', 'log'];

/**
 * Serves a machine's state: REST and the feed on the public port, metrics and readiness in detail on the private one.
 * Rejects with the system's error when a port cannot be had (EADDRINUSE …).
 */
export async function startWebSocketServer(options: WebSocketServerOptions): Promise<RunningWebSocketServer> {
  const { source, now } = options;
  const limits = { ...FEED_LIMITS, ...options.limits };
  const startedAt = now();
  const ring = new FrameRing(limits.ringFrames, limits.ringBytes);
  const gate = createGate({
    machineId: source.machineId, userId: source.userId, ticketJwks: options.ticketJwks, sessionKey: options.sessionKey,
    usedTickets: options.usedTickets ?? createUsedTickets(now), sessionMs: limits.sessionMs, chainMs: limits.chainMs, now,
  });
  const connections = new Set<FeedConnection>();
  const refusals = createRefusalLog(now, options.log);
  const counts = { framesSent: 0, gaps: 0 };

  const hub: Hub = {
    ring, gate, limits, now,
    frame: (type, data) => JSON.stringify({ v: 1, epoch: source.bootId, seq: ring.last, type, data }),
    snapshot: () => hub.frame('snapshot', { status: source.status(), markets: source.markets(), signals: source.signals(limits.snapshotSignals), log: source.log() }),
    hello: (grant, session, expiresAt, resumed) =>
      hub.frame('hello', { machineId: source.machineId, userId: source.userId, scopes: [...grant.scopes], session, expiresAt, resumed }),
    resumeAt: (epoch, seq) => (epoch === source.bootId && seq !== undefined && ring.reaches(seq) ? seq : undefined),
    onSent: () => { counts.framesSent += 1; },
    onGap: () => { counts.gaps += 1; },
    onClosing: (reason) => refusals.add(reason),
  };

  // Every event becomes a numbered frame from the first moment on, so that a snapshot taken later misses none.
  const unsubscribe = source.subscribe((event) => {
    const frame = { v: 1, epoch: source.bootId, seq: ring.last + 1, type: event.type, data: event.data };
    ring.push(event.type, Buffer.from(JSON.stringify(frame)));
    for (const connection of connections) connection.pump();
  });

  const onFailure = (error: unknown): void => options.log({ at: now(), level: 'error', code: 'feed_failed', message: sentenceOf(error) });
  const webSockets = new WebSocketServer({
    noServer: true, clientTracking: true, maxPayload: limits.messageBytes, perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(FEED_PROTOCOL) ? FEED_PROTOCOL : false),
  });
  const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000 }, createRestHandler({
    source, gate, allowedOrigins: options.allowedOrigins, ready: options.ready, uptimeS: () => Math.floor((now() - startedAt) / 1_000), onRefused: refusals.add, onFailure,
  }));
  server.maxConnections = limits.connections + 250;
  let pending = 0;

  const openConnection = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const opened = await authenticate(request).catch((error: unknown) => {
      if (error instanceof FeedRefusal) return error;
      throw error;
    });
    webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {}); // what broke is told by 'close'
      if (opened instanceof FeedRefusal) {
        refusals.add(opened.code);
        // A browser cannot read the HTTP status of a refused upgrade, but it can read a close code.
        closeSocket(client, opened.closeCode, opened.code);
        return;
      }
      for (const other of connections) if (other.sessionId === opened.grant.sessionId) other.close(FEED_CLOSE.superseded, 'superseded');
      const connection = new FeedConnection(hub, client, opened, requestOf(request));
      connections.add(connection);
      client.on('close', () => connections.delete(connection));
    });
  };

  const authenticate = async (request: IncomingMessage) => {
    const grant = await gate.open(ticketOf(request));
    return { grant, ...await gate.issue(grant) };
  };

  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const { origin } = request.headers;
    if (addressOf(request).path !== FEED_PATH) return refuseUpgrade(socket, 404);
    if (origin !== undefined && !options.allowedOrigins.includes(origin)) {
      refusals.add('origin_refused');
      return refuseUpgrade(socket, 403);
    }
    if (webSockets.clients.size + pending >= limits.connections) {
      refusals.add('too_many_connections');
      return refuseUpgrade(socket, 503);
    }
    pending += 1;
    openConnection(request, socket, head).catch((error: unknown) => {
      onFailure(error);
      refuseUpgrade(socket, 500);
    }).finally(() => { pending -= 1; });
  });

  const stats = (): FeedStats => ({ connections: connections.size, seq: ring.last, ...counts, refused: refusals.counts() });
  const privateServer = createServer({ requestTimeout: 15_000 }, createPrivateHandler({ ...options, stats, onFailure }));
  try {
    await listen(server, options.port, options.host);
    await listen(privateServer, options.metricsPort, options.host);
  } catch (error) {
    unsubscribe();
    server.close();
    throw error;
  }
  const ticker = setInterval(() => {
    const at = now();
    for (const connection of connections) connection.tick(at);
  }, limits.tickMs);

  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    port,
    metricsPort: (privateServer.address() as AddressInfo).port,
    stats,
    async close() {
      clearInterval(ticker);
      unsubscribe();
      const ended = Promise.all([closed(server), closed(privateServer), new Promise<void>((resolve) => { webSockets.close(() => resolve()); })]);
      for (const connection of connections) connection.close(FEED_CLOSE.restart, 'restart');
      server.closeIdleConnections();
      privateServer.closeAllConnections();
      const cutOff = setTimeout(() => {
        for (const client of webSockets.clients) client.terminate();
        server.closeAllConnections();
      }, 1_000);
      await ended;
      clearTimeout(cutOff);
    },
  };
}

/** The ticket (or session token) among the offered subprotocols. Throws FeedRefusal when there is none. */
function ticketOf(request: IncomingMessage): string {
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  const ticket = offered.find((name) => name.startsWith(TICKET_PROTOCOL_PREFIX));
  if (ticket === undefined || !offered.includes(FEED_PROTOCOL)) throw new FeedRefusal('ticket_missing');
  return ticket.slice(TICKET_PROTOCOL_PREFIX.length);
}

/**
 * `/v1/feed?epoch=…&seq=…&types=signal,log`: where to go on and what to hear, without a round trip. None of it is a secret, so it may stand
 * in the URL; what cannot be understood is taken as absent, which yields a snapshot of everything.
 */
function requestOf(request: IncomingMessage): FeedRequest {
  const { query } = addressOf(request);
  const seq = Number(query.get('seq') ?? Number.NaN);
  const named = query.get('types')?.split(',');
  return {
    epoch: query.get('epoch') ?? undefined,
    seq: Number.isSafeInteger(seq) && seq >= 0 ? seq : undefined,
    types: named && new Set(FRAME_TYPES.filter((type) => named.includes(type))),
  };
}

function refuseUpgrade(socket: Duplex, status: number): void {
  if (!socket.writable) return;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => { server.close(() => resolve()); });
}
