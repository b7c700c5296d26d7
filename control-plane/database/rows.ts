import { CPU_KINDS, DESIRED_STATES, MACHINE_PHASES } from '@trademind/core';
import { z } from 'zod';

const time = z.string();

/** What a machine could not do, as its user reads it. */
export const LastError = z.object({ code: z.string(), message: z.string(), nextStep: z.string().optional(), at: time });
export type LastError = z.infer<typeof LastError>;

const size = z.object({ cpuKind: z.enum(CPU_KINDS), cpus: z.number(), memoryMb: z.number() });

/** A place and size for a machine. */
export const Place = size.extend({ region: z.string() });
export type Place = z.infer<typeof Place>;

/** A place that was tried and had no room. */
export const Tried = Place.extend({ at: time, why: z.string() });
export type Tried = z.infer<typeof Tried>;

/** A version that was ready: what a failed one goes back to. `contract`: what all machines were given then. */
export const GoodVersion = Place.extend({ image: z.string(), env: z.record(z.string(), z.string()), configHash: z.string(), envHash: z.string().optional(), contract: z.string().optional(), at: time });
export type GoodVersion = z.infer<typeof GoodVersion>;

/** How a version failed: what its user reads, how its last run ended, its last words. */
export const Failure = z.object({
  code: z.string(), message: z.string(), nextStep: z.string().optional(), at: time, exitCode: z.number().nullable(), oomKilled: z.boolean(), logs: z.array(z.string()),
});
export type Failure = z.infer<typeof Failure>;

/** A write of which nobody knows whether it happened. */
export const Doubt = z.object({ kind: z.string(), at: time });
export type Doubt = z.infer<typeof Doubt>;

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
  desired_env: z.record(z.string(), z.string()),
  desired_regions: z.array(z.string()),
  desired_sizes: z.array(size),
  desired_restart: z.number(),
  desired_secret: z.number(),
  wished_at: time,
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
  placed: Place.nullable(),
  tried: z.array(Tried),
  placement: z.number(),
  good: GoodVersion.nullable(),
  failed_generation: z.number(),
  failure: Failure.nullable(),
  config_sent_at: time.nullable(),
  secret_version: z.number(),
  secret_oldest: z.number(),
  doubt: Doubt.nullable(),
  unreachable_since: time.nullable(),
  drain_until: time.nullable(),
  drain_reason: z.string().nullable(),
  /** It is its turn to take what all machines are given: this contract. */
  contract_turn: z.string().nullable(),
  /** The database's clock when the present lease was taken. */
  claimed_at: time.nullable(),
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
  'region' | 'cpu_kind' | 'cpus' | 'memory_mb' | 'image' | 'url' | 'last_error' | 'attempts' | 'placed' | 'tried' | 'placement' | 'good' | 'failed_generation' |
  'failure' | 'config_sent_at' | 'secret_version' | 'secret_oldest' | 'doubt' | 'unreachable_since' | 'drain_until' | 'drain_reason'>>;

/** Something that happened, in a human sentence. */
export interface NewEvent { kind: string; message: string; data?: Record<string, unknown> }

/** A secret that a machine may hold from now on: SHA-256 (hex), and which of its secrets it is. */
export interface NewSecret { hash: string; version: number }

/** What may be wished. */
export type DesiredPatch = Partial<Pick<MachineRow,
  'desired_state' | 'desired_region' | 'desired_cpu_kind' | 'desired_cpus' | 'desired_memory_mb' | 'desired_image' | 'desired_env' | 'desired_regions' | 'desired_sizes' |
  'desired_restart' | 'desired_secret'>>;

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
