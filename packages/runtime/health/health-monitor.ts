import { statfs } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { judgeHealth, type ComponentHealth, type CrashReport, type HealthMemory, type HealthReport, type HealthState } from '@trademind/core';
import type { Log } from '../log.ts';
import type { LoadSample } from '../scaling/load.ts';
import type { Wall } from '../time.ts';
import { ErrorRate } from './error-rate.ts';
import { readingsOf, type HealthReadings } from './health-readings.ts';
import { machineMetrics } from './metrics.ts';
import { ProcessProbe, type ProcessMeasures } from './process-probe.ts';

export type { HealthReadings } from './health-readings.ts';

const LOOK_MS = 5_000;
/** One scrape reads all figures: they are gathered once for it. */
const READ_MS = 250;
/** Looks between two at the disk. */
const DISK_LOOKS = 6;
const HOUR_MS = 3_600_000;
/** A crash is shown for so long. */
const SHOWN_MS = 24 * HOUR_MS;

export interface HealthChange { component: ComponentHealth; before: HealthState }

export interface HealthMonitorOptions {
  wall: Wall;
  /** Hears of every change of state. */
  log?: Log;
  readings: () => HealthReadings;
  version?: string;
  /** Its volume is watched. */
  dataDir?: string;
  /** What the machine has, MB; read from the system unless given. */
  memoryLimitMb?: number;
  /** How processes before this one ended against their will, newest last. */
  crashes?: readonly CrashReport[];
  /** A component's state changed. The first look tells only what is not healthy. */
  onChange?: (change: HealthChange) => void;
  /** How often it looks, ms. */
  lookMs?: number;
}

/** True measures of this process and its services, judged by the one table of thresholds; all of them also as Prometheus text. */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #startedAt: number;
  readonly #startedNow: number;
  readonly #probe: ProcessProbe;
  readonly #errors = new ErrorRate(() => performance.now());
  readonly #services: () => HealthReadings;
  readonly #metrics: ReturnType<typeof machineMetrics>;
  readonly #timer: NodeJS.Timeout;
  #measures: ProcessMeasures;
  #memory: HealthMemory = {};
  #report: HealthReport;
  #looks = 0;
  #diskUsed: number | undefined;
  #load: LoadSample | undefined;
  /** The worst looks since somebody asked. */
  #worst: { loopMs?: number; lagMs?: number } = {};
  #downSince: number | null = null;
  #analysisDownSince: number | null = null;
  /** Totals at the look before, for what is counted per time. */
  #before = { screeningMs: 0, feedGaps: 0 };

  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#startedAt = options.wall.epoch();
    this.#startedNow = options.wall.now();
    this.#probe = new ProcessProbe(options.memoryLimitMb);
    this.#measures = this.#probe.look();
    this.#report = { state: 'healthy', at: this.#startedAt, components: [], ...this.#crash() };
    this.#services = atMostOnceA(READ_MS, options.readings);
    this.#metrics = machineMetrics({
      services: this.#services, process: () => this.#measures, report: () => this.#report, errors: () => this.#errors.byCode, gcTotalMs: () => this.#probe.gcTotalMs,
      startedAt: this.#startedAt, version: options.version ?? 'unknown',
    });
    void this.#lookAtDisk();
    this.#timer = setInterval(() => this.look(), options.lookMs ?? LOOK_MS);
    this.#timer.unref();
  }

  /** Memory now; CPU in percent of one core over the last look. */
  process(): { rssMb: number; cpuPercent: number; uptimeS: number } {
    return {
      rssMb: Math.round(process.memoryUsage.rss() / 104_857.6) / 10,
      cpuPercent: Math.round(this.#measures.cpuCores * 1_000) / 10,
      uptimeS: Math.round((this.#options.wall.now() - this.#startedNow) / 100) / 10,
    };
  }

  /** What the process used over the last look. */
  measures(): ProcessMeasures {
    return this.#measures;
  }

  /** The load at the last look, for whoever judges the size; undefined while the machine is not at its usual work. */
  load(): LoadSample | undefined {
    return this.#load;
  }

  /** For the minute's figures: the greatest delay of the event loop and lag of candles among the looks since this was last asked (none, none), and the time spent screening since the start. All ms of wall time. */
  worst(): { loopMs?: number; lagMs?: number; screeningMsTotal: number } {
    const worst = { ...this.#worst, screeningMsTotal: this.#options.readings().screeningMs };
    this.#worst = {};
    return worst;
  }

  /** How every component fared at the last look. */
  report(): HealthReport {
    return this.#report;
  }

  /** Something went wrong: it counts by its code. */
  errored(code: string): void {
    this.#errors.add(code);
  }

  metrics(): Promise<string> {
    return this.#metrics.metrics();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#probe.stop();
  }

  /** Measures and judges now; it is done by itself every few seconds. */
  look(): HealthReport {
    const services = this.#options.readings();
    const { wall, onChange } = this.#options;
    this.#measures = this.#probe.look();
    if (++this.#looks % DISK_LOOKS === 0) void this.#lookAtDisk();
    const before = new Map(this.#report.components.map(({ component, state }) => [component, state]));
    const own = this.#own(services);
    this.#load = loadOf(services, own);
    this.#worst = {
      loopMs: Math.max(this.#worst.loopMs ?? 0, this.#measures.loopDelayMs),
      ...(services.candleLagMs !== undefined || this.#worst.lagMs !== undefined ? { lagMs: Math.max(this.#worst.lagMs ?? 0, services.candleLagMs ?? 0) } : {}),
    };
    const judged = judgeHealth(this.#memory, readingsOf(services, own), services.problems ?? [], { mono: performance.now(), epoch: wall.epoch() });
    this.#memory = judged.memory;
    this.#report = { ...judged.report, ...this.#crash() };
    for (const component of this.#report.components) {
      const was = before.get(component.component) ?? 'healthy';
      if (was === component.state) continue;
      this.#say(component);
      onChange?.({ component, before: was });
    }
    return this.#report;
  }

  #say({ component, state, sentence, nextStep }: ComponentHealth): void {
    this.#options.log?.(state === 'failing' ? 'warn' : 'info', `health_${state}`, [sentence, nextStep].filter(Boolean).join(' '), { component });
  }

  #own(services: HealthReadings): Parameters<typeof readingsOf>[1] {
    const { overMs } = this.#measures;
    const now = performance.now();
    this.#downSince = services.connected ? null : (this.#downSince ?? now);
    this.#analysisDownSince = services.analysis?.down === true ? (this.#analysisDownSince ?? now) : null;
    const since = (at: number | null): number => (at === null ? 0 : now - at);
    const screened = services.screeningMs - this.#before.screeningMs;
    const gaps = (services.feed?.gaps ?? 0) - this.#before.feedGaps;
    this.#before = { screeningMs: services.screeningMs, feedGaps: services.feed?.gaps ?? 0 };
    return {
      process: this.#measures, downMs: since(this.#downSince), analysisDownMs: since(this.#analysisDownSince), workerUse: screened / overMs / Math.max(1, services.workers ?? 1),
      feedGapsPerMinute: (gaps / overMs) * 60_000, errorsPerMinute: this.#errors.perMinute(), crashesPerHour: this.#crashesWithin(HOUR_MS).length, diskUsed: this.#diskUsed,
    };
  }

  #crash(): { crash?: CrashReport } {
    const crash = this.#crashesWithin(SHOWN_MS).at(-1);
    return crash === undefined ? {} : { crash };
  }

  #crashesWithin(ms: number): CrashReport[] {
    const now = this.#options.wall.epoch();
    return (this.#options.crashes ?? []).filter(({ at }) => now - Date.parse(at) < ms);
  }

  async #lookAtDisk(): Promise<void> {
    const { dataDir } = this.#options;
    if (dataDir === undefined) return;
    // A folder that cannot be looked at is told of by whoever writes to it.
    const disk = await statfs(dataDir).catch(() => undefined);
    if (disk !== undefined && disk.blocks > 0) this.#diskUsed = 1 - disk.bavail / disk.blocks;
  }
}

function loadOf(services: HealthReadings, { process: { at, overMs, cpuCores, deniedCores, rssBytes, loopDelayMs }, workerUse }: Parameters<typeof readingsOf>[1]): LoadSample | undefined {
  if (services.screening !== true) return undefined;
  return {
    at, overMs, cpuCores, deniedCores: deniedCores ?? 0, rssMb: rssBytes / 1_048_576, loopDelayMs, workerUse: services.workers ? workerUse : 0,
    passShare: services.passShare ?? 0, candleLagMs: services.candleLagMs ?? 0, tradersShed: services.tradersShed ?? 0,
  };
}

function atMostOnceA(ms: number, read: () => HealthReadings): () => HealthReadings {
  let last: { at: number; readings: HealthReadings } | undefined;
  return () => {
    if (!last || performance.now() - last.at >= ms) last = { at: performance.now(), readings: read() };
    return last.readings;
  };
}
