import { CPU_KINDS, DESIRED_STATES, MACHINE_PHASES } from '@trademind/core';
import { z } from 'zod';

const time = z.string();

/** What a machine could not do, as its user reads it. */
export const LastError = z.object({ code: z.string(), message: z.string(), nextStep: z.string().optional(), at: time });
export type LastError = z.infer<typeof LastError>;

/** A row of `machines`, parsed at the edge. Unknown columns are dropped. */
export const MachineRow = z.object({
  id: z.uuid(),
  user_id: z.uuid(),
  environment: z.string(),
  generation: z.number(),
  desired_state: z.enum(DESIRED_STATES),
  desired_region: z.string(),
  desired_cpu_kind: z.enum(CPU_KINDS),
  desired_cpus: z.number(),
  desired_memory_mb: z.number(),
  desired_image: z.string(),
  observed_generation: z.number(),
  phase: z.enum(MACHINE_PHASES),
  phase_since: time,
  phase_detail: z.string().nullable(),
  fly_app: z.string().nullable(),
  fly_machine_id: z.string().nullable(),
  fly_volume_id: z.string().nullable(),
  fly_instance_id: z.string().nullable(),
  fly_state: z.string().nullable(),
  region: z.string().nullable(),
  cpu_kind: z.string().nullable(),
  cpus: z.number().nullable(),
  memory_mb: z.number().nullable(),
  image: z.string().nullable(),
  url: z.string().nullable(),
  last_error: LastError.nullable(),
  token_epoch: z.number(),
  status: z.unknown(),
  beat_at: time.nullable(),
  fence: z.number(),
  attempts: z.number(),
  created_at: time,
  updated_at: time,
});
export type MachineRow = z.infer<typeof MachineRow>;

/** What the reconciler may write back of a machine. */
export type MachinePatch = Partial<Pick<MachineRow,
  'observed_generation' | 'phase' | 'phase_detail' | 'fly_app' | 'fly_machine_id' | 'fly_volume_id' | 'fly_instance_id' | 'fly_state' |
  'region' | 'cpu_kind' | 'cpus' | 'memory_mb' | 'image' | 'url' | 'last_error' | 'attempts'>>;

/** Something that happened, in a human sentence. */
export interface NewEvent { kind: string; message: string; data?: Record<string, unknown> }

/** What may be wished. */
export type DesiredPatch = Partial<Pick<MachineRow,
  'desired_state' | 'desired_region' | 'desired_cpu_kind' | 'desired_cpus' | 'desired_memory_mb' | 'desired_image'>>;

export const EventRow = z.object({
  id: z.number(),
  machine_id: z.uuid(),
  at: time,
  kind: z.string(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()),
  generation: z.number().nullable(),
});
export type EventRow = z.infer<typeof EventRow>;

export const MetricRow = z.object({
  at: time, seconds: z.number(), cpu_percent: z.number(), cpu_percent_max: z.number(), rss_mb: z.number(), rss_mb_max: z.number(), loop_ms_max: z.number().nullable(), lag_ms_max: z.number().nullable(),
  candles: z.number(), signals: z.number(), screening_ms: z.number(), outbox_rows_max: z.number(),
});
export type MetricRow = z.infer<typeof MetricRow>;

export const TraderRow = z.object({
  id: z.uuid(),
  name: z.string(),
  version: z.number(),
  enabled: z.boolean(),
  document: z.unknown(),
  created_at: time,
  updated_at: time,
});
export type TraderRow = z.infer<typeof TraderRow>;

/** Whose secret it is. */
export const SecretOwner = z.object({ machine_id: z.uuid(), user_id: z.uuid(), token_epoch: z.number() });
export type SecretOwner = z.infer<typeof SecretOwner>;
