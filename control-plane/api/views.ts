import { MachineStatus, TraderDocument, firstIssue, isReachable, monthlyPrice, type MachineEvent, type MachineView, type PriceTable, type Trader } from '@trademind/core';
import { CPU_KINDS } from '@trademind/core';
import type { EventRow, MachineRow, TraderRow } from '../database/rows.ts';

const iso = (time: string) => new Date(time).toISOString();

/** A row as its user sees it. `prices`: of today; null: not known, and none is told. */
export function machineView(row: MachineRow, prices: PriceTable | null): MachineView {
  const desired = { cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb };
  const kind = CPU_KINDS.find((known) => known === row.cpu_kind);
  // a machine of another version may say what this one does not know: then nothing is shown rather than something wrong
  const status = MachineStatus.safeParse(row.status);
  const { last_error: error } = row;
  return {
    id: row.id,
    userId: row.user_id,
    environment: row.environment,
    generation: row.generation,
    observedGeneration: row.observed_generation,
    desired: { state: row.desired_state, region: row.desired_region, size: desired, image: row.desired_image },
    phase: row.phase,
    phaseSince: iso(row.phase_since),
    // what the machine itself says is newer than what was last seen from outside
    detail: status.success && isReachable(row.phase) ? status.data.detail : row.phase_detail,
    app: row.fly_app,
    flyMachineId: row.fly_machine_id,
    region: row.region,
    size: kind !== undefined && row.cpus !== null && row.memory_mb !== null ? { cpuKind: kind, cpus: row.cpus, memoryMb: row.memory_mb } : null,
    image: row.image,
    url: row.url,
    feed: row.url === null ? null : feedUrl(row.url),
    health: row.url === null ? null : `${row.url}/health`,
    monthlyPriceUsd: prices === null ? null : monthlyPrice(desired, row.desired_region, 1, prices),
    status: status.success ? status.data : null,
    beatAt: row.beat_at === null ? null : iso(row.beat_at),
    lastError: error === null ? null : { code: error.code, message: error.message, ...(error.nextStep === undefined ? {} : { nextStep: error.nextStep }), at: error.at },
    createdAt: iso(row.created_at),
    updatedAt: iso(row.updated_at),
  };
}

/** The WebSocket of a machine at this base URL. */
export const feedUrl = (url: string): string => `${url.replace(/^http/, 'ws')}/v1/feed`;

export function eventView(row: EventRow): MachineEvent {
  return { id: row.id, machineId: row.machine_id, at: iso(row.at), kind: row.kind, message: row.message, data: row.data, generation: row.generation };
}

/** One that another program wrote may be no trader: it is shown as such, and hides nobody. */
export function traderView(row: TraderRow): Trader {
  const read = TraderDocument.safeParse(row.document);
  const issue = read.success ? null : firstIssue(read.error);
  return {
    id: row.id, name: row.name, version: row.version, enabled: row.enabled, document: read.data ?? null,
    problem: issue === null ? null : `Its document cannot be read${issue.path.length > 0 ? ` at ${issue.path.join('.').slice(0, 100)}` : ''}: ${issue.detail.slice(0, 200)}`,
    createdAt: iso(row.created_at), updatedAt: iso(row.updated_at),
  };
}
