import type { Readings } from '@trademind/core';
import type { ProcessMeasures } from './process-probe.ts';

/** Figures of the services, read when asked. Durations in ms of wall time, counts since the start unless said otherwise. What a machine does not have is absent and not judged. */
export interface HealthReadings {
  candles: number;
  gaps: number;
  frames: Readonly<Record<string, number>>;
  /** Marks that were made on candles, by kind: holes, corrections, … */
  marks?: Readonly<Record<string, number>>;
  reconnects: number;
  streamSilenceMs: number;
  connected: boolean;
  seriesDone: number;
  seriesTotal: number;
  screeningMs: number;
  weightUsed: number;
  outboxRows: number;
  outboxOldestMs: number;
  signals: { live: number; history: number };
  /** True once it screens: what is late or missing before that is not yet expected. */
  screening?: boolean;
  /** How late the newest candle is. */
  candleLagMs?: number;
  /** Cost of a pass as a share of the time between two, threads, and those traders that wait for want of time. */
  passShare?: number;
  workers?: number;
  workersLost?: number;
  tradersShed?: number;
  diskFailing?: boolean;
  database?: { silenceMs: number; latencyMs: number | null };
  clockOffsetMs?: number;
  /** `down`: a model is not asked for the time being; `noKey`, `capped`: none is asked at all, for want of a key or because the day's cap is used up. Absent where no trader wants an analysis. */
  analysis?: { waiting: number; oldestMs: number; down: boolean; noKey?: boolean; capped?: boolean };
  feed?: { connections: number; most: number; gaps: number };
  notifications?: { waiting: number; oldestMs: number };
  problems?: readonly { code: string; message: string }[];
}

/** What the monitor itself has measured. */
export interface OwnMeasures { process: ProcessMeasures; downMs: number; analysisDownMs: number; workerUse: number; feedGapsPerMinute: number; errorsPerMinute: number; crashesPerHour: number; diskUsed: number | undefined }

/** All figures as the table of thresholds knows them. Pure. */
export function readingsOf(services: HealthReadings, own: OwnMeasures): Readings {
  const { process } = own;
  const screening = services.screening === true;
  return known({
    streamDownMs: own.downMs,
    streamSilenceMs: services.connected && services.seriesTotal > 0 ? services.streamSilenceMs : 0,
    candleLagMs: screening ? services.candleLagMs : undefined,
    historyMissing: screening && services.seriesTotal > 0 ? 1 - services.seriesDone / services.seriesTotal : undefined,
    passShare: services.passShare,
    tradersShed: services.tradersShed,
    workerUse: services.workers ? own.workerUse : undefined,
    analysisNoKey: services.analysis && Number(services.analysis.noKey ?? false),
    analysisCapped: services.analysis && Number(services.analysis.capped ?? false),
    analysisDownMs: services.analysis && own.analysisDownMs,
    analysisWaitMs: services.analysis?.oldestMs,
    analysisQueue: services.analysis?.waiting,
    databaseSilenceMs: services.database?.silenceMs,
    databaseLatencyMs: services.database?.latencyMs ?? undefined,
    outboxAgeMs: services.database && services.outboxOldestMs,
    outboxRows: services.database && services.outboxRows,
    diskFailing: services.diskFailing === undefined ? undefined : Number(services.diskFailing),
    diskUsed: own.diskUsed,
    memoryUsed: process.rssBytes / process.memoryLimitBytes,
    heapUsed: process.heapBytes / process.heapLimitBytes,
    cpuDenied: process.deniedCores === undefined ? undefined : process.deniedCores / process.vcpus,
    cpuUsed: process.cpuUsed,
    crashesPerHour: own.crashesPerHour,
    loopDelayMs: process.loopDelayMs,
    gcShare: process.gcShare,
    clockOffsetMs: services.clockOffsetMs === undefined ? undefined : Math.abs(services.clockOffsetMs),
    feedFull: services.feed && services.feed.connections / services.feed.most,
    feedGapsPerMinute: services.feed && own.feedGapsPerMinute,
    notificationsWaitMs: services.notifications?.oldestMs,
    errorsPerMinute: own.errorsPerMinute,
  });
}

function known(readings: { [K in keyof Readings]: Readings[K] | undefined }): Readings {
  return Object.fromEntries(Object.entries(readings).filter(([, value]) => value !== undefined));
}
