import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, Registry } from 'prom-client';
import type { Wall } from '../time.ts';

const LOOK_MS = 5_000;
/** One scrape reads all figures: they are gathered once for it. */
const READ_MS = 250;

/** Figures of the services, read when asked. Durations in ms. */
export interface HealthReadings {
  candles: number;
  gaps: number;
  frames: Readonly<Record<string, number>>;
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
}

/** True measures of this process, and all of them as Prometheus text. */
export class HealthMonitor {
  readonly #wall: Wall;
  readonly #startedAt: number;
  readonly #loop = monitorEventLoopDelay({ resolution: 20 });
  readonly #registry = new Registry();
  readonly #timer: NodeJS.Timeout;
  #cpu = process.cpuUsage();
  #lookedAt: number;
  #cpuPercent = 0;
  #loopP99Ms = 0;

  constructor(options: { wall: Wall; readings: () => HealthReadings }) {
    this.#wall = options.wall;
    this.#startedAt = this.#lookedAt = options.wall.now();
    this.#loop.enable();
    this.#register(atMostOnceA(READ_MS, options.wall, options.readings));
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** Memory now; CPU of one core and event-loop delay over the last look. */
  process(): { rssMb: number; cpuPercent: number; uptimeS: number } {
    return {
      rssMb: Math.round(process.memoryUsage.rss() / 104_857.6) / 10,
      cpuPercent: Math.round(this.#cpuPercent * 10) / 10,
      uptimeS: Math.round((this.#wall.now() - this.#startedAt) / 100) / 10,
    };
  }

  metrics(): Promise<string> {
    return this.#registry.metrics();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#loop.disable();
  }

  #look(): void {
    const now = this.#wall.now();
    const used = process.cpuUsage(this.#cpu);
    this.#cpuPercent = ((used.user + used.system) / 1_000 / Math.max(1, now - this.#lookedAt)) * 100;
    this.#cpu = process.cpuUsage();
    this.#lookedAt = now;
    const p99 = this.#loop.percentile(99) / 1e6 - 20;
    this.#loopP99Ms = Number.isFinite(p99) ? Math.max(0, p99) : 0;
    this.#loop.reset();
  }

  #register(readings: () => HealthReadings): void {
    const gauge = (name: string, help: string, read: () => number) => {
      const metric: Gauge = new Gauge({ name: `trademind_${name}`, help, registers: [this.#registry], collect: () => metric.set(read()) });
    };
    gauge('process_resident_memory_bytes', 'Resident memory of the machine process.', () => process.memoryUsage.rss());
    gauge('process_cpu_percent', 'CPU used since the last look, in percent of one core.', () => this.#cpuPercent);
    gauge('event_loop_delay_p99_ms', 'Event-loop delay, 99th percentile since the last look.', () => this.#loopP99Ms);
    gauge('uptime_seconds', 'Seconds since this process began.', () => this.process().uptimeS);
    gauge('candles_total', 'Closed candles taken in.', () => readings().candles);
    gauge('candle_gaps_total', 'Gaps met in the stream.', () => readings().gaps);
    gauge('stream_connected', '1 when every stream connection stands.', () => Number(readings().connected));
    gauge('stream_silence_ms', 'Time since the exchange last said anything.', () => readings().streamSilenceMs);
    gauge('stream_reconnects_total', 'Stream connections lost.', () => readings().reconnects);
    gauge('series_done', 'Series whose history has been fetched.', () => readings().seriesDone);
    gauge('series', 'Series (symbol and interval) wanted.', () => readings().seriesTotal);
    gauge('screening_ms_total', 'Time spent screening.', () => readings().screeningMs);
    gauge('exchange_weight_used', 'Request weight used at the exchange this minute.', () => readings().weightUsed);
    gauge('outbox_rows', 'Rows that wait to be written to the database.', () => readings().outboxRows);
    gauge('outbox_oldest_ms', 'Age of the oldest row that waits.', () => readings().outboxOldestMs);
    const frames: Gauge<'kind'> = new Gauge({
      name: 'trademind_stream_frames_total', help: 'Frames taken in, by kind.', labelNames: ['kind'], registers: [this.#registry],
      collect: () => { for (const [kind, count] of Object.entries(readings().frames)) frames.set({ kind }, count); },
    });
    const signals: Gauge<'origin'> = new Gauge({
      name: 'trademind_signals_total', help: 'Signals of the running traders, by origin.', labelNames: ['origin'], registers: [this.#registry],
      collect: () => { for (const [origin, count] of Object.entries(readings().signals)) signals.set({ origin }, count); },
    });
  }
}

function atMostOnceA(ms: number, wall: Wall, read: () => HealthReadings): () => HealthReadings {
  let last: { at: number; readings: HealthReadings } | undefined;
  return () => {
    if (!last || wall.now() - last.at >= ms) last = { at: wall.now(), readings: read() };
    return last.readings;
  };
}
