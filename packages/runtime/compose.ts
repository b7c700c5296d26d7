import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JSONWebKeySet } from 'jose';
import { parseWith, TraderDocument, type CrashReport, type Interval, type TraderInput } from '@trademind/core';
import { v5 as uuidV5 } from 'uuid';
import type { OwnKey } from './analysis/own-key.ts';
import { CloudLink, type CloudOptions } from './control/cloud-link.ts';
import { startWebSocketServer, type FeedSource } from './feed/index.ts';
import { FEED_LIMITS } from './feed/options.ts';
import { laterLog, type Log } from './log.ts';
import { makeFolder } from './make-folder.ts';
import type { ExchangeAccess } from './market/exchange-access.ts';
import type { RecordedMemberships } from './market/recording/recorded-memberships.ts';
import { recordSession } from './market/recording/recordings.ts';
import { SessionRecorder } from './market/recording/session-recorder.ts';
import { recordDeliveries } from './notifications/delivery-facts.ts';
import { Notifier } from './notifications/notifier.ts';
import { Orchestrator, type OrchestratorOptions } from './orchestrator.ts';
import type { StateStore, StoredTrader } from './state/state-store.ts';
import { systemWall, type Wall } from './time.ts';

/** Namespace of the ids of traders that no database has named. Never change it: signals' ids follow from them. */
const LOCAL_NAMESPACE = 'b2f6f0f6-5c1d-4f0c-8d39-0c7b8f1f2a11';
const SESSION_KEY_FILE = 'session.key';
const SCREENING_INTERVAL_MS = 60_000;

interface Common {
  /** Where all lives that must survive. */
  dataDir: string;
  /** Interval of traders that name none. */
  interval: Interval;
  /** How often candles under way are looked at, ms; a minute unless given. */
  screeningIntervalMs?: number;
  exchange: ExchangeAccess;
  wall?: Wall;
  /** The user's own key for the model that reviews signals, and what may be spent; without a key none is reviewed. */
  gemini?: OwnKey | undefined;
  /** Folder of a candle archive (`trademind data`): a start asks the exchange only for what it does not hold. Nothing need be there, and nothing is written. */
  archive?: string | undefined;
}

export interface MachineOptions extends Common {
  userId: string;
  machineId: string;
  version: string;
  cloud: CloudOptions;
  ticketJwks: JSONWebKeySet;
  allowedOrigins: readonly string[];
  host: string;
  port: number;
  metricsPort: number;
  /** Where the private port listens; `host` unless given. */
  metricsHost?: string;
  /** How processes before this one ended against their will, newest last: shown to the user. */
  crashes?: readonly CrashReport[];
  /** What must never be told: the user's keys join it when they are fetched. */
  secrets?: Set<string>;
  log: Log;
  /** Sessions are recorded into `recordings/` of the data folder, where all of them take at most so many bytes; the oldest make room. 0 or left out: none is. */
  recordingBytes?: number;
}

export interface RunningMachine {
  url: string;
  port: number;
  metricsPort: number;
  source: FeedSource;
  /** No new work, what was found written and sent, clients told 1012; everything has ended when it resolves (within 25 s). */
  drain(): Promise<void>;
}

/** A user's machine in the cloud: the orchestrator with its token, beat and outbox, and its feed served. */
export async function startMachine(options: MachineOptions): Promise<RunningMachine> {
  const { userId, machineId, version, dataDir, log, wall = systemWall } = options;
  const record = async (say: Log) => (options.recordingBytes ? recordSession({ dataDir, mostBytes: options.recordingBytes, wall, log: say }) : undefined);
  const { machine, recorder } = await recorded(options.exchange, record, (market) => new Orchestrator({
    machineId, userId, version, dataDir, archive: options.archive, ...market, wall, log, crashes: options.crashes ?? [], ...(options.secrets && { secrets: options.secrets }), bootId: randomUUID(), defaultInterval: options.interval, screeningIntervalMs: options.screeningIntervalMs ?? SCREENING_INTERVAL_MS,
    cloud: (hooks) => new CloudLink(options.cloud, hooks), controlPlane: { url: options.cloud.controlPlaneUrl, secret: options.cloud.machineSecret }, gemini: options.gemini,
    notifier: (store, say) => new Notifier({ dataDir, machineId, wall, log: say, record: recordDeliveries(store, machineId) }),
  }));
  const server = await startWebSocketServer({
    source: machine.view, host: options.host, port: options.port, metricsPort: options.metricsPort, ...(options.metricsHost !== undefined && { metricsHost: options.metricsHost }), allowedOrigins: options.allowedOrigins,
    ticketJwks: () => (machine.ticketKeys as JSONWebKeySet | null) ?? options.ticketJwks, sessionKey: sessionKey(dataDir), usedTickets: usedTickets(machine.store),
    metrics: () => machine.view.metrics(), ready: () => machine.view.readiness(), now: wall.epoch,
    commands: machine.commands.handlers, audit: (entry) => machine.commands.audit(entry),
    log: ({ level, code, message }) => machine.say(level, code, message),
  }).catch(async (error: unknown) => {
    await machine.stop();
    await recorder?.close();
    throw error;
  });
  machine.start(() => ({ ...server.stats(), most: FEED_LIMITS.connections }));
  return {
    url: server.url, port: server.port, metricsPort: server.metricsPort, source: machine.view,
    drain: async () => {
      await machine.settle();
      await server.close();
      await machine.stop();
      await recorder?.close();
    },
  };
}

export interface LocalOptions extends Common {
  /** Documents as a user writes them. A trader is known by its name: another document under the same name is its next version. */
  traders: readonly TraderInput[];
  /** A new file: the session is recorded into it, frame by frame. */
  record?: string | undefined;
  /** A session that is replayed: whom its traders screened, under which ids and versions. */
  recorded?: RecordedMemberships;
  log?: Log;
  /** Aborting it stops everything, as `stop()` does. */
  signal?: AbortSignal;
}

/**
 * The same orchestrator without any cloud: state in SQLite, traders as documents, no feed server. Boot goes on after it resolves; `source` tells
 * how far it is. Throws `trader_invalid` for a document that is none, `data_dir_unusable`, `state_unreadable`, `recording_exists`.
 */
export async function startLocal(options: LocalOptions): Promise<{ source: FeedSource; stop(): Promise<void> }> {
  const { dataDir, log = () => undefined, wall = systemWall, signal } = options;
  const documents = options.traders.map((input) => parseWith(TraderDocument, input, 'trader_invalid', 'A trader'));
  signal?.throwIfAborted();
  const record = async (say: Log) => (options.record === undefined ? undefined : SessionRecorder.open({ path: options.record, wall, log: say }));
  const { machine, recorder } = await recorded(options.exchange, record, (market) => new Orchestrator({
    machineId: 'local', userId: 'local', version: 'local', dataDir, archive: options.archive, recorded: options.recorded, ...market, wall, log, bootId: randomUUID(), defaultInterval: options.interval, screeningIntervalMs: options.screeningIntervalMs ?? SCREENING_INTERVAL_MS,
    traders: (store) => versioned(documents, store, options.recorded?.traders ?? []), gemini: options.gemini,
  }));
  const stop = () => machine.stop().then(() => recorder?.close());
  signal?.addEventListener('abort', () => void stop(), { once: true });
  machine.start();
  return { source: machine.view, stop };
}

/** Puts a recorder before the exchange, where one is opened: then all is asked of the exchange, so that a replay finds all that the session knew. */
async function recorded(
  exchange: ExchangeAccess, open: (log: Log) => Promise<SessionRecorder | undefined>, make: (market: Pick<OrchestratorOptions, 'exchange' | 'marketAnew' | 'onMembership'>) => Orchestrator,
): Promise<{ machine: Orchestrator; recorder: SessionRecorder | undefined }> {
  const ofRecorder = laterLog();
  const recorder = await open(ofRecorder.log);
  try {
    const machine = make({ exchange: recorder?.record(exchange) ?? exchange, marketAnew: recorder !== undefined, ...(recorder && { onMembership: (entry) => recorder.membership(entry) }) });
    ofRecorder.speakTo(machine.say);
    return { machine, recorder };
  } catch (error) {
    await recorder?.close();
    throw error;
  }
}

/** Names every document with an id and a version: a changed document is the next version of its name; one that a recorded session had is the same trader. */
function versioned(documents: readonly TraderDocument[], store: StateStore, recorded: readonly StoredTrader[]): StoredTrader[] {
  const known = new Map((store.cachedTraders() ?? []).map((trader) => [trader.id, trader]));
  const traders = documents.map((document): StoredTrader => {
    const id = uuidV5(document.name, LOCAL_NAMESPACE);
    const text = JSON.stringify(document);
    const once = recorded.find((one) => JSON.stringify(one.document) === text);
    if (once) return once;
    const before = known.get(id);
    const same = before !== undefined && JSON.stringify(before.document) === text;
    return { id, document, version: before === undefined ? 1 : before.version + (same ? 0 : 1) };
  });
  // Those not given this time are kept, so that their versions go on if they come back.
  const given = new Set(traders.map((trader) => trader.id));
  store.cacheTraders([...traders, ...[...known.values()].filter((trader) => !given.has(trader.id))]);
  return traders;
}

/** The key that signs feed sessions, made once and kept, so that sessions survive a restart. */
function sessionKey(dataDir: string): Uint8Array {
  const path = join(dataDir, SESSION_KEY_FILE);
  try {
    const key = readFileSync(path);
    if (key.length === 32) return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = randomBytes(32);
  makeFolder(dataDir, 0o700);
  writeFileSync(path, key, { mode: 0o600 });
  return key;
}

function usedTickets(store: StateStore) {
  return { has: (jti: string) => store.hasUsedTicket(jti), add: (jti: string, expiresAt: number) => store.addUsedTicket(jti, expiresAt) };
}
