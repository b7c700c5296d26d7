import { CRASH_KINDS, HEALTH_MEASURES, healthFromOutside, sizeName, type ComponentHealth, type CrashReport, type HealthReport, type HealthState, type MachineSize, type MachineStatus, type MachineView } from '@trademind/core';
import type { FeedView } from '@trademind/feed-client';
import type { Tone } from './cloud-status.ts';
import { count, counted, dayTime, duration } from './format.ts';

/** A bar under a figure; from `low` on it is worth a look, from `high` on it is bad. */
interface Meter { value: number; max: number; low: number; high: number }
export interface HealthRow { name: string; value: string; note: string | null; bad: boolean; meter: Meter | null }

const share = (value: number, max: number, { degraded, failing }: { degraded: number | null; failing: number | null }): Meter => ({ value: Math.min(value, max), max, low: max * (degraded ?? 1), high: max * (failing ?? 1) });

/** The machine's own measures. Nothing is judged here but plain facts (the stream is connected or not): what is well stands in the health report, by the one table of thresholds that also gives the meters their marks. */
export function healthRows(status: MachineStatus, marketTime: number | null, size: MachineSize): HealthRow[] {
  const { market, process, outbox } = status;
  const row = (name: string, value: string, note: string | null = null, over: Partial<HealthRow> = {}): HealthRow => ({ name, value, note, bad: false, meter: null, ...over });
  const time = marketTime ?? market.time;
  return [
    row('Market time', dayTime(time, true), market.rate === 1 ? 'UTC' : `UTC, ×${count(market.rate)}`),
    row('Stream', market.connected ? 'connected' : 'not connected', counted(market.symbols, 'symbol'), { bad: !market.connected }),
    row('Candles', count(market.candles), market.lastCloseAt === null ? 'none closed yet' : `last close ${dayTime(market.lastCloseAt)}`),
    row('Memory', `${process.rssMb.toFixed(0)} MB`, `of ${count(size.memoryMb)} MB`, { meter: share(process.rssMb, size.memoryMb, HEALTH_MEASURES.memoryUsed) }),
    row('CPU', `${process.cpuPercent.toFixed(1)} %`, sizeName(size).split(' ')[0] ?? null, { meter: share(process.cpuPercent, 100 * size.cpus, HEALTH_MEASURES.cpuUsed) }),
    row('Outbox', outbox.rows === 0 ? 'empty' : counted(outbox.rows, 'row'), outbox.rows === 0 ? 'all is stored' : `oldest ${duration(outbox.oldestMs)}`),
    ...(status.scaling === undefined || status.scaling.state === 'unknown' ? [] : [row('Size', { fits: 'fits', wants: 'another would suit', capped: 'more is wanted', asked: 'another was asked for' }[status.scaling.state], status.scaling.sentence)]),
    row('Up', duration(process.uptimeS * 1_000), `version ${status.version}`),
    ...(market.halted.length === 0 ? [] : [row('Halted', market.halted.slice(0, 5).join(', '), market.halted.length > 5 ? `and ${market.halted.length - 5} more` : null, { bad: true })]),
  ];
}

/** What the page knows of a machine's health: its own word while its feed is live, else its last report and whether it reports at all. */
export function healthOf(machine: MachineView, feed: FeedView, now: number): HealthReport | undefined {
  if (feed.state.phase === 'live') return feed.status?.health;
  return healthFromOutside(machine.status?.health ?? feed.status?.health, machine.beatAt === null ? null : Date.parse(machine.beatAt), now);
}

export const STATE_TONES: Readonly<Record<HealthState, Tone>> = { healthy: 'good', degraded: 'warn', failing: 'bad' };
export const STATE_LABELS: Readonly<Record<HealthState, string>> = { healthy: 'Healthy', degraded: 'Degraded', failing: 'Failing' };

export interface HealthSummary { state: HealthState; sentence: string; /** The worst first. */ unwell: ComponentHealth[]; well: ComponentHealth[] }

/** What is not well, each with its sentence; what is well, in one. */
export function healthSummary({ state, components }: HealthReport): HealthSummary {
  const order: readonly HealthState[] = ['failing', 'degraded'];
  const unwell = order.flatMap((one) => components.filter((component) => component.state === one));
  const well = components.filter((component) => component.state === 'healthy');
  const sentence = unwell.length === 0 ? (well.length === 0 ? 'Nothing has been measured yet.' : `All is well (${counted(well.length, 'part')}).`) : `${unwell.length} of ${components.length} parts ${unwell.length === 1 ? 'is' : 'are'} not well.`;
  return { state, sentence, unwell, well };
}

/** How the process before this one ended, for its user. */
export function crashView(crash: CrashReport, now: number): { title: string; when: string; sentence: string; log: string[] } {
  const title = CRASH_KINDS[crash.kind];
  const said = crash.message.startsWith(title) ? crash.message.slice(title.length).trim() : crash.message;
  return {
    title, when: `${duration(now - Date.parse(crash.at))} ago, after ${duration(crash.uptimeS * 1_000)}`,
    sentence: [said, crash.nextStep].filter(Boolean).join(' '),
    log: crash.log.map(({ at, level, message }) => `${dayTime(at, true)} ${level.padEnd(5)} ${message}`),
  };
}
