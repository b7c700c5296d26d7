import * as z from 'zod/mini';
import { DESIRED_STATES, MACHINE_PHASES } from './machine.ts';
import { MachineSize } from './sizing.ts';
import { MachineStatus } from './status.ts';
import { FeedScope } from './ticket.ts';
import { Trader, TraderDocument } from './trader.ts';

const Region = z.string().check(z.regex(/^[a-z]{3}$/));
const Environment = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,19}$/));

/** POST /v1/machines: a wish for this user's machine in an environment. Asking again answers with the machine that is there. */
export const DeployRequest = z.strictObject({
  environment: z.optional(Environment),
  region: z.optional(Region),
  size: z.optional(MachineSize),
});
export type DeployRequest = z.infer<typeof DeployRequest>;

/** POST /v1/fleet/adopt: a machine that stands at Fly, and whose it shall be. Without region and size: as Fly shows it. */
export const AdoptRequest = z.strictObject({
  user: z.uuid(),
  environment: z.optional(Environment),
  app: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,62}$/)),
  /** Fly's id of the machine. */
  machine: z.string().check(z.regex(/^[0-9a-z]{1,64}$/)),
  region: z.optional(Region),
  size: z.optional(MachineSize),
});
export type AdoptRequest = z.infer<typeof AdoptRequest>;

const EnvName = z.string().check(z.regex(/^[A-Z][A-Z0-9_]{0,63}$/));
const EnvValue = z.string().check(z.regex(/^[ -~]{0,1000}$/));

/** PUT /v1/fleet/machines/{id}/env: all that this machine is given beside what every machine is. */
export const MachineEnvironmentWrite = z.strictObject({
  env: z.record(EnvName, EnvValue).check(z.refine((env) => JSON.stringify(env).length <= 12_000, 'has more than 12,000 characters in all')),
});

export const MachineEnvironment = z.object({ machineId: z.uuid(), generation: z.int(), env: z.record(z.string(), z.string()) });
export type MachineEnvironment = z.infer<typeof MachineEnvironment>;

/** PATCH /v1/machines/{id}: what is wished from now on; `If-Match` may name the generation it was read at. */
export const MachinePatch = z.strictObject({
  desired: z.optional(z.enum(['started', 'stopped'])),
  size: z.optional(MachineSize),
  region: z.optional(Region),
  /** Where else it may run, in order, when its region has no room; sizes that will do likewise. [] : nowhere else. */
  otherRegions: z.optional(z.array(Region).check(z.maxLength(16))),
  otherSizes: z.optional(z.array(MachineSize).check(z.maxLength(16))),
});
export type MachinePatch = z.infer<typeof MachinePatch>;

/** A machine as its user sees it: what is wished, what was observed, where it is. */
export const MachineView = z.object({
  id: z.uuid(),
  userId: z.uuid(),
  environment: z.string(),
  generation: z.int(),
  observedGeneration: z.int(),
  desired: z.object({ state: z.enum(DESIRED_STATES), region: z.string(), size: MachineSize, image: z.string() }),
  phase: z.enum(MACHINE_PHASES),
  phaseSince: z.string(),
  detail: z.nullable(z.string()),
  app: z.nullable(z.string()),
  flyMachineId: z.nullable(z.string()),
  region: z.nullable(z.string()),
  size: z.nullable(MachineSize),
  image: z.nullable(z.string()),
  /** Base URL of the machine; `feed` and `health` below it. null until its app exists. */
  url: z.nullable(z.string()),
  feed: z.nullable(z.string()),
  health: z.nullable(z.string()),
  monthlyPriceUsd: z.nullable(z.number()),
  status: z.nullable(MachineStatus),
  beatAt: z.nullable(z.string()),
  lastError: z.nullable(z.object({ code: z.string(), message: z.string(), nextStep: z.optional(z.string()), at: z.string() })),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type MachineView = z.infer<typeof MachineView>;

/** Something that happened to a machine, in a human sentence. `id` grows; SSE uses it as the event id, so that a watch resumes. */
export const MachineEvent = z.object({
  id: z.int(),
  machineId: z.uuid(),
  at: z.string(),
  kind: z.string(),
  message: z.string(),
  data: z.record(z.string(), z.unknown()),
  generation: z.nullable(z.int()),
});
export type MachineEvent = z.infer<typeof MachineEvent>;

/** A machine's load over a span that begins `at`: averages weighted by what was measured, and the worst. */
export const MachineMetric = z.object({
  at: z.string(), seconds: z.number(), cpuPercent: z.number(), cpuPercentMax: z.number(), rssMb: z.number(), rssMbMax: z.number(), loopMsMax: z.nullable(z.number()), lagMsMax: z.nullable(z.number()),
  candles: z.int(), signals: z.int(), screeningMs: z.number(), outboxRowsMax: z.int(),
});
export type MachineMetric = z.infer<typeof MachineMetric>;

/** A page of a list: its items, and the cursor of the next page (null: there is none). */
export const page = <T extends z.ZodMiniType>(item: T) => z.object({ items: z.array(item), next: z.nullable(z.string()) });
export const MachinePage = page(MachineView);
export const MachineEventPage = page(MachineEvent);
export const MachineMetricPage = page(MachineMetric);
export const TraderPage = page(Trader);

export const TicketRequest = z.strictObject({ scopes: z.optional(z.array(FeedScope)) });
export const TicketAnswer = z.object({ ticket: z.string(), expiresAt: z.string(), machineId: z.uuid(), url: z.string(), feed: z.string() });
export type TicketAnswer = z.infer<typeof TicketAnswer>;

export const TraderWrite = z.strictObject({ document: TraderDocument, enabled: z.optional(z.boolean()) });
export type TraderWrite = z.input<typeof TraderWrite>;

/** POST /v1/machine/token: a machine shows its secret (Authorization: Bearer) and gets a database token. */
export const MachineTokenAnswer = z.object({ token: z.string(), expiresAt: z.string(), machineId: z.uuid(), userId: z.uuid(), supabaseUrl: z.string() });
export type MachineTokenAnswer = z.infer<typeof MachineTokenAnswer>;
