import type { PriceTable } from '@trademind/core';
import { z } from 'zod';
import type { Rpc } from './rpc.ts';

const TokenRow = z.object({ id: z.uuid(), user_id: z.uuid(), name: z.string(), scopes: z.array(z.string()), created_at: z.string(), expires_at: z.string(), last_used_at: z.string().nullable() });
export type TokenRow = z.infer<typeof TokenRow>;
const TokenOwner = z.object({ id: z.uuid(), user_id: z.uuid(), scopes: z.array(z.string()), expires_at: z.string(), email: z.string().nullable(), role: z.string().nullable() });
export type TokenOwner = z.infer<typeof TokenOwner>;

export const CostRow = z.object({
  machine_id: z.uuid(), day: z.string(), kind: z.enum(['compute', 'volume', 'egress', 'analysis']), region: z.string().nullable(), cpu_kind: z.string().nullable(), cpus: z.number().nullable(),
  memory_mb: z.number().nullable(), seconds: z.number(), usd: z.number(),
});
export const CostFacts = z.object({
  from: z.string(), to: z.string(), until: z.string(), rows: z.array(CostRow), spent_usd: z.number(), month_rate_usd: z.number(), forecast_usd: z.number(), prices_read_at: z.string(),
  budget: z.object({ monthly_usd: z.number(), action: z.enum(['notify', 'downsize', 'stop']), percent: z.number(), notices: z.array(z.object({ percent: z.number(), at: z.string() })) }).nullable(),
});
export type CostFacts = z.infer<typeof CostFacts>;

const BudgetNotice = z.object({ user_id: z.uuid(), percent: z.number(), action: z.string(), spent_usd: z.number(), budget_usd: z.number() });

const Prices = z.object({
  read_at: z.string(), shared_cpu: z.number(), performance_cpu: z.number(), extra_gb: z.number(), shared_included_mb: z.number(), performance_included_mb: z.number(), volume_gb: z.number(),
  region_factor: z.record(z.string(), z.number()),
}).transform((row): PriceTable => ({
  readAt: row.read_at, sharedCpu: row.shared_cpu, performanceCpu: row.performance_cpu, extraGb: row.extra_gb, includedMbPerCpu: { shared: row.shared_included_mb, performance: row.performance_included_mb },
  volumeGbMonth: row.volume_gb, regionFactor: row.region_factor,
}));

/** Tokens of scripts, money. All throw DatabaseError. */
export interface AccountDatabase {
  createToken(token: { userId: string; name: string; hash: string; scopes: readonly string[]; days: number }): Promise<TokenRow>;
  tokens(userId: string): Promise<TokenRow[]>;
  revokeToken(userId: string, id: string): Promise<boolean>;
  /** Null: nobody's, revoked or expired. */
  tokenByHash(hash: string): Promise<TokenOwner | null>;
  /** `month`: any day of it, `2026-11-01`. Null: the user has no such machine. */
  cost(userId: string, machineId: string | null, month: string | null): Promise<CostFacts | null>;
  setBudget(userId: string, budget: { monthlyUsd: number; action: string } | null): Promise<void>;
  /** Warns and acts where a budget is reached; resolves to the warnings given. */
  checkBudgets(limit: number): Promise<z.infer<typeof BudgetNotice>[]>;
  sweep(): Promise<void>;
  /** Of today. */
  prices(): Promise<PriceTable>;
  /** The public keys of tickets, for all machines; the same again changes nothing. */
  publishTicketKeys(jwks: unknown): Promise<void>;
}

export function createAccountDatabase(rpc: Rpc): AccountDatabase {
  return {
    createToken: ({ userId, name, hash, scopes, days }) => rpc(TokenRow, 'create_access_token', { p_user_id: userId, p_name: name, p_hash: hash, p_scopes: scopes, p_days: days }),
    tokens: (userId) => rpc(z.array(TokenRow), 'access_tokens_of', { p_user_id: userId }),
    revokeToken: (userId, id) => rpc(z.boolean(), 'revoke_access_token', { p_user_id: userId, p_id: id }),
    tokenByHash: (hash) => rpc(TokenOwner.nullable(), 'access_token_by_hash', { p_hash: hash }),
    cost: (userId, machineId, month) => rpc(CostFacts.nullable(), 'user_cost', { p_user_id: userId, p_machine_id: machineId, p_month: month }),
    async setBudget(userId, budget) {
      await rpc(z.null(), 'set_budget', { p_user_id: userId, p_monthly_usd: budget?.monthlyUsd ?? null, p_action: budget?.action ?? null });
    },
    checkBudgets: (limit) => rpc(z.array(BudgetNotice), 'check_budgets', { p_limit: limit }),
    async publishTicketKeys(jwks) { await rpc(z.number(), 'publish_ticket_keys', { p_jwks: jwks }); },
    prices: () => rpc(Prices, 'current_prices', {}),
    async sweep() { await rpc(z.null(), 'sweep_requests', {}); },
  };
}
