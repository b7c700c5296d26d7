import * as z from 'zod/mini';
import { page } from './api.ts';

const Count = z.record(z.string(), z.int());

export const FINDING_KINDS = ['differs', 'double', 'missing', 'orphan', 'foreign'] as const;
/** Something that is not as it should be. `abandonedAt`: nothing more is tried; a person must see to it. */
export const FleetFinding = z.object({
  kind: z.enum(FINDING_KINDS),
  /** Fly's machine id; of what is missing, the machine's own id. */
  subject: z.string(),
  machineId: z.nullable(z.string()),
  app: z.nullable(z.string()),
  region: z.nullable(z.string()),
  why: z.string(),
  looks: z.int(),
  firstSeenAt: z.string(),
  lastSeenAt: z.string(),
  attempts: z.int(),
  lastError: z.nullable(z.string()),
  abandonedAt: z.nullable(z.string()),
});
export type FleetFinding = z.infer<typeof FleetFinding>;
/** GET /v1/fleet/findings. */
export const FleetFindingPage = page(FleetFinding);

/** GET /v1/fleet: all machines at a glance, and what the sweep found. */
export const Fleet = z.object({
  machines: z.int(),
  phases: Count,
  regions: Count,
  images: z.array(z.object({ image: z.string(), version: z.nullable(z.string()), machines: z.int() })),
  /** Machines that screen by what was last known, and have not reported for 150 s. */
  silent: z.int(),
  /** Machines by the code of what is wrong with them. */
  troubles: Count,
  sweep: z.object({
    last: z.nullable(z.record(z.string(), z.unknown())),
    nextAt: z.string(),
    /** Why nothing is removed until an operator has looked; null = all is usual. */
    halted: z.nullable(z.looseObject({ code: z.string(), message: z.string() })),
    allowed: z.int(),
  }),
  /** What all machines are given (MACHINE_ENV, addresses, the publishable key, …), since when, and how many have it: those that work take it in turns. */
  contract: z.object({
    since: z.string(),
    /** Their turn has not come. */
    waiting: z.int(),
    underWay: z.int(),
    /** It was their turn, and they did not become ready. */
    late: z.int(),
    ready: z.int(),
    /** Why nobody's turn comes, and some of the machines that did not become ready; null = they go on. */
    halted: z.nullable(z.looseObject({ code: z.string(), message: z.string(), machines: z.array(z.string()) })),
  }),
  /** How many findings there are of each kind. */
  found: Count,
  /** The 200 oldest, those that were given up first; all: GET /v1/fleet/findings. */
  findings: z.array(FleetFinding),
  /** The last 50. `by`: the operator who ordered it; null: nobody did. */
  events: z.array(z.object({ at: z.string(), kind: z.string(), message: z.string(), by: z.nullable(z.string()) })),
});
export type Fleet = z.infer<typeof Fleet>;

/** POST /v1/fleet/sweep: so many orphans may be removed, and a sweep is due now. */
export const SweepRequest = z.strictObject({ orphans: z._default(z.int().check(z.gte(0), z.lte(1_000_000)), 0) });
