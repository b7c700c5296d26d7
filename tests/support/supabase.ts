import { randomUUID } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { importJWK, SignJWT, type JWK } from 'jose';
import { NO_RATE_LIMITS, type RateLimits } from '../../local-cloud/supabase/auth/limits.ts';
import { generateKeys, generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { startSupabase } from '../../local-cloud/supabase/start.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

export interface TestUser { id: string; email: string; password: string; client: SupabaseClient; accessToken: string }

export interface TestSupabase {
  url: string;
  publishableKey: string;
  secretKey: string;
  /** Private ES256 JWK of role machine: what the control plane holds. */
  machineSigningJwk: JWK;
  database: TestDatabase;
  /** With the secret key: role service_role. */
  adminClient: SupabaseClient;
  /** A new user, signed in. */
  createUser(email?: string): Promise<TestUser>;
  signMachineToken(machine: { machineId: string; userId: string; epoch: number; seconds?: number }): Promise<string>;
  /** A client as a machine has it. */
  machineClient(token: string): SupabaseClient;
  close(): Promise<void>;
}

const STATELESS = { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } } as const;

/** A Supabase project of the test's own: the real gateway on a free port over a database of its own, or over the given one, which it closes in the end. */
export async function startTestSupabase(options: { allowedOrigins?: readonly string[]; now?: () => number; database?: TestDatabase; siteUrl?: string; autoconfirm?: boolean; rateLimits?: RateLimits } = {}): Promise<TestSupabase> {
  const database = options.database ?? await createTestDatabase();
  const keys = await generateKeys();
  const machineSigningJwk = await generateSigningJwk();
  const gateway = await startSupabase({ ...keys, port: 0, postgresUrl: database.url, extraJwks: [machineSigningJwk], passwordCost: 8, rateLimits: NO_RATE_LIMITS, ...options });
  const { url } = gateway;
  const adminClient = createClient(url, keys.secretKey, STATELESS);
  const machineKey = await importJWK(machineSigningJwk, 'ES256');
  return {
    url, machineSigningJwk, database, adminClient,
    publishableKey: keys.publishableKey,
    secretKey: keys.secretKey,
    createUser: async (email = `${randomUUID()}@example.test`) => {
      const password = `pw-${randomUUID()}`;
      const created = await adminClient.auth.admin.createUser({ email, password, email_confirm: true });
      if (created.error) throw created.error;
      const client = createClient(url, keys.publishableKey, STATELESS);
      const { data, error } = await client.auth.signInWithPassword({ email, password });
      if (error) throw error;
      return { id: data.user.id, email, password, client, accessToken: data.session.access_token };
    },
    signMachineToken: ({ machineId, userId, epoch, seconds = 3_600 }) =>
      new SignJWT({ role: 'machine', machine_id: machineId, epoch }).setProtectedHeader({ alg: 'ES256', kid: machineSigningJwk.kid ?? '' })
        .setSubject(userId).setAudience('authenticated').setIssuedAt().setExpirationTime(Math.floor(Date.now() / 1_000) + seconds).sign(machineKey),
    machineClient: (token) => createClient(url, keys.publishableKey, { accessToken: () => Promise.resolve(token) }),
    close: async () => {
      await gateway.close();
      await database.close();
    },
  };
}
