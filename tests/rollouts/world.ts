import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@supabase/supabase-js';
import { controlPlaneEnv, spawnTestControlPlane, type SpawnedControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';

const image = (character: string) => `registry.local/trademind-machine@sha256:${character.repeat(64)}`;
/** `bad` boots and never says that it is ready; `unknown` is in no registry. */
export const IMAGES = { first: image('a'), good: image('c'), bad: image('d'), better: image('e'), unknown: image('f') } as const;
const RUN = { command: ['node', '-e', ''] };

export interface Fleet {
  supabase: TestSupabase;
  fly: TestFly;
  env: Record<string, string>;
  operator: string;
  user: string;
  replica(more?: Record<string, string>): Promise<SpawnedControlPlane>;
  query<T extends object>(sql: string, values?: unknown[]): Promise<T[]>;
  /** A user for each entry, with a machine in each of the environments; all deployed. */
  deploy(environments: readonly (readonly string[])[]): Promise<void>;
  close(): Promise<void>;
}

/** A project, simulated machines that say whether they are ready by what they run (and never with `BAD` in their environment), and an operator. */
export async function startFleet(): Promise<Fleet> {
  const supabase = await startTestSupabase();
  const fly = await startTestFly({ images: { [IMAGES.first]: RUN, [IMAGES.good]: RUN, [IMAGES.bad]: RUN, [IMAGES.better]: RUN } });
  const edge = createServer((request, response) => {
    const app = (request.url ?? '').split('/')[1] ?? '';
    fly.fly.machines.list(app).then(
      ([machine]) => response.writeHead(machine?.state === 'started' && machine.config?.image !== IMAGES.bad && machine.config?.env?.['BAD'] === undefined ? 200 : 503).end(),
      () => response.writeHead(503).end());
  });
  await new Promise<void>((resolve) => { edge.listen(0, '127.0.0.1', resolve); });
  const edgeUrl = `http://127.0.0.1:${(edge.address() as AddressInfo).port}`;
  const env = controlPlaneEnv(supabase, { url: fly.url, edgeUrl }, { MACHINE_IMAGE: IMAGES.first, LEASE_SECONDS: '3', IMAGE_REGISTRY_URL: new URL(fly.url).origin, SWEEP_SECONDS: '3600' });
  const replicas: SpawnedControlPlane[] = [];
  const query = async <T extends object>(sql: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(sql, values)).rows;
  const [operator, user] = await Promise.all([operatorOf(supabase), supabase.createUser().then((one) => one.accessToken)]);
  return {
    supabase, fly, env, operator, user, query,
    replica: async (more = {}) => {
      const replica = await spawnTestControlPlane({ ...env, ...more });
      replicas.push(replica);
      return replica;
    },
    deploy: async (environments) => {
      for (const places of environments) {
        const id = randomUUID();
        await query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.test`]);
        for (const place of places) await query(`select public.deploy_machine($1, $2, 'sin', 'shared', 1, 512, $3)`, [id, place, IMAGES.first]);
      }
    },
    close: async () => {
      await Promise.all(replicas.map((replica) => replica.kill('SIGTERM')));
      edge.closeAllConnections();
      await new Promise((resolve) => { edge.close(resolve); });
      await fly.close();
      await supabase.close();
    },
  };
}

async function operatorOf(supabase: TestSupabase): Promise<string> {
  const made = await supabase.createUser();
  const { error } = await supabase.adminClient.auth.admin.updateUserById(made.id, { app_metadata: { trademind_role: 'operator' } });
  if (error) throw error;
  const client = createClient(supabase.url, supabase.publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });
  const { data, error: refused } = await client.auth.signInWithPassword({ email: made.email, password: made.password });
  if (refused) throw refused;
  return data.session.access_token;
}
