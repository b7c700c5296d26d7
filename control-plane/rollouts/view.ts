import { RolloutSettings, ROLLOUT_STATES } from '@trademind/core';
import { z } from 'zod';

const Health = z.object({
  machines: z.number(),
  /** Those that have said something since. */
  reporting: z.number(),
  errorsPerMinute: z.number().nullish(),
  failing: z.number(),
  /** Age of the newest candle, 95th percentile. */
  lagMs: z.number().nullish(),
  bootMs: z.number().nullish(),
  crashing: z.array(z.object({ machineId: z.string(), crashes: z.number() })),
});
/** How a group of machines fares. */
export type Health = z.infer<typeof Health>;

const UnderWay = z.object({
  machineId: z.string(),
  userId: z.string(),
  state: z.enum(['updating', 'reverting']),
  /** It ran well before it was taken: only then does its failure speak against the release. */
  counted: z.boolean(),
  /** Since when it is under way in this state (ms, the database's clock). */
  changedAt: z.number(),
  previousImage: z.string(),
  /** The generation of the wish that names the image. */
  generation: z.number(),
  desiredState: z.string(),
  desiredImage: z.string(),
  image: z.string().nullable(),
  phase: z.string(),
  observedGeneration: z.number(),
  lastError: z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable(),
  /** The reconciler gave the version up by itself, and why. */
  wentBack: z.boolean(),
  failure: z.string().nullable(),
  bootMs: z.number().nullable(),
  crashes: z.number(),
});
/** A machine that is being updated, or brought back. */
export type UnderWay = z.infer<typeof UnderWay>;

const Candidate = z.object({ machineId: z.string(), userId: z.string() });
export type Candidate = z.infer<typeof Candidate>;

/** All that the next step is planned from, as `claim_rollout` answers it. */
export const ClaimedRollout = z.object({
  id: z.string(),
  fence: z.number(),
  state: z.enum(ROLLOUT_STATES),
  wave: z.number(),
  settings: RolloutSettings,
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** The database's clock (ms). */
  now: z.number(),
  waveSettledAt: z.number().nullable(),
  version: z.string(),
  image: z.string(),
  /** Machines not reached yet, and the next of them: of each user one, none of a user who has a machine under way. */
  waiting: z.number(),
  candidates: z.array(Candidate),
  counts: z.partialRecord(z.enum(['updating', 'healthy', 'failed', 'left', 'reverting', 'reverted', 'stuck']), z.number()),
  /** Failures that speak against the release, and why the latest happened. */
  failed: z.number(),
  failures: z.array(z.string().nullable()),
  underWay: z.array(UnderWay),
  toRevert: z.array(Candidate),
  updated: Health,
  /** The machines on other versions now, and how all of them fared at the start. */
  others: Health,
  baseline: Health.partial(),
});
export type ClaimedRollout = z.infer<typeof ClaimedRollout>;
