import { expect, test } from 'vitest';
import { MinuteMetrics, type LoadSample } from './minute-metrics.ts';

const sample = (at: number, over: Partial<LoadSample> = {}): LoadSample => ({ at, cpuPercent: 10, rssMb: 70, candlesTotal: 0, signalsTotal: 0, outboxRows: 0, ...over });

test('samples become a minute: averages by time, greatest values, and what was done', () => {
  const metrics = new MinuteMetrics();
  expect(metrics.add(sample(60_000, { candlesTotal: 100 }))).toBeUndefined();
  metrics.add(sample(75_000, { candlesTotal: 110, cpuPercent: 40, loopMs: 5 }));
  metrics.add(sample(105_000, { candlesTotal: 130, cpuPercent: 10, rssMb: 100, outboxRows: 7, lagMs: 900 }));
  expect(metrics.add(sample(120_000, { candlesTotal: 135 }))).toEqual({
    at: '1970-01-01T00:01:00.000Z', seconds: 45, cpu_percent: 20, cpu_percent_max: 40, rss_mb: 90, rss_mb_max: 100, outbox_rows_max: 7, candles: 30, signals: 0, loop_ms_max: 5, lag_ms_max: 900,
  });
});

test('a machine that slept, or whose clock was set back, begins anew and keeps what it had', () => {
  const metrics = new MinuteMetrics();
  metrics.add(sample(60_000));
  metrics.add(sample(75_000));
  expect(metrics.add(sample(600_000))).toMatchObject({ seconds: 15 });
  metrics.add(sample(615_000));
  expect(metrics.add(sample(300_000))).toMatchObject({ seconds: 15 });
  metrics.add(sample(315_000));
  expect(metrics.add(sample(360_000))).toMatchObject({ at: '1970-01-01T00:05:00.000Z', seconds: 15 });
});

test('a total that shrinks counts as nothing done', () => {
  const metrics = new MinuteMetrics();
  metrics.add(sample(60_000, { signalsTotal: 9 }));
  metrics.add(sample(75_000, { signalsTotal: 2 }));
  expect(metrics.add(sample(130_000))).toMatchObject({ signals: 0 });
});
