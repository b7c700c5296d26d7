import * as z from 'zod/mini';
import { MachineSize, coresOf, monthlyPrice, sizeName, sizeProblem } from './sizing.ts';

/** Nothing is asked for twice within so many ms: a change of size restarts the machine. */
export const SCALE_COOLDOWN_MS = 300_000;

/**
 * How full of CPU work a machine may be, as shares of what it may use for long. `full`: from here on it is too small; `pressed`: the same, where
 * it also falls behind; `target`: how full the next one shall be; `calm`: a smaller one is asked for only if it would be no fuller than this.
 * calm < target < full and calm < pressed, so that no steady load makes it go to and fro.
 */
export const SCALE_POLICIES = {
  thrifty: { full: 0.95, target: 0.85, pressed: 0.7, calm: 0.6 },
  balanced: { full: 0.85, target: 0.7, pressed: 0.6, calm: 0.5 },
  roomy: { full: 0.7, target: 0.5, pressed: 0.45, calm: 0.3 },
} as const;
export type ScalePolicyName = keyof typeof SCALE_POLICIES;

const Purchasable = MachineSize.check(z.refine((size) => sizeProblem(size) === null && size.cpus <= 8, 'a size that can be bought, of at most 8 vCPUs'));

interface Bounds { smallest: MachineSize; largest: MachineSize }
const inOrder = ({ smallest, largest }: Bounds): boolean => coresOf(smallest) <= coresOf(largest) && smallest.memoryMb <= largest.memoryMb;
const ORDER = 'the smallest size gives no more than the largest';

/** What a user sets for the size of their machine; what is left out is as if nobody had said anything: judged, and nothing changed by itself. */
export const ScaleSettings = z.strictObject({
  automatic: z.boolean(),
  policy: z.enum(Object.keys(SCALE_POLICIES) as [ScalePolicyName, ...ScalePolicyName[]]),
  /** Absent: whatever the plan has. */
  bounds: z.optional(z.strictObject({ smallest: Purchasable, largest: Purchasable }).check(z.refine(inOrder, ORDER))),
});
export type ScaleSettings = z.infer<typeof ScaleSettings>;

/** GET /v1/machine/scale: the machine's size, and what its user allows. */
export const ScaleTerms = z.object({
  size: MachineSize,
  region: z.string(),
  /** The wish that this answers to: a request names it, so that one made for an older wish is refused. */
  generation: z.int(),
  /** False: the load is judged and said, and nothing is asked for. */
  automatic: z.boolean(),
  policy: z.enum(Object.keys(SCALE_POLICIES) as [ScalePolicyName, ...ScalePolicyName[]]),
  bounds: z.object({ smallest: Purchasable, largest: Purchasable }).check(z.refine(inOrder, ORDER)),
  /** Most that the machine may cost in 30 days; null: no limit. */
  budgetUsd: z.nullable(z.number().check(z.gt(0))),
});
export type ScaleTerms = z.infer<typeof ScaleTerms>;

/** What was measured, over which time: the grounds of a request. Shares are of 1. */
export const ScaleEvidence = z.object({
  /** Wall time, ms. */
  from: z.int(),
  to: z.int(),
  samples: z.int().check(z.gte(1)),
  /** CPU used and withheld by the host, in cores, and what the size gives for long. */
  cpuCores: z.number(),
  deniedCores: z.number(),
  givenCores: z.number(),
  passShare: z.number(),
  workerUse: z.number(),
  candleLagMs: z.number(),
  loopDelayMs: z.number(),
  tradersShed: z.number(),
  /** Most memory that was in use, MB. */
  rssMb: z.number(),
  /** A memory (MB) that lately proved too little: the process ran out of it. */
  outOfMemoryMb: z.nullable(z.number()),
});
export type ScaleEvidence = z.infer<typeof ScaleEvidence>;

export const ScaleReason = z.object({ code: z.enum(['cpu_full', 'falls_behind', 'memory_full', 'out_of_memory', 'cpu_idle', 'memory_idle', 'outside_bounds']), sentence: z.string() });
export type ScaleReason = z.infer<typeof ScaleReason>;

/** POST /v1/machine/scale: another size is asked for, with its grounds. */
export const ScaleRequest = z.strictObject({
  generation: z.int(),
  from: MachineSize,
  to: MachineSize,
  direction: z.enum(['up', 'down']),
  reasons: z.array(ScaleReason).check(z.minLength(1)),
  /** All of it in one sentence for people. */
  sentence: z.string(),
  evidence: ScaleEvidence,
  price: z.object({ fromUsd: z.nullable(z.number()), toUsd: z.nullable(z.number()), differenceUsd: z.nullable(z.number()), pricesReadAt: z.string() }),
});
export type ScaleRequest = z.infer<typeof ScaleRequest>;

/** What the control plane says to a request. `deferred`: ask again later. */
export const ScaleAnswer = z.object({ decision: z.enum(['accepted', 'refused', 'deferred']), code: z.string(), message: z.string(), retryAfterS: z.optional(z.number()) });
export type ScaleAnswer = z.infer<typeof ScaleAnswer>;

/** What a machine says of its size. */
export const ScaleAdvice = z.object({
  /** `unknown`: too little was measured; `fits`; `wants`: another size would suit, `to` says which; `capped`: it would want more than its user allows; `asked`: it has asked, and `answer` came. */
  state: z.enum(['unknown', 'fits', 'wants', 'capped', 'asked']),
  sentence: z.string(),
  at: z.int(),
  to: z.optional(MachineSize),
  answer: z.optional(ScaleAnswer),
});
export type ScaleAdvice = z.infer<typeof ScaleAdvice>;

/** Why a size is not allowed by these terms, in words; null when it is. Machine and control plane judge by this one function. */
export function termsProblem(size: MachineSize, { bounds: { smallest, largest }, budgetUsd, region }: Pick<ScaleTerms, 'bounds' | 'budgetUsd' | 'region'>): string | null {
  const wrong = sizeProblem(size);
  if (wrong !== null) return `Fly has no such size: ${wrong}.`;
  if (size.cpus > 8) return 'A machine has 1 to 8 vCPUs.';
  if (coresOf(size) > coresOf(largest) || size.memoryMb > largest.memoryMb) return `${sizeName(size)} is more than the largest size allowed, ${sizeName(largest)}.`;
  if (coresOf(size) < coresOf(smallest) || size.memoryMb < smallest.memoryMb) return `${sizeName(size)} is less than the smallest size allowed, ${sizeName(smallest)}.`;
  if (budgetUsd === null) return null;
  const price = monthlyPrice(size, region);
  if (price === null) return `The price of ${region} is not known, so that the budget cannot be kept.`;
  return price > budgetUsd ? `${sizeName(size)} costs $${price.toFixed(2)} a month, more than the budget of $${budgetUsd.toFixed(2)}.` : null;
}
