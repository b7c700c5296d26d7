import { z } from 'zod';
import type { Rpc } from './rpc.ts';

/** The plan that holds for a user; `own` is false for whoever is on the default. */
export const PlanRow = z.object({
  name: z.string(),
  title: z.string(),
  machines: z.number(),
  vcpus: z.number(),
  regions: z.number(),
  performance: z.boolean(),
  traders: z.number(),
  analyses_per_day: z.number(),
  analyses_per_minute: z.number(),
  analyses_at_once: z.number(),
  analyses_nano_usd_per_day: z.number(),
  own: z.boolean(),
  used: z.object({ machines: z.number(), vcpus: z.number(), regions: z.number(), traders: z.number() }),
});
export type PlanRow = z.infer<typeof PlanRow>;

/** All throw DatabaseError. */
export interface PlansDatabase {
  of(userId: string): Promise<PlanRow>;
  /** Null: the default. Throws `plan_unknown` (422), `user_not_found` (404). */
  set(userId: string, plan: string | null): Promise<PlanRow>;
  setDefault(plan: string): Promise<void>;
}

export function createPlansDatabase(rpc: Rpc): PlansDatabase {
  return {
    of: (userId) => rpc(PlanRow, 'user_plan', { p_user_id: userId }),
    set: (userId, plan) => rpc(PlanRow, 'set_user_plan', { p_user_id: userId, p_plan: plan }),
    async setDefault(plan) { await rpc(z.null(), 'set_default_plan', { p_plan: plan }); },
  };
}
