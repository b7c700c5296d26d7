import { randomBytes, randomUUID } from 'node:crypto';
import type { AnalysisOutcome, LogEntry, MachineStatus, MarketRow, Signal } from '@trademind/core';
import { FeedFrame, TICKET_ISSUER, machineAudience } from '@trademind/core';
import { WebSocket, type ClientOptions } from 'ws';
import { SignJWT, exportJWK, generateKeyPair, type CryptoKey } from 'jose';
import { startWebSocketServer, type FeedEvent, type FeedSource, type RunningWebSocketServer, type WebSocketServerOptions } from '../../packages/runtime/feed/index.ts';

/** No frame that a test waits for takes longer. */
const PATIENCE_MS = 60_000;
export const TEST_ORIGIN = 'http://dashboard.test';

/** A machine's state that a test writes: what is emitted is also what the next snapshot shows. */
export class TestSource implements FeedSource {
  readonly machineId: string;
  readonly userId: string;
  readonly bootId: string;
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #status: MachineStatus;
  #markets = new Map<string, MarketRow>();
  #signals: Signal[] = [];
  #analyses: AnalysisOutcome[] = [];
  #log: LogEntry[] = [];

  constructor({ machineId = randomUUID(), userId = randomUUID(), bootId = randomUUID() }: { machineId?: string; userId?: string; bootId?: string } = {}) {
    this.machineId = machineId;
    this.userId = userId;
    this.bootId = bootId;
    this.#status = testStatus({ bootId });
  }

  status = () => this.#status;
  markets = () => [...this.#markets.values()];
  signals = (limit: number) => this.#signals.slice(0, limit);
  analyses = (limit: number) => this.#analyses.slice(0, limit);
  log = () => this.#log;
  traders = () => [];
  candles = () => [];
  marks = () => [];
  explain = (traderId: string) => (traderId === 'known' ? { conditions: [] } : undefined);

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: FeedEvent): void {
    if (event.type === 'status') this.#status = event.data;
    if (event.type === 'metrics') for (const row of event.data.markets) this.#markets.set(row.symbol, row);
    if (event.type === 'signal') this.#signals = [event.data, ...this.#signals].slice(0, 1_000);
    if (event.type === 'analysis') this.#analyses = [event.data, ...this.#analyses].slice(0, 1_000);
    if (event.type === 'log') this.#log = [...this.#log, event.data].slice(-50);
    for (const listener of this.#listeners) listener(event);
  }
}

export function testStatus(over: Partial<MachineStatus> = {}): MachineStatus {
  return {
    phase: 'screening', detail: 'Screening 3 symbols.', bootId: 'boot', version: '0.1.0', startedAt: 1_700_000_000_000,
    market: { time: 1_700_000_000_000, rate: 60, connected: true, symbols: 3, backfilled: { done: 3, total: 3 }, lastCloseAt: 1_699_999_980_000, candles: 1_500, halted: [] },
    traders: [], outbox: { rows: 0, oldestMs: 0 }, process: { rssMb: 71.2, cpuPercent: 1.5, uptimeS: 60 }, problems: [], ...over,
  };
}

export function testSignal(over: Partial<Signal> = {}): Signal {
  return {
    id: randomUUID(), traderId: randomUUID(), traderVersion: 1, traderName: 'RSI dip', symbol: 'BTCUSDT', interval: '5m', side: 'long', price: 64_250.5,
    openTime: 1_700_000_000_000, closeTime: 1_700_000_300_000, phase: 'closed', origin: 'live',
    conditions: [{ name: 'oversold', expression: 'rsi(14) < 30', holds: true, values: [{ expression: 'rsi(14)', value: 28.43 }] }], ...over,
  };
}

export interface TicketOverrides { sub?: string; aud?: string; iss?: string; scope?: string; jti?: string; issuedAt?: number; lifeS?: number; key?: CryptoKey }

export interface TestFeed {
  server: RunningWebSocketServer;
  source: TestSource;
  feed: string;
  /** A ticket as the control plane would give it, unless a claim is overridden. */
  ticket(over?: TicketOverrides): Promise<string>;
  logged: LogEntry[];
  close(): Promise<void>;
}

/** A pair as the control plane signs tickets with. */
export const ticketKeys = () => generateKeyPair('EdDSA', { crv: 'Ed25519' });

/** A ticket as the control plane would give it for the machine, unless a claim is overridden. */
export function signTicket(machine: { userId: string; machineId: string }, over: TicketOverrides & { key: CryptoKey }): Promise<string> {
  const { sub = machine.userId, aud = machineAudience(machine.machineId), iss = TICKET_ISSUER, scope = 'feed:read feed:command', jti = randomUUID(), issuedAt = Date.now(), lifeS = 60, key } = over;
  const iat = Math.floor(issuedAt / 1_000);
  return new SignJWT({ scope }).setProtectedHeader({ alg: 'EdDSA', kid: 'test' }).setIssuer(iss).setAudience(aud).setSubject(sub).setJti(jti)
    .setIssuedAt(iat).setExpirationTime(iat + lifeS).sign(key);
}

/** The public halves of ticket keys, as a machine is born with them. */
export async function ticketJwks({ publicKey }: { publicKey: CryptoKey }) {
  return { keys: [{ ...await exportJWK(publicKey), kid: 'test', alg: 'EdDSA' }] };
}

/** A real feed server on free ports over a TestSource. */
export async function startTestFeed(over: Partial<WebSocketServerOptions> & { source?: TestSource; keys?: { privateKey: CryptoKey; publicKey: CryptoKey } } = {}): Promise<TestFeed> {
  const { privateKey, publicKey } = over.keys ?? await ticketKeys();
  const source = over.source ?? new TestSource();
  const now = over.now ?? Date.now;
  const logged: LogEntry[] = [];
  const server = await startWebSocketServer({
    host: '127.0.0.1', port: 0, metricsPort: 0, allowedOrigins: [TEST_ORIGIN], sessionKey: randomBytes(32), metrics: () => Promise.resolve('up 1\n'),
    ticketJwks: await ticketJwks({ publicKey }), ready: () => ({ ready: true, missing: [], phase: 'screening' }),
    now, log: (entry) => logged.push(entry), ...over, source,
  });
  return {
    server, source, logged,
    feed: `${server.url.replace('http', 'ws')}/v1/feed`,
    ticket: (over) => signTicket(source, { key: privateKey, issuedAt: now(), ...over }),
    close: () => server.close(),
  };
}

export interface RawClient {
  socket: WebSocket;
  /** As they came. */
  frames: FeedFrame[];
  closed: Promise<{ code: number; reason: string }>;
  /** The first frame of a type, or a later one; rejects when the connection ends before. */
  next<T extends FeedFrame['type']>(type: T, skip?: number): Promise<Extract<FeedFrame, { type: T }>>;
  send(command: unknown): void;
}

/** A bare `ws` client that keeps every frame, each checked against the contract. */
export function connectRaw(feed: Pick<TestFeed, 'feed'>, jwt: string | null, query = '', options: ClientOptions = {}): RawClient {
  const socket = new WebSocket(`${feed.feed}${query}`, jwt === null ? ['trademind.v1'] : ['trademind.v1', `ticket.${jwt}`], options);
  const frames: FeedFrame[] = [];
  const waiting = new Set<() => void>();
  socket.on('error', () => {});
  socket.on('message', (data) => {
    frames.push(FeedFrame.parse(JSON.parse((data as Buffer).toString())));
    for (const wake of waiting) wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => { socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })); });
  return {
    socket, frames, closed,
    send: (command) => socket.send(typeof command === 'string' ? command : JSON.stringify(command)),
    next: (type, skip = 0) => new Promise((resolve, reject) => {
      const look = () => {
        const found = frames.filter((frame) => frame.type === type)[skip];
        if (!found) return;
        waiting.delete(look);
        resolve(found as never);
      };
      waiting.add(look);
      setTimeout(() => reject(new Error(`no ${type} within ${PATIENCE_MS} ms, only ${frames.map((frame) => frame.type).slice(-20).join(' ')}`)), PATIENCE_MS).unref();
      void closed.then(({ code, reason }) => reject(new Error(`closed ${code} ${reason} before ${type}`)));
      look();
    }),
  };
}
