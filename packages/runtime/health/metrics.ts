import { HEALTH_STATES, type HealthReport } from '@trademind/core';
// The three parts that are used: the whole brings Node's cluster, child processes and a push gateway into memory.
import type { Metric } from 'prom-client';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import type { HealthReadings } from './health-readings.ts';
import type { ProcessMeasures } from './process-probe.ts';

/** What `/metrics` is made from, read at each scrape. */
export interface MetricsSource {
  services: () => HealthReadings;
  process: () => ProcessMeasures;
  report: () => HealthReport;
  errors: () => ReadonlyMap<string, number>;
  gcTotalMs: () => number;
  startedAt: number;
  version: string;
}

const seconds = (ms: number): number => ms / 1_000;

/**
 * All figures of a machine for Prometheus, named as is usual there: base units (seconds, bytes, ratios), `_total` on what only grows, and for
 * the process itself the names that every Prometheus client gives.
 */
export function machineMetrics(source: MetricsSource): Registry {
  const registry = new Registry();
  const { services, process: probe } = source;
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | null | undefined): void => {
    const metric: Metric = new Gauge({ name, help, registers, collect: () => set(metric as Gauge, read()) });
  };
  const total = (name: string, help: string, read: () => number): void => {
    const metric: Metric = new Counter({ name, help, registers, collect: () => grown(metric as Counter, {}, read()) });
  };
  const totals = (name: string, help: string, label: string, read: () => Iterable<readonly [string, number]>): void => {
    const metric: Metric = new Counter({ name, help, labelNames: [label], registers, collect: () => { (metric as Counter).reset(); for (const [value, count] of read()) (metric as Counter).inc({ [label]: value }, count); } });
  };

  total('process_cpu_seconds_total', 'CPU time used by the process, user and system, all threads.', () => { const { user, system } = process.cpuUsage(); return (user + system) / 1e6; });
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss());
  gauge('process_start_time_seconds', 'When the process began, seconds since 1970.', () => seconds(source.startedAt));
  gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed);
  gauge('nodejs_eventloop_lag_p99_seconds', 'Event-loop delay over the last look, 99th percentile.', () => seconds(probe().loopDelayMs));
  gauge('nodejs_eventloop_lag_max_seconds', 'Event-loop delay over the last look, worst.', () => seconds(probe().loopDelayMaxMs));
  total('nodejs_gc_seconds_total', 'Time spent in garbage collection on the main thread.', () => seconds(source.gcTotalMs()));
  gauge('trademind_memory_limit_bytes', 'Memory that the machine has.', () => probe().memoryLimitBytes);
  gauge('trademind_cpu_used_cores', 'CPU used over the last look, in cores.', () => probe().cpuCores);
  gauge('trademind_cpu_denied_cores', 'CPU that the host withheld over the last look, in cores.', () => probe().deniedCores);
  gauge('trademind_stream_connected', '1 when every stream connection stands.', () => Number(services().connected));
  gauge('trademind_stream_silence_seconds', 'Time since the exchange last said anything.', () => seconds(services().streamSilenceMs));
  total('trademind_stream_reconnects_total', 'Stream connections lost.', () => services().reconnects);
  totals('trademind_stream_frames_total', 'Frames taken in, by kind.', 'kind', () => Object.entries(services().frames));
  total('trademind_candles_total', 'Closed candles taken in.', () => services().candles);
  total('trademind_candle_gaps_total', 'Gaps met in the stream.', () => services().gaps);
  totals('trademind_candle_marks_total', 'Marks made on candles since the start, by kind: what the exchange never had, corrected, withdrew, brought late, or began off the grid.', 'kind', () => Object.entries(services().marks ?? {}));
  gauge('trademind_candle_lag_seconds', 'How late the newest candle is.', () => ms(services().candleLagMs));
  gauge('trademind_series_done', 'Series whose history has been fetched.', () => services().seriesDone);
  gauge('trademind_series', 'Series (symbol and interval) wanted.', () => services().seriesTotal);
  total('trademind_screening_seconds_total', 'Time spent screening, all threads.', () => seconds(services().screeningMs));
  gauge('trademind_screening_pass_ratio', 'Cost of a pass as a share of the time between two.', () => services().passShare);
  gauge('trademind_screening_workers', 'Worker threads.', () => services().workers);
  total('trademind_screening_workers_lost_total', 'Worker threads that were lost and replaced.', () => services().workersLost ?? 0);
  gauge('trademind_exchange_weight_used', 'Request weight used at the exchange this minute.', () => services().weightUsed);
  gauge('trademind_outbox_rows', 'Rows that wait to be written to the database.', () => services().outboxRows);
  gauge('trademind_outbox_oldest_seconds', 'Age of the oldest row that waits.', () => seconds(services().outboxOldestMs));
  gauge('trademind_database_silence_seconds', 'Time since the database last answered.', () => ms(services().database?.silenceMs));
  gauge('trademind_database_latency_seconds', 'How long the database took for its last answer.', () => ms(services().database?.latencyMs));
  gauge('trademind_clock_offset_seconds', 'How far the clock is from the true time; positive when it is behind.', () => ms(services().clockOffsetMs));
  gauge('trademind_analysis_queue', 'Signals that wait for their analysis.', () => services().analysis?.waiting);
  gauge('trademind_feed_connections', 'Clients of the live feed.', () => services().feed?.connections);
  total('trademind_feed_gaps_total', 'Times that a client of the feed was too slow.', () => services().feed?.gaps ?? 0);
  gauge('trademind_notifications_queue', 'Messages that wait to be delivered.', () => services().notifications?.waiting);
  totals('trademind_signals_total', 'Signals of the running traders, by origin.', 'origin', () => Object.entries(services().signals));
  totals('trademind_errors_total', 'Errors, by code.', 'code', () => source.errors());

  const state: Gauge<'component'> = new Gauge({
    name: 'trademind_health', help: 'State of each component: 0 healthy, 1 degraded, 2 failing.', labelNames: ['component'], registers,
    collect: () => { state.reset(); for (const one of source.report().components) state.set({ component: one.component }, HEALTH_STATES.indexOf(one.state)); },
  });
  new Gauge({ name: 'trademind_build_info', help: '1, with the version as a label.', labelNames: ['version'], registers }).set({ version: source.version }, 1);
  return registry;
}

const ms = (value: number | null | undefined): number | undefined => (value == null ? undefined : seconds(value));

/** A measure that does not exist on this machine is not shown, rather than as 0. */
function set(metric: Gauge, value: number | null | undefined): void {
  if (value == null) metric.remove();
  else metric.set(value);
}

/** A counter is set to a total that is counted elsewhere. */
function grown(metric: Counter, labels: Record<string, string>, value: number): void {
  metric.reset();
  metric.inc(labels, value);
}
