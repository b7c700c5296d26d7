import type { FactRows } from './facts.ts';

const MINUTE_MS = 60_000;
/** Between two samples that are further apart (a suspended machine), nothing is known. */
const LONGEST_MS = 120_000;

/** How the machine fares at an instant. Totals grow since the process began. */
export interface LoadSample {
  /** Wall time, ms. */
  at: number;
  cpuPercent: number;
  rssMb: number;
  candlesTotal: number;
  signalsTotal: number;
  outboxRows: number;
  /** Event-loop delay, 99th percentile; how late the newest candle was; time spent screening since the process began. All in ms of wall time. */
  loopMs?: number;
  lagMs?: number;
  screeningMsTotal?: number;
}

/** Folds samples, a few a minute, into one row a minute: the fact `metric`. Averages are weighted by time. */
export class MinuteMetrics {
  #last: LoadSample | undefined;
  #minute = 0;
  #row: FactRows['metric'] | undefined;

  /** Takes a sample in; answers the minute that it ends, if it does. Samples of a clock that goes back begin anew. */
  add(sample: LoadSample): FactRows['metric'] | undefined {
    const last = this.#last;
    this.#last = sample;
    if (!last || sample.at <= last.at || sample.at - last.at > LONGEST_MS) return this.#end();
    const minute = Math.floor(sample.at / MINUTE_MS);
    const ended = this.#row && minute !== this.#minute ? this.#end() : undefined;
    this.#minute = minute;
    this.#fold(last, sample);
    return ended;
  }

  #end(): FactRows['metric'] | undefined {
    const row = this.#row;
    this.#row = undefined;
    return row;
  }

  #fold(last: LoadSample, sample: LoadSample): void {
    const seconds = (sample.at - last.at) / 1_000;
    const before = this.#row;
    const total = (before?.seconds ?? 0) + seconds;
    const mean = (name: 'cpu_percent' | 'rss_mb', value: number) => ((before?.[name] ?? 0) * (before?.seconds ?? 0) + value * seconds) / total;
    const most = (name: 'cpu_percent_max' | 'rss_mb_max' | 'outbox_rows_max' | 'loop_ms_max' | 'lag_ms_max', value: number) => Math.max(before?.[name] ?? 0, value);
    const grown = (now: number, then: number) => Math.max(0, now - then);
    this.#row = {
      ...before,
      at: new Date(this.#minute * MINUTE_MS).toISOString(), seconds: total,
      cpu_percent: mean('cpu_percent', sample.cpuPercent), cpu_percent_max: most('cpu_percent_max', sample.cpuPercent),
      rss_mb: mean('rss_mb', sample.rssMb), rss_mb_max: most('rss_mb_max', sample.rssMb),
      outbox_rows_max: most('outbox_rows_max', sample.outboxRows),
      candles: (before?.candles ?? 0) + grown(sample.candlesTotal, last.candlesTotal),
      signals: (before?.signals ?? 0) + grown(sample.signalsTotal, last.signalsTotal),
      ...(sample.loopMs !== undefined && { loop_ms_max: most('loop_ms_max', sample.loopMs) }),
      ...(sample.lagMs !== undefined && { lag_ms_max: most('lag_ms_max', sample.lagMs) }),
      ...(sample.screeningMsTotal !== undefined && { screening_ms: (before?.screening_ms ?? 0) + grown(sample.screeningMsTotal, last.screeningMsTotal ?? 0) }),
    };
  }
}
