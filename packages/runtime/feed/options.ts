import type { LogEntry, MachineStatus } from '@trademind/core';
import type { JSONWebKeySet } from 'jose';
import type { CommandAudit, CommandHandlers } from './commands.ts';
import type { FeedSource } from './source.ts';

/** Tickets that were used, so that each opens one session. Kept by the caller across restarts, or in memory. */
export interface UsedTickets {
  has(jti: string): boolean;
  /** After `expiresAt` (wall ms) the ticket is refused by its age, so it may be forgotten. */
  add(jti: string, expiresAt: number): void;
}

/** Bounds of the feed. All times in ms, all sizes in bytes. */
export interface FeedLimits {
  connections: number;
  /** Connections that are being let in, or shown out again, at the same time. */
  strangers: number;
  messageBytes: number;
  messagesPerSecond: number;
  /** REST calls of one session. */
  callsPerSecond: number;
  /** What may wait in a client's socket before the feed stops sending to it, and in all sockets together. */
  bufferedBytes: number;
  allBufferedBytes: number;
  ringFrames: number;
  ringBytes: number;
  pingMs: number;
  silenceMs: number;
  sessionMs: number;
  /** How long sessions may follow from one ticket. */
  chainMs: number;
  /** How often pings, expiries and renewals are looked at. */
  tickMs: number;
  snapshotSignals: number;
}

export const FEED_LIMITS: FeedLimits = {
  connections: 200, strangers: 32, messageBytes: 64 * 1024, messagesPerSecond: 20, callsPerSecond: 20, bufferedBytes: 512 * 1024, allBufferedBytes: 16 * 1024 * 1024,
  ringFrames: 1_000, ringBytes: 4 * 1024 * 1024,
  pingMs: 15_000, silenceMs: 45_000, sessionMs: 15 * 60_000, chainMs: 12 * 3_600_000, tickMs: 1_000, snapshotSignals: 200,
};

export interface WebSocketServerOptions {
  source: FeedSource;
  host: string;
  /** 0 takes a free port, for both. */
  port: number;
  metricsPort: number;
  /** Where the private port listens; the public host unless given. */
  metricsHost?: string;
  /** Origins of browsers that may call, e.g. `https://app.example.com`. A request without Origin does not come from a browser. */
  allowedOrigins: readonly string[];
  /** The control plane's public keys. A function is asked at each ticket, so that newer keys need no restart. */
  ticketJwks: JSONWebKeySet | (() => JSONWebKeySet);
  /** At least 32 random bytes, kept in DATA_DIR by the caller so that sessions survive a restart. */
  sessionKey: Uint8Array;
  /** Prometheus text. */
  metrics: () => Promise<string>;
  /** Whether the machine screens. `missing`, in words, is for the private port; the public one names the phase alone. */
  ready: () => { ready: boolean; missing: string[]; phase?: MachineStatus['phase'] };
  /** Wall clock in ms. */
  now: () => number;
  log: (entry: LogEntry) => void;
  usedTickets?: UsedTickets;
  /** What clients may make the machine do, beside `explain`. */
  commands?: CommandHandlers;
  /** Told of every command that changes the machine. */
  audit?: (entry: CommandAudit) => void;
  limits?: Partial<FeedLimits>;
}

export interface FeedStats {
  connections: number;
  /** Number of the last frame. */
  seq: number;
  framesSent: number;
  gaps: number;
  /** What waits in the sockets of all clients. */
  bufferedBytes: number;
  /** Refused or closed connections by reason code. */
  refused: Readonly<Record<string, number>>;
}

export interface RunningWebSocketServer {
  url: string;
  port: number;
  metricsPort: number;
  stats(): FeedStats;
  /** Tells clients 1012, ends both servers and waits for it. */
  close(): Promise<void>;
}
