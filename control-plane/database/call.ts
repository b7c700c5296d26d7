import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { z } from 'zod';
import { databaseError } from './errors.ts';

export interface SecretOptions { url: string; secretKey: string; fetch: typeof fetch; timeoutMs?: number }

/** What the control plane does with its secret key: calls functions by name, reads a table. */
export interface SecretDatabase {
  client: SupabaseClient;
  /** Throws DatabaseError, and a ZodError when the answer is not what the schema says. */
  call<T>(schema: z.ZodType<T>, name: string, args: Record<string, unknown>): Promise<T>;
  timeout(): AbortSignal;
}

export function createSecretDatabase(options: SecretOptions): SecretDatabase {
  const client = createClient(options.url, options.secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: options.fetch },
    // whoever calls knows better whether and when to repeat
    db: { retry: false },
  });
  const timeout = () => AbortSignal.timeout(options.timeoutMs ?? 8_000);
  return {
    client, timeout,
    async call(schema, name, args) {
      const { data, error, status } = await client.rpc(name, args).abortSignal(timeout());
      if (error) throw databaseError(name, status, error);
      return schema.parse(data ?? null);
    },
  };
}
