import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { HealthReport, judgeHealth, type CrashReport } from '@trademind/core';
import { afterEach, describe, expect, test } from 'vitest';
import { systemWall } from '../time.ts';
import { stolenSeconds, throttledSeconds } from './denied-cpu.ts';
import { ErrorRate } from './error-rate.ts';
import { HealthMonitor, type HealthMonitorOptions, type HealthReadings } from './health-monitor.ts';
import { readingsOf } from './health-readings.ts';
import { ProcessProbe } from './process-probe.ts';

const well: HealthReadings = {
  candles: 7, gaps: 0, frames: { kline: 3 }, marks: { hole: 2, corrected: 0 }, reconnects: 1, streamSilenceMs: 20, connected: true, seriesDone: 4, seriesTotal: 4, screeningMs: 0, weightUsed: 12, outboxRows: 0, outboxOldestMs: 0,
  signals: { live: 2, history: 5 }, screening: true, candleLagMs: 0, passShare: 0.01, workers: 0, tradersShed: 0, diskFailing: false, database: { silenceMs: 100, latencyMs: 12 }, clockOffsetMs: -3,
};
const monitors: HealthMonitor[] = [];
afterEach(() => { for (const monitor of monitors.splice(0)) monitor.stop(); });

function monitor(readings: () => HealthReadings = () => well, over: Partial<HealthMonitorOptions> = {}): HealthMonitor {
  const made = new HealthMonitor({ wall: systemWall, readings, version: '1.0.0', lookMs: 3_600_000, ...over });
  monitors.push(made);
  return made;
}
/** Works for so much time of the CPU, however long others keep it from that. */
const burn = (ms: number): void => {
  const used = (): number => { const { user, system } = process.cpuUsage(); return (user + system) / 1_000; };
  for (const end = used() + ms; used() < end;);
};

describe('what the process uses', () => {
  test('work shows as CPU time and a blocked loop as delay; rest shows as neither', async () => {
    const probe = new ProcessProbe();
    await wait(60);
    probe.look();
    await wait(30);
    burn(250);
    await wait(30);
    const busy = probe.look();
    // A mean since the start would hardly move. The computer may have other work at first: of several looks one is at rest.
    const rest = async () => { await wait(400); return probe.look(); };
    let idle = busy;
    await expect.poll(async () => { idle = await rest(); return [idle.cpuCores < busy.cpuCores / 2, idle.loopDelayMaxMs < busy.loopDelayMaxMs]; }).toEqual([true, true]);
    probe.stop();
    expect(busy.cpuUsed).toBeCloseTo(busy.cpuCores / busy.vcpus, 6);
    expect(busy.loopDelayMaxMs).toBeGreaterThan(100);
    expect(idle.rssBytes).toBeGreaterThan(1e7);
    expect(idle.memoryLimitBytes).toBeGreaterThan(idle.rssBytes);
    expect(idle.heapLimitBytes).toBeGreaterThan(idle.heapBytes);
  });

  test('making garbage shows as time of collection', async () => {
    const probe = new ProcessProbe();
    let kept: unknown[] = [];
    for (let round = 0; round < 60; round++) kept = Array.from({ length: 50_000 }, (_, index) => ({ index, kept: round }));
    expect(kept).toHaveLength(50_000);
    await expect.poll(() => probe.look().gcShare).toBeGreaterThan(0);
    expect(probe.gcTotalMs).toBeGreaterThan(0);
    probe.stop();
  });

  test('withheld CPU is read from what the kernel tells, and is unknown where it tells nothing', () => {
    expect(stolenSeconds('cpu  583758 0 79327 339212 754 0 783 342 0 0\ncpu0 1 2')).toBe(3.42);
    expect(throttledSeconds('usage_usec 5\nnr_throttled 3\nthrottled_usec 2500000\n')).toBe(2.5);
    expect([stolenSeconds(''), throttledSeconds('usage_usec 5')]).toEqual([undefined, undefined]);
  });
});

describe('errors', () => {
  test('are a rate over the last five minutes and totals by code, however many codes are made up', () => {
    let now = 0;
    const errors = new ErrorRate(() => now);
    for (let index = 0; index < 10; index++) errors.add('disk_failing');
    expect(errors.perMinute()).toBe(2);
    now = 299_000;
    expect(errors.perMinute()).toBe(2);
    now = 331_000;
    expect(errors.perMinute()).toBe(0);
    for (let index = 0; index < 500; index++) errors.add(`made_up_${index}`);
    expect(errors.byCode.size).toBeLessThanOrEqual(101);
    expect([...errors.byCode.values()].reduce((sum, count) => sum + count, 0)).toBe(510);
  });
});

describe('the monitor', () => {
  test('judges all that the machine has, and nothing that it has not', () => {
    const report = monitor().look();
    expect(HealthReport.parse(report)).toEqual(report);
    expect(report.components.map(({ component }) => component)).toEqual(['exchange', 'candles', 'screening', 'database', 'outbox', 'disk', 'memory', 'cpu', 'process', 'clock', 'errors']);
    expect(monitor(() => ({ ...well, analysis: { waiting: 0, oldestMs: 0, down: false }, feed: { connections: 1, most: 50, gaps: 0 }, notifications: { waiting: 0, oldestMs: 0 } })).look().components.map(({ component }) => component))
      .toEqual(expect.arrayContaining(['analysis', 'feed', 'notifications']));
  });

  test('an analysis that no signal gets is not well: without a key, and when the day\'s cap is used up, each in words', () => {
    const analysisOf = (over: object, problems: HealthReadings['problems'] = []) => monitor(() => ({ ...well, analysis: { waiting: 0, oldestMs: 0, down: false, ...over }, problems })).look().components.find(({ component }) => component === 'analysis');
    expect(analysisOf({ noKey: false, capped: false })).toMatchObject({ state: 'healthy' });
    expect(analysisOf({ noKey: true })).toMatchObject({ state: 'degraded', sentence: 'There is no key for the model: signals are not analysed.', nextStep: expect.stringContaining('key') });
    expect(analysisOf({ capped: true }, [{ code: 'analysis_cap', message: 'Used today: all.' }])).toMatchObject({ state: 'degraded', sentence: expect.stringMatching(/used up.* Used today: all\.$/) });
  });

  test('tells what changed, with the problem that explains it, and when it is well again', () => {
    let readings: HealthReadings = well;
    const told: string[] = [];
    const watched = monitor(() => readings, { onChange: ({ component, before }) => told.push(`${component.component}: ${before} → ${component.state}`) });
    watched.look();
    expect(told).toEqual([]);
    readings = { ...well, diskFailing: true, problems: [{ code: 'disk_failing', message: 'ENOSPC.' }] };
    expect(watched.look().components.find(({ component }) => component === 'disk')?.sentence).toBe('The data folder cannot be written: what is found waits in memory. ENOSPC.');
    watched.look();
    expect(told).toEqual(['disk: healthy → failing']);
    expect(watched.report().state).toBe('failing');
  });

  test('a report of a screen that judges the same readings by the same table is the same', () => {
    const readings = { ...well, database: { silenceMs: 400_000, latencyMs: 7 }, outboxOldestMs: 70_000, outboxRows: 3 };
    const inside = monitor(() => readings).look();
    const again = judgeHealth({}, Object.assign({}, ...inside.components.map((one) => one.readings)), [], { mono: 0, epoch: inside.at }).report;
    expect(again.components.map(({ component, state, sentence, nextStep }) => ({ component, state, sentence, nextStep }))).toEqual(inside.components.map(({ component, state, sentence, nextStep }) => ({ component, state, sentence, nextStep })));
    expect(inside.components.find(({ component }) => component === 'database')).toMatchObject({ state: 'failing', sentence: 'The database has not answered for 6 min 40 s.' });
  });

  test('a stream that is down is down since then, and what is not expected before screening is not judged', () => {
    const off = readingsOf({ ...well, screening: false, candleLagMs: 999_999, seriesDone: 0 }, {
      process: { at: 0, overMs: 1, vcpus: 2, cpuCores: 0, cpuUsed: 0, deniedCores: undefined, rssBytes: 1, memoryLimitBytes: 2, heapBytes: 1, heapLimitBytes: 2, loopDelayMs: 0, loopDelayMaxMs: 0, gcShare: 0 },
      downMs: 1_234, analysisDownMs: 0, workerUse: 0, feedGapsPerMinute: 0, errorsPerMinute: 0, crashesPerHour: 0, diskUsed: undefined,
    });
    expect(off.streamDownMs).toBe(1_234);
    for (const absent of ['candleLagMs', 'historyMissing', 'cpuDenied', 'diskUsed', 'workerUse', 'analysisQueue', 'feedFull'] as const) expect(off).not.toHaveProperty(absent);
  });

  test('a crash is shown for a day and counts for an hour', () => {
    const crash = (hoursAgo: number): CrashReport => ({
      at: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(), kind: 'crashed', code: `h${hoursAgo}`, message: 'x', version: '1', uptimeS: 1, memory: { rssMb: 1, limitMb: 2, heapMb: 1, heapLimitMb: 2 }, log: [],
    });
    expect(monitor(undefined, { crashes: [crash(30), crash(20)] }).look()).toMatchObject({ crash: { code: 'h20' } });
    expect(monitor(undefined, { crashes: [crash(30)] }).look()).not.toHaveProperty('crash');
    const shaky = monitor(undefined, { crashes: [crash(0.5), crash(0.3), crash(0.1)] }).look();
    expect(shaky.components.find(({ component }) => component === 'process')).toMatchObject({ state: 'failing', sentence: 'Ends against its will within the last hour: 3. It has started again each time.' });
  });

  test('the volume of the data folder is watched', async () => {
    const dataDir = mkdtempSync(`${tmpdir()}/tm-health-`);
    const watched = monitor(undefined, { dataDir });
    const look = () => watched.look().components.find(({ component }) => component === 'disk')?.readings['diskUsed'];
    await expect.poll(look).toBeDefined();
    const used = look();
    expect(used).toBeGreaterThanOrEqual(0);
    expect(used).toBeLessThanOrEqual(1);
    rmSync(dataDir, { recursive: true });
  });
});

test('the load is told to whoever judges the size, and only while the machine does its usual work', () => {
  const watched = monitor(() => ({ ...well, passShare: 0.25, tradersShed: 2, candleLagMs: 40 }));
  expect(watched.load()).toBeUndefined();
  watched.look();
  expect(watched.load()).toMatchObject({ passShare: 0.25, tradersShed: 2, candleLagMs: 40, cpuCores: watched.measures().cpuCores, at: watched.measures().at });
  const resting = monitor(() => ({ ...well, screening: false }));
  resting.look();
  expect(resting.load()).toBeUndefined();
});

test('the minute is told the worst of all looks since it was told last, and nothing of a lag that was not looked at', async () => {
  let readings: HealthReadings = { ...well, candleLagMs: 40 };
  const watched = monitor(() => readings);
  expect(watched.worst()).toEqual({ screeningMsTotal: 0 });
  for (const candleLagMs of [40, 900, 10]) { readings = { ...well, candleLagMs, screeningMs: 7 }; watched.look(); }
  expect(watched.worst()).toEqual({ loopMs: expect.any(Number), lagMs: 900, screeningMsTotal: 7 });
  expect(watched.worst()).toEqual({ screeningMsTotal: 7 });
  const { candleLagMs: _, ...resting } = well;
  readings = { ...resting, screening: false };
  await wait(30);
  burn(120);
  await wait(30);
  watched.look();
  watched.look();
  const worst = watched.worst();
  expect(worst.loopMs).toBeGreaterThan(50);
  expect(worst).not.toHaveProperty('lagMs');
});

describe('the metrics', () => {
  test('have the usual names and types, and values in base units', async () => {
    const watched = monitor(() => ({ ...well, streamSilenceMs: 1_500 }));
    watched.errored('disk_failing');
    watched.look();
    const text = await watched.metrics();
    for (const line of [
      '# TYPE process_cpu_seconds_total counter', '# TYPE process_resident_memory_bytes gauge', '# TYPE trademind_candles_total counter', 'trademind_candles_total 7', 'trademind_stream_silence_seconds 1.5',
      'trademind_stream_frames_total{kind="kline"} 3', 'trademind_candle_marks_total{kind="hole"} 2', 'trademind_candle_marks_total{kind="corrected"} 0', 'trademind_signals_total{origin="history"} 5', 'trademind_errors_total{code="disk_failing"} 1', 'trademind_health{component="exchange"} 0', 'trademind_build_info{version="1.0.0"} 1', 'trademind_clock_offset_seconds -0.003',
    ]) expect(text.split('\n')).toContain(line);
    const names = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => ({ name: name!, type: type! }));
    for (const { name, type } of names) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
      expect(name.endsWith('_total'), `${name} is a ${type}`).toBe(type === 'counter');
      expect(name).not.toMatch(/_(ms|mb|percent|milliseconds)$/);
    }
    expect(names.length).toBeGreaterThan(25);
  });

  test('a counter never falls from scrape to scrape, and a figure that a machine does not have is not shown as 0', async () => {
    let readings: HealthReadings = well;
    const watched = monitor(() => readings);
    await watched.metrics();
    readings = { ...well, candles: 9 };
    await wait(300);
    const text = await watched.metrics();
    expect(text).toContain('trademind_candles_total 9');
    expect(text).not.toMatch(/^trademind_analysis_queue /m);
    expect(text).toMatch(/^trademind_database_latency_seconds 0\.012$/m);
  });
});
