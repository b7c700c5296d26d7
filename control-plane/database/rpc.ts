import { createClient } from '@supabase/supabase-js';
import type { z } from 'zod';
import { databaseError } from './errors.ts';

/** Calls a SQL function with the secret key and parses what it answers. Throws DatabaseError. */
export type Rpc = <T>(answer: z.ZodType<T>, name: string, args: Record<string, unknown>) => Promise<T>;

export interface RpcOptions { url: string; secretKey: string; fetch: typeof fetch; timeoutMs?: number }

export function createRpc(options: RpcOptions): Rpc {
  const client = createClient(options.url, options.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: options.fetch },
    // whoever calls knows better whether and when to repeat
    db: { retry: false },
  });
  return async (answer, name, args) => {
    const { data, error, status } = await client.rpc(name, args).abortSignal(AbortSignal.timeout(options.timeoutMs ?? 8_000));
    if (error) throw databaseError(name, status, error);
    return answer.parse(data ?? null);
  };
}
