import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sentenceOf } from '@trademind/core';
import type { FeedConnection } from './connection.ts';
import { createGate, createUsedTickets } from './gate.ts';
import { createHub } from './hub.ts';
import { FEED_LIMITS, type FeedStats, type RunningWebSocketServer, type WebSocketServerOptions } from './options.ts';
import { createPrivateHandler } from './private.ts';
import { createRefusalLog } from './refusal-log.ts';
import { createRestHandler } from './rest.ts';
import { createDoor } from './door.ts';

/**
 * Serves a machine's state: REST and the feed on the public port, metrics and readiness in detail on the private one.
 * Rejects with the system's error when a port cannot be had (EADDRINUSE …).
 */
export async function startWebSocketServer(options: WebSocketServerOptions): Promise<RunningWebSocketServer> {
  const { source, now } = options;
  const limits = { ...FEED_LIMITS, ...options.limits };
  const startedAt = now();
  const gate = createGate({
    machineId: source.machineId, userId: source.userId, ticketJwks: options.ticketJwks, sessionKey: options.sessionKey,
    usedTickets: options.usedTickets ?? createUsedTickets(now), sessionMs: limits.sessionMs, chainMs: limits.chainMs, now,
  });
  const connections = new Set<FeedConnection>();
  const refusals = createRefusalLog(now, options.log);
  const onFailure = (error: unknown): void => options.log({ at: now(), level: 'error', code: 'feed_failed', message: sentenceOf(error) });
  const { hub, counts, stop } = createHub({ ...options, gate, limits, clients: () => connections.size, onRefused: refusals.add, onFailure });
  const door = createDoor(hub, connections, options.allowedOrigins);
  const server = createServer({ requestTimeout: 15_000, headersTimeout: 10_000, connectionsCheckingInterval: 2_000 }, createRestHandler({
    source, gate, allowedOrigins: options.allowedOrigins, ready: options.ready, uptimeS: () => Math.floor((now() - startedAt) / 1_000),
    callsPerSecond: limits.callsPerSecond, now, onRefused: refusals.add, onFailure,
  }));
  server.maxConnections = limits.connections + 250;
  server.on('upgrade', door.onUpgrade);

  const stats = (): FeedStats => ({
    connections: connections.size, seq: hub.ring.last, ...counts, refused: refusals.counts(),
    bufferedBytes: [...connections].reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
  });
  const privateServer = createServer({ requestTimeout: 15_000 }, createPrivateHandler({ ...options, stats, onFailure }));
  try {
    await listen(server, options.port, options.host);
    await listen(privateServer, options.metricsPort, options.metricsHost ?? options.host);
  } catch (error) {
    stop();
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
      stop();
      const ended = Promise.all([closed(server), closed(privateServer), door.close()]);
      server.closeIdleConnections();
      privateServer.closeAllConnections();
      const cutOff = setTimeout(() => {
        door.terminate();
        server.closeAllConnections();
      }, 1_000);
      await ended;
      clearTimeout(cutOff);
    },
  };
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
