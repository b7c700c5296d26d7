import * as z from 'zod/mini';
import { HealthReport } from './health.ts';
import { Interval } from './market.ts';
import { ScaleAdvice } from './scaling.ts';

/** How one trader fares on a machine: the answer to "why are there no signals?". */
export const TraderStatus = z.object({
  id: z.uuid(),
  name: z.string(),
  version: z.int(),
  interval: Interval,
  /** `invalid`: its expressions do not compile; `paused`: it gave far more than its limits; `shed`: it waits because there is more to screen than time; `error` says why. */
  state: z.enum(['running', 'shed', 'paused', 'invalid']),
  error: z.optional(z.string()),
  /** Symbols in its universe, those whose indicators have settled, those on which it holds now. */
  symbols: z.int(),
  ready: z.int(),
  matching: z.int(),
  /** Matches on candles that closed after this instant (ms, market time) were found in backfill and are marked `history`. */
  historyFrom: z.int(),
  /** Matches on candles that closed after this instant (ms, market time) are live. */
  liveFrom: z.int(),
  signals: z.object({ live: z.int(), history: z.int() }),
});
export type TraderStatus = z.infer<typeof TraderStatus>;

/** What a machine says of itself, on its feed, at `/v1/status` and with every beat. */
export const MachineStatus = z.object({
  phase: z.enum(['booting', 'backfilling', 'screening', 'draining']),
  /** A sentence: what it is doing or waiting for. */
  detail: z.string(),
  /** Since when its user has paused it (ms of wall time): no candle is screened until it is resumed. */
  pausedAt: z.optional(z.int()),
  bootId: z.string(),
  version: z.string(),
  startedAt: z.int(),
  market: z.object({
    /** Market time now (ms) and how many seconds of it pass in a second of wall time. */
    time: z.int(),
    rate: z.number(),
    connected: z.boolean(),
    symbols: z.int(),
    /** Series (symbol × interval) whose history has been fetched, and how many there are. */
    backfilled: z.object({ done: z.int(), total: z.int() }),
    /** Close time (ms, market time) of the last closed candle taken in. */
    lastCloseAt: z.nullable(z.int()),
    candles: z.int(),
    halted: z.array(z.string()),
  }),
  traders: z.array(TraderStatus),
  outbox: z.object({ rows: z.int(), oldestMs: z.int() }),
  /** The analysis of signals: how many wait, what is used up today (UTC); absent from a machine of a version that did not say it. */
  analysis: z.optional(z.object({
    waiting: z.int(), running: z.int(), model: z.nullable(z.string()),
    today: z.object({ day: z.string(), calls: z.int(), tokens: z.int(), usd: z.number() }),
    /** What may be used up in a day; tokens: null where only money is limited. Absent from a machine of a version that did not say it. */
    caps: z.optional(z.object({ tokensPerDay: z.nullable(z.number()), usdPerDay: z.number() })),
  })),
  process: z.object({ rssMb: z.number(), cpuPercent: z.number(), uptimeS: z.number() }),
  /** What is wrong, each with a code and a sentence; empty when all is well. */
  problems: z.array(z.object({ code: z.string(), message: z.string() })),
  /** How its components fare; absent from a machine of a version that did not say it. */
  health: z.optional(HealthReport),
  /** What its load says of its size; absent where nobody could change it. */
  scaling: z.optional(ScaleAdvice),
});
export type MachineStatus = z.infer<typeof MachineStatus>;

/** What a machine answers at `/ready`; `missing` names what it still waits for. */
export const Readiness = z.object({ ready: z.boolean(), missing: z.array(z.string()) });
export type Readiness = z.infer<typeof Readiness>;

/** What `machine_beat` answers: versions to reconcile against, and what is wished. */
export const BeatAnswer = z.object({
  generation: z.int(),
  desired_state: z.enum(['started', 'stopped', 'destroyed']),
  /** Changes whenever any of the user's traders does. */
  traders_etag: z.string(),
  /** Grow whenever the user's settings, the user's keys or the platform's keys of tickets change. */
  settings_version: z.int(),
  keys_version: z.int(),
  jwks_version: z.int(),
  /** The public keys that tickets are verified with; null while none were published: those of the machine's birth hold. */
  jwks: z.nullable(z.object({ keys: z.array(z.record(z.string(), z.unknown())) })),
  server_time: z.string(),
  drain: z.boolean(),
  /** Why, in words or as the wished state; null without a drain. */
  drain_reason: z.nullable(z.string()),
});
export type BeatAnswer = z.infer<typeof BeatAnswer>;
