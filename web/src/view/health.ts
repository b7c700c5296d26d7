import { sizeName, type MachineSize, type MachineStatus } from '@trademind/core';
import { count, counted, dayTime, duration } from './format.ts';

export interface HealthRow { name: string; value: string; note: string | null; bad: boolean; meter: { value: number; max: number } | null }

/**
 * The machine's own measures. Nothing is judged here but plain facts (the stream is connected or not): thresholds live with the machine,
 * which names what is wrong in `problems`.
 */
export function healthRows(status: MachineStatus, marketTime: number | null, size: MachineSize): HealthRow[] {
  const { market, process, outbox } = status;
  const row = (name: string, value: string, note: string | null = null, over: Partial<HealthRow> = {}): HealthRow => ({ name, value, note, bad: false, meter: null, ...over });
  const time = marketTime ?? market.time;
  return [
    row('Market time', dayTime(time, true), market.rate === 1 ? 'UTC' : `UTC, ×${count(market.rate)}`),
    row('Stream', market.connected ? 'connected' : 'not connected', counted(market.symbols, 'symbol'), { bad: !market.connected }),
    row('Candles', count(market.candles), market.lastCloseAt === null ? 'none closed yet' : `last close ${dayTime(market.lastCloseAt)}`),
    row('Memory', `${process.rssMb.toFixed(0)} MB`, `of ${count(size.memoryMb)} MB`, { meter: { value: process.rssMb, max: size.memoryMb } }),
    row('CPU', `${process.cpuPercent.toFixed(1)} %`, sizeName(size).split(' ')[0] ?? null, { meter: { value: Math.min(100, process.cpuPercent), max: 100 } }),
    row('Outbox', outbox.rows === 0 ? 'empty' : counted(outbox.rows, 'row'), outbox.rows === 0 ? 'all is stored' : `oldest ${duration(outbox.oldestMs)}`),
    row('Up', duration(process.uptimeS * 1_000), `version ${status.version}`),
    ...(market.halted.length === 0 ? [] : [row('Halted', market.halted.slice(0, 5).join(', '), market.halted.length > 5 ? `and ${market.halted.length - 5} more` : null, { bad: true })]),
  ];
}
