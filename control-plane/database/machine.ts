import { CPU_KINDS, DESIRED_STATES, MACHINE_PHASES, type MachineSize } from '@trademind/core';
import { z } from 'zod';
import { SecretOwner } from './rows.ts';
import type { Rpc } from './rpc.ts';

/** All by which a request for another size is judged. */
export const ScaleFacts = z.object({
  generation: z.number(),
  observed_generation: z.number(),
  desired_state: z.enum(DESIRED_STATES),
  phase: z.enum(MACHINE_PHASES),
  region: z.string(),
  cpu_kind: z.enum(CPU_KINDS),
  cpus: z.number(),
  memory_mb: z.number(),
  since_scaled_s: z.number().nullable(),
  scaling: z.unknown(),
  vcpus_left: z.number(),
  performance: z.boolean(),
  budget_left_usd: z.number().nullable(),
});
export type ScaleFacts = z.infer<typeof ScaleFacts>;

const Scaled = z.object({ done: z.boolean(), code: z.string().optional(), message: z.string().optional() });

/** Whether a call of a model may begin; if not, why, and when to ask again. `per`: the limit is one of a minute or a day, or of the plan. */
export const CallPermit = z.discriminatedUnion('granted', [
  z.object({ granted: z.literal(true) }),
  z.object({ granted: z.literal(false), code: z.string(), message: z.string(), per: z.enum(['minute', 'day', 'never']), retry_after_s: z.number().optional() }),
]);
export type CallPermit = z.infer<typeof CallPermit>;

/** What the control plane does in the name of a machine. All throw DatabaseError. */
export interface MachineDatabase {
  /** Null: nobody's, or revoked. */
  bySecret(hash: string): Promise<SecretOwner | null>;
  byToken(token: { machineId: string; userId: string; epoch: number }): Promise<SecretOwner | null>;
  scaleFacts(machineId: string): Promise<ScaleFacts | null>;
  /** Throws `quota_…` and `budget_…` (403). */
  scale(machineId: string, wish: { generation: number; size: MachineSize; cooldownS: number; message: string; data: Record<string, unknown> }): Promise<z.infer<typeof Scaled>>;
  noteScaleRefusal(machineId: string, refusal: { kind: string; code: string; message: string; data: Record<string, unknown> }): Promise<void>;
  beginCall(call: { id: string; machineId: string; userId: string; model: string; nanoUsd: number; perMinute: number }): Promise<CallPermit>;
  endCall(id: string, end: { status: number; tokensIn: number | null; tokensOut: number | null; nanoUsd: number | null }): Promise<boolean>;
}

export function createMachineDatabase(rpc: Rpc): MachineDatabase {
  return {
    bySecret: (hash) => rpc(SecretOwner.nullable(), 'machine_by_secret', { p_hash: hash }),
    byToken: ({ machineId, userId, epoch }) => rpc(SecretOwner.nullable(), 'machine_by_token', { p_machine_id: machineId, p_user_id: userId, p_epoch: epoch }),
    scaleFacts: (machineId) => rpc(ScaleFacts.nullable(), 'scale_facts', { p_machine_id: machineId }),
    scale: (machineId, { generation, size, cooldownS, message, data }) => rpc(Scaled, 'scale_machine', {
      p_machine_id: machineId, p_generation: generation, p_size: size, p_cooldown_s: cooldownS, p_message: message, p_data: data,
    }),
    async noteScaleRefusal(machineId, { kind, code, message, data }) {
      await rpc(z.null(), 'note_scale_refusal', { p_machine_id: machineId, p_kind: kind, p_code: code, p_message: message, p_data: data });
    },
    beginCall: ({ id, machineId, userId, model, nanoUsd, perMinute }) => rpc(CallPermit, 'begin_gemini_call', {
      p_id: id, p_machine_id: machineId, p_user_id: userId, p_model: model, p_nano_usd: nanoUsd, p_per_minute: perMinute,
    }),
    endCall: (id, { status, tokensIn, tokensOut, nanoUsd }) => rpc(z.boolean(), 'end_gemini_call', {
      p_id: id, p_status: status, p_tokens_in: tokensIn, p_tokens_out: tokensOut, p_nano_usd: nanoUsd,
    }),
  };
}
