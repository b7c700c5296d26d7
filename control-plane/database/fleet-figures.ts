import { FINDING_KINDS, ROLLED_STATES, ROLLOUT_STATES } from '@trademind/core';
import { z } from 'zod';
import { createSecretDatabase, type SecretOptions } from './call.ts';

const Counts = <K extends string>(names: readonly [K, ...K[]] | readonly K[]) => z.partialRecord(z.enum(names as readonly [K, ...K[]]), z.number());

/** The fleet in numbers, the same whichever replica asks. `succeededAt`: seconds since 1970, 0 = never; `listed` and `known`: of the last sweep that ended, unless it broke off. */
const FleetFigures = z.object({
  sweep: z.object({ succeededAt: z.number(), listed: z.number().nullable(), known: z.number().nullable(), halted: z.boolean(), halts: z.number() }),
  findings: Counts(FINDING_KINDS),
  abandoned: z.number(),
  contract: z.object({ waiting: z.number(), underWay: z.number(), late: z.number(), ready: z.number(), halted: z.boolean() }),
  rollouts: Counts(ROLLOUT_STATES),
  underWay: z.array(z.object({ environment: z.string(), state: z.enum(ROLLOUT_STATES), wave: z.number(), machines: Counts(ROLLED_STATES) })),
});
export type FleetFigures = z.infer<typeof FleetFigures>;

/** Throws DatabaseError. A scrape is not kept waiting for long. */
export function createReadFleetFigures(options: SecretOptions): () => Promise<FleetFigures> {
  const { call } = createSecretDatabase({ timeoutMs: 3_000, ...options });
  return () => call(FleetFigures, 'fleet_figures', {});
}
