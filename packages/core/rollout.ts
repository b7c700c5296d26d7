import * as z from 'zod/mini';

const Uuids = z.array(z.uuid()).check(z.maxLength(10_000));
/** Words for people; what no database takes as text is none. */
const words = (most: number) => z.string().check(z.minLength(1), z.maxLength(most), z.refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be text'));

/** What machines may run: an image by its digest. Registered by operators, never chosen by users. */
export const Release = z.object({
  id: z.uuid(),
  version: z.string(),
  image: z.string(),
  notes: z.nullable(z.string()),
  registeredBy: z.string(),
  registeredAt: z.string(),
  /** When the registry last showed the image. */
  verifiedAt: z.string(),
  withdrawnAt: z.nullable(z.string()),
  withdrawnReason: z.nullable(z.string()),
  /** Environments whose new machines get it; `*` = those without a release of their own. */
  currentIn: z.array(z.string()),
});
export type Release = z.infer<typeof Release>;

/** POST /v1/releases. */
export const ReleaseRequest = z.strictObject({
  version: z.string().check(z.regex(/^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$/)),
  image: z.string().check(z.maxLength(512), z.regex(/^[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$/, 'must be pinned by digest (registry/name@sha256:…): a tag moves')),
  notes: z.optional(words(2_000)),
});
export type ReleaseRequest = z.infer<typeof ReleaseRequest>;

/** How many machines are updated when a wave has ended: a number, or a share of all. Each wave counts those before it. */
const Wave = z.union([z.strictObject({ machines: z.int().check(z.gte(1), z.lte(1_000_000)) }), z.strictObject({ share: z.number().check(z.gt(0), z.lte(1)) })]);
export type Wave = z.infer<typeof Wave>;

/** What a release must not do worse than the version before it. A ratio counts only above its floor: twice nothing is nothing. */
export const RolloutGates = z.strictObject({
  /** Share of updated machines that may fail; in the canary none may. */
  failedShare: z._default(z.number().check(z.gte(0), z.lte(1)), 0.05),
  /** Ends against its will within the hour from which on a machine counts as failed. */
  crashes: z._default(z.int().check(z.gte(1), z.lte(100)), 2),
  /** A machine that does not say within so many seconds that it is ready has failed. */
  bootSeconds: z._default(z.int().check(z.gte(1), z.lte(7_200)), 600),
  bootRatio: z._default(z.number().check(z.gte(1), z.lte(100)), 2),
  bootFloorMs: z._default(z.int().check(z.gte(0)), 30_000),
  errorRatio: z._default(z.number().check(z.gte(1), z.lte(100)), 2),
  errorFloorPerMinute: z._default(z.number().check(z.gte(0)), 1),
  lagRatio: z._default(z.number().check(z.gte(1), z.lte(100)), 2),
  lagFloorMs: z._default(z.int().check(z.gte(0)), 15_000),
  /** Share of the updated that say of themselves that they fail, beyond the share among the others. */
  failingShare: z._default(z.number().check(z.gte(0), z.lte(1)), 0.1),
});
export type RolloutGates = z.infer<typeof RolloutGates>;

export const RolloutSettings = z.strictObject({
  /** The first wave is the canary; the last must be all. */
  waves: z._default(z.array(Wave).check(z.minLength(1), z.maxLength(20)), [{ machines: 1 }, { share: 0.05 }, { share: 0.25 }, { share: 1 }]),
  /** How long each wave is watched before the next. */
  pauseSeconds: z._default(z.int().check(z.gte(0), z.lte(86_400)), 600),
  /** Machines under way at once. */
  parallel: z._default(z.int().check(z.gte(1), z.lte(200)), 10),
  gates: z.prefault(RolloutGates, {}),
});
export type RolloutSettings = z.infer<typeof RolloutSettings>;

/** POST /v1/rollouts. Without an environment it is about all. */
export const RolloutRequest = z.strictObject({
  release: z.uuid(),
  environment: z.optional(z.string().check(z.regex(/^[a-z][a-z0-9-]{0,19}$/))),
  settings: z.prefault(RolloutSettings, {}),
  exclude: z.optional(z.strictObject({ users: z.optional(Uuids), machines: z.optional(Uuids) })),
});
export type RolloutRequest = z.infer<typeof RolloutRequest>;

export const ReleaseWithdrawal = z.strictObject({ reason: words(500) });
export const RolloutOrder = z.strictObject({ reason: z.optional(words(500)) });
/** `rollBack: false` ends it where it stands. */
export const RolloutAbort = z.strictObject({ reason: z.optional(words(500)), rollBack: z._default(z.boolean(), true) });
export const RolloutExclusion = z.strictObject({ users: z.optional(Uuids), machines: z.optional(Uuids) });

export const ROLLOUT_STATES = ['running', 'paused', 'rolling_back', 'succeeded', 'rolled_back', 'aborted'] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];
/** Of one machine in a rollout. `left`: it was stopped, destroyed or told something else meanwhile; `stuck`: it did not come back to the version before. */
export const ROLLED_STATES = ['updating', 'healthy', 'failed', 'left', 'reverting', 'reverted', 'stuck'] as const;
export type RolledState = (typeof ROLLED_STATES)[number];

/** A rollout as an operator sees it. */
export const RolloutView = z.object({
  id: z.uuid(),
  environment: z.nullable(z.string()),
  release: z.object({ id: z.uuid(), version: z.string(), image: z.string() }),
  settings: RolloutSettings,
  state: z.enum(ROLLOUT_STATES),
  wave: z.int(),
  /** Why it halted, was paused or ended, with the figures that decided. */
  reason: z.nullable(z.looseObject({ code: z.string(), message: z.string() })),
  counts: z.partialRecord(z.enum(ROLLED_STATES), z.int()),
  excluded: z.object({ users: z.int(), machines: z.int() }),
  startedBy: z.string(),
  createdAt: z.string(),
  finishedAt: z.nullable(z.string()),
});
export type RolloutView = z.infer<typeof RolloutView>;

/** GET /v1/rollouts/{id}: what happened, and what became of the machines that did not simply succeed. */
export const RolloutReport = z.extend(RolloutView, {
  baseline: z.record(z.string(), z.unknown()),
  /** Whether there are more than are told: the newest 500 of each are. */
  truncated: z.object({ events: z.boolean(), machines: z.boolean() }),
  events: z.array(z.object({ at: z.string(), kind: z.string(), message: z.string(), data: z.record(z.string(), z.unknown()) })),
  machines: z.array(z.object({
    machineId: z.string(), userId: z.string(), wave: z.int(), state: z.enum(ROLLED_STATES), reason: z.nullable(z.string()), bootMs: z.nullable(z.int()), takenAt: z.string(), changedAt: z.string(),
  })),
});
export type RolloutReport = z.infer<typeof RolloutReport>;

export const ReleasePage = z.object({ items: z.array(Release), next: z.nullable(z.string()) });
export const RolloutPage = z.object({ items: z.array(RolloutView), next: z.nullable(z.string()) });
