import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@supabase/supabase-js';
import { importJWK, SignJWT, type JWK } from 'jose';
import { NO_RATE_LIMITS } from '../../local-cloud/supabase/auth/limits.ts';
import { generateKeys, generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { startSupabase } from '../../local-cloud/supabase/start.ts';
import { callApi, controlPlaneEnv, spawnTestControlPlane, type SpawnedControlPlane } from '../../tests/support/control-plane.ts';
import { startTestFly, type TestFly } from '../../tests/support/fly.ts';
import { startCluster, type Cluster } from './cluster.ts';
import type { Wished } from './judge.ts';

/** A user does not wait longer for an answer. */
const ANSWER_MS = 10_000;

/** What the plan of every user allows: one machine of so many vCPUs. */
export const MOST_VCPUS = 4;

export interface Citizen { id: string; token: string }

export interface MachineState extends Wished { id: string; user_id: string; observed_generation: number; fly_app: string | null; last_error: { code: string } | null; token_epoch: number }

/** A whole control plane: real PostgreSQL, the gateway, the Fly stand-in, replicas as processes, users who may sign in. */
export interface Town {
  cluster: Cluster;
  fly: TestFly;
  citizens: readonly Citizen[];
  replicas: (SpawnedControlPlane | null)[];
  /** Starts the replica again if it does not run. */
  revive(at: number): Promise<void>;
  /** Calls some replica's API as this user; null when none answered. */
  call(citizen: Citizen, method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> } | null>;
  /** A statement as the control plane's service, through SQL. */
  sql<T extends object>(text: string, values?: unknown[]): Promise<T[]>;
  machines(): Promise<MachineState[]>;
  /** Says as each running machine that it lives, and that it has drained when it was asked to. */
  beat(): Promise<void>;
  close(): Promise<void>;
}

export async function startTown(options: { citizens: number; replicas: number; random: () => number; seed: number }): Promise<Town> {
  const cluster = await startCluster();
  await cluster.pool.query(`insert into public.plans (name, title, machines, vcpus, regions, performance, traders, analyses_per_day, analyses_per_minute, analyses_at_once, analyses_nano_usd_per_day)
    values ('town', 'Of the town', 1, ${MOST_VCPUS}, 4, false, 10, 0, 0, 0, 0)`);
  await cluster.pool.query(`select public.set_default_plan('town')`);
  const keys = await generateKeys();
  const machineSigningJwk: JWK = await generateSigningJwk();
  const gateway = await startSupabase({ ...keys, port: 0, postgresUrl: cluster.url, extraJwks: [machineSigningJwk], passwordCost: 8, rateLimits: NO_RATE_LIMITS });
  const fly = await startTestFly({ latency: 0.3, seed: options.seed, rateLimits: true });
  const env = controlPlaneEnv({ url: gateway.url, secretKey: keys.secretKey, publishableKey: keys.publishableKey, machineSigningJwk }, fly, { LEASE_SECONDS: '4', CONTROL_PLANE_URL: 'http://127.0.0.1:9' });
  const replicas: (SpawnedControlPlane | null)[] = Array.from({ length: options.replicas }, () => null);
  const revive = async (at: number) => { replicas[at] ??= await spawnTestControlPlane(env); };
  await Promise.all(replicas.map((_, at) => revive(at)));
  const stateless = { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } };
  const admin = createClient(gateway.url, keys.secretKey, stateless);
  const citizens = await Promise.all(Array.from({ length: options.citizens }, async (): Promise<Citizen> => {
    const [email, password] = [`${randomUUID()}@example.test`, randomUUID()];
    await admin.auth.admin.createUser({ email, password, email_confirm: true });
    const { data, error } = await createClient(gateway.url, keys.publishableKey, stateless).auth.signInWithPassword({ email, password });
    if (error) throw error;
    return { id: data.user.id, token: data.session.access_token };
  }));
  const machineKey = await importJWK(machineSigningJwk, 'ES256');
  const sql = async <T extends object>(text: string, values: unknown[] = []) => (await cluster.pool.query<T>(text, values)).rows;
  const machines = () => sql<MachineState>(`select id, user_id, generation::int, observed_generation::int, desired_state, phase, fly_app, fly_machine_id, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, placed,
    failed_generation::int, good, last_error, desired_image, token_epoch from public.machines where phase <> 'destroyed'`);

  return {
    cluster, fly, citizens, replicas, revive, sql, machines,
    call: async (citizen, method, path, body) => {
      const alive = replicas.filter((replica) => replica !== null);
      const replica = alive[Math.floor(options.random() * alive.length)];
      return replica === undefined ? null : Promise.race([callApi(replica.url, citizen.token, method, path, body).catch(() => null), sleep(ANSWER_MS, null)]);
    },
    beat: async () => {
      const running = (await machines().catch(() => [])).filter((machine) => machine.desired_state === 'started' && ['backfilling', 'screening'].includes(machine.phase));
      await Promise.all(running.map(async (machine) => {
        const token = await new SignJWT({ role: 'machine', machine_id: machine.id, epoch: machine.token_epoch }).setProtectedHeader({ alg: 'ES256', kid: machineSigningJwk.kid ?? '' })
          .setSubject(machine.user_id).setAudience('authenticated').setIssuedAt().setExpirationTime('1h').sign(machineKey);
        const client = createClient(gateway.url, keys.publishableKey, { accessToken: () => Promise.resolve(token) });
        const first = await client.rpc('machine_beat', { p_status: statusOf('screening') });
        if ((first.data as { drain?: boolean } | null)?.drain === true) await client.rpc('machine_beat', { p_status: statusOf('draining') });
      }));
    },
    close: async () => {
      await Promise.all(replicas.filter((replica) => replica !== null).map((replica) => replica.kill('SIGKILL')));
      await gateway.close();
      await fly.close();
      await cluster.close();
    },
  };
}

/** What a machine with nothing to do says of itself. */
const statusOf = (phase: 'screening' | 'draining') => ({
  phase, detail: 'Nothing to do.', bootId: 'chaos', version: '0.1.0', startedAt: 0,
  market: { time: Date.now(), rate: 1, connected: true, symbols: 0, backfilled: { done: 0, total: 0 }, lastCloseAt: null, candles: 0, halted: [] },
  traders: [], outbox: { rows: 0, oldestMs: 0 }, process: { rssMb: 1, cpuPercent: 0, uptimeS: 1 }, problems: [],
});
