import { STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { FEED_CLOSE, FEED_PROTOCOL, FEED_TOPICS, FeedSubscription, TICKET_PROTOCOL_PREFIX } from '@trademind/core';
import { WebSocketServer, type WebSocket } from 'ws';
import { addressOf } from './address.ts';
import { FeedConnection, closeSocket, type FeedRequest } from './connection.ts';
import type { Hub } from './hub.ts';
import { FeedRefusal } from './refusal.ts';

const FEED_PATH = '/v1/feed';

export interface Door {
  /** Lets a client in that asks for the feed, or says why not. */
  onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Tells all 1012 and lets nobody in any more; resolves when the last has gone. */
  close(): Promise<void>;
  /** Cuts off who is still there. */
  terminate(): void;
}

/** Who may come in, and how many at once. `connections` is filled and emptied here. */
export function createDoor(hub: Hub, connections: Set<FeedConnection>, allowedOrigins: readonly string[]): Door {
  const { gate, limits } = hub;
  // Uncompressed: see docs/adr/0017-feed-frames-are-not-compressed.md.
  const webSockets = new WebSocketServer({
    noServer: true, clientTracking: true, maxPayload: limits.messageBytes, perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(FEED_PROTOCOL) ? FEED_PROTOCOL : false),
  });
  /** Being checked, and refused but not gone yet: they are bounded by themselves and take no place of a client's. */
  let pending = 0;
  const refused = new Set<WebSocket>();

  const authenticate = async (request: IncomingMessage) => {
    const grant = await gate.open(ticketOf(request));
    return { grant, ...await gate.issue(grant) };
  };

  /** A browser cannot read the HTTP status of a refused upgrade, but it can read a close code. */
  const showOut = (client: WebSocket, code: number, reason: string): void => {
    hub.onRefused(reason);
    refused.add(client);
    client.on('close', () => refused.delete(client));
    closeSocket(client, code, reason);
  };

  const welcome = (client: WebSocket, opened: Awaited<ReturnType<typeof authenticate>>, wanted: FeedRequest): void => {
    for (const other of connections) {
      if (other.sessionId !== opened.grant.sessionId) continue;
      if (other.attempt > wanted.attempt) return showOut(client, FEED_CLOSE.superseded, 'superseded');
      other.close(FEED_CLOSE.superseded, 'superseded');
    }
    const connection = new FeedConnection(hub, client, opened, wanted);
    connections.add(connection);
    client.on('close', () => connections.delete(connection));
  };

  const open = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const opened = await authenticate(request).catch((error: unknown) => {
      if (error instanceof FeedRefusal) return error;
      throw error;
    });
    webSockets.handleUpgrade(request, socket, head, (client) => {
      client.on('error', () => {}); // what broke is told by 'close'
      if (opened instanceof FeedRefusal) showOut(client, opened.closeCode, opened.code);
      else welcome(client, opened, requestOf(request));
    });
  };

  return {
    onUpgrade(request, socket, head) {
      socket.on('error', () => socket.destroy());
      const { origin } = request.headers;
      if (addressOf(request).path !== FEED_PATH) return refuseUpgrade(socket, 404);
      if (origin !== undefined && !allowedOrigins.includes(origin)) {
        hub.onRefused('origin_refused');
        return refuseUpgrade(socket, 403);
      }
      if (connections.size + pending >= limits.connections || pending + refused.size >= limits.strangers) {
        hub.onRefused('too_many_connections');
        return refuseUpgrade(socket, 503);
      }
      pending += 1;
      open(request, socket, head).catch((error: unknown) => {
        hub.onFailure(error);
        refuseUpgrade(socket, 500);
      }).finally(() => { pending -= 1; });
    },
    async close() {
      const ended = new Promise<void>((resolve) => { webSockets.close(() => resolve()); });
      for (const connection of connections) connection.close(FEED_CLOSE.restart, 'restart');
      await ended;
    },
    terminate() {
      for (const client of webSockets.clients) client.terminate();
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
 * `/v1/feed?epoch=…&seq=…&types=signal,log&symbols=BTCUSDT&every=2000&attempt=3`: where to go on and what to hear, without a round trip. None
 * of it is a secret, so it may stand in the URL; what cannot be understood is taken as absent, which yields a snapshot of everything.
 */
function requestOf(request: IncomingMessage): FeedRequest {
  const { query } = addressOf(request);
  const whole = (name: string): number | undefined => {
    const number = Number(query.get(name) ?? Number.NaN);
    return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
  };
  const named = query.get('types')?.split(',');
  const wishes = FeedSubscription.safeParse({ types: named && FEED_TOPICS.filter((topic) => named.includes(topic)), symbols: query.get('symbols')?.split(','), everyMs: whole('every') });
  // A client that does not count its connections is taken at its word that this is the newest.
  return { epoch: query.get('epoch') ?? undefined, seq: whole('seq'), wishes: wishes.data ?? {}, attempt: whole('attempt') ?? Number.MAX_SAFE_INTEGER };
}

function refuseUpgrade(socket: Duplex, status: number): void {
  if (!socket.writable) return;
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}
