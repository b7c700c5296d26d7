import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { importJWK, SignJWT } from 'jose';
import { Pool } from 'pg';
import { roomForAll } from '../../tests/support/room.ts';
import { prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { removePostgres, startPostgres } from '../../local-cloud/postgres/start.ts';
import { generateKeys, generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { controlPlaneEnv, spawnTestControlPlane, type SpawnedControlPlane } from '../../tests/support/control-plane.ts';
import { flyStandInAdmin, type FlyStandInAdmin } from '../../tests/support/fly-stand-in.ts';
import { TEST_IMAGES, TEST_TOKEN } from '../../tests/support/fly.ts';
import { cpuSeconds } from './cpu.ts';
import { makeFleet, type FleetMachine } from './fleet.ts';

const root = join(import.meta.dirname, '../..');

/** PostgreSQL as it is delivered (durable), the gateway and the Fly stand-in, each a process of its own; the control plane comes on top. */
export interface World {
  supabase: { url: string; publishableKey: string; secretKey: string };
  fly: { url: string; edgeUrl: string; admin: FlyStandInAdmin };
  pool: Pool;
  /** Users who have a settled machine, in the order they were made. */
  fleet: readonly FleetMachine[];
  addUsers(count: number): Promise<string[]>;
  /** A signed-in user's token, good for an hour. */
  token(userId: string): Promise<string>;
  replica(more?: Record<string, string>, fly?: { url: string; edgeUrl: string }): Promise<SpawnedControlPlane>;
  /** Processor seconds so far, by what used them. */
  cpu(): Readonly<Record<'replicas' | 'gateway' | 'postgres' | 'fly', number>>;
  close(): Promise<void>;
}

/** Starts a stand-in and waits for its ready line. */
async function start(program: string, args: readonly string[], env: Record<string, string>): Promise<{ said: Record<string, string>; pid: number; end(): Promise<void> }> {
  const child: ChildProcess = spawn(process.execPath, [join(root, program), ...args], { env: { ...env, NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node') }, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  if (child.stdout === null) throw new Error(`${program} has no stdout`);
  const [line] = await once(createInterface({ input: child.stdout }), 'line') as [string];
  const said = JSON.parse(line) as Record<string, string>;
  if (String(said['ready']) !== 'true') throw new Error(line);
  return {
    said, pid: child.pid ?? 0,
    end: async () => {
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      await exit;
    },
  };
}

/** `machines`: so many users with a settled machine each. */
export async function startWorld(options: { machines?: number; rateLimits?: boolean } = {}): Promise<World> {
  const started: (() => Promise<unknown>)[] = [];
  const close = async () => { for (const end of started.splice(0).toReversed()) await end(); };
  try {
    const dataDir = mkdtempSync(join(tmpdir(), 'trademind-bench-'));
    started.push(async () => { await removePostgres(dataDir); rmSync(dataDir, { recursive: true, force: true }); });
    const postgres = await startPostgres({ dataDir, port: 0, maxConnections: 100 });
    started.push(() => postgres.close());
    await prepareDatabase(postgres.url);
    await roomForAll(postgres.url);
    const pool = new Pool({ connectionString: postgres.url, max: 2 });
    // the database ends its connections when it is stopped
    pool.on('error', () => undefined);
    started.push(() => pool.end());
    const flyDir = mkdtempSync(join(tmpdir(), 'trademind-bench-fly-'));
    started.push(() => { rmSync(flyDir, { recursive: true, force: true }); return Promise.resolve(); });
    const fleet = await makeFleet(pool, join(flyDir, 'fly.sqlite'), options.machines ?? 0);

    const [keys, machineJwk] = [await generateKeys(), await generateSigningJwk()];
    const gateway = await start('local-cloud/supabase/main.ts', [], {
      PORT: '0', POSTGRES_URL: postgres.url, SUPABASE_PUBLISHABLE_KEY: keys.publishableKey, SUPABASE_SECRET_KEY: keys.secretKey, USER_SIGNING_JWK: JSON.stringify(keys.userSigningJwk), EXTRA_JWKS: JSON.stringify([machineJwk]),
    });
    started.push(() => gateway.end());
    const images = join(flyDir, 'images.json');
    writeFileSync(images, JSON.stringify({ [TEST_IMAGES.tiny]: { command: ['node', '-e', ''] } }));
    const cloud = await start('tests/support/fly-main.ts', [
      '--port', '0', '--edge-port', '0', '--data', flyDir, '--images', images, '--runtime', 'simulated', '--latency', '0', ...(options.rateLimits === false ? ['--no-rate-limits'] : []),
    ], { FLY_STAND_IN_TOKEN: TEST_TOKEN });
    started.push(() => cloud.end());

    const url = String(gateway.said['url']);
    const fly = { url: String(cloud.said['url']), edgeUrl: String(cloud.said['edgeUrl']) };
    const signing = await importJWK(keys.userSigningJwk, 'ES256');
    const secrets = { appNameKey: randomBytes(16).toString('hex') };
    const replicas: number[] = [];
    return {
      supabase: { url, publishableKey: keys.publishableKey, secretKey: keys.secretKey }, fly: { ...fly, admin: flyStandInAdmin(fly.url, TEST_TOKEN) }, pool, fleet, close,
      cpu: () => ({ replicas: replicas.reduce((sum, pid) => sum + cpuSeconds(pid), 0), gateway: cpuSeconds(gateway.pid), postgres: cpuSeconds(postgres.pid), fly: cpuSeconds(cloud.pid) }),
      addUsers: async (count) => (await pool.query<{ id: string }>(`insert into auth.users (id, email) select id, id || '@example.test' from (select gen_random_uuid() as id from generate_series(1, $1)) u returning id`, [count])).rows.map((row) => row.id),
      token: (userId) => new SignJWT({ role: 'authenticated', email: `${userId}@example.test`, app_metadata: {}, session_id: randomUUID() }).setProtectedHeader({ alg: 'ES256', kid: keys.userSigningJwk.kid ?? '' })
        .setIssuer(`${url}/auth/v1`).setAudience('authenticated').setSubject(userId).setIssuedAt().setExpirationTime('1h').sign(signing),
      replica: async (more = {}, through = fly) => {
        const replica = await spawnTestControlPlane(controlPlaneEnv({ url, secretKey: keys.secretKey, publishableKey: keys.publishableKey, machineSigningJwk: machineJwk }, through, {
          // everybody asks from one address here
          APP_NAME_KEY: secrets.appNameKey, SWEEP_SECONDS: '86400', RATE_LIMIT_PER_USER: '1000000', RATE_LIMIT_PER_ADDRESS: '1000000', ...more,
        }));
        started.push(() => replica.kill('SIGTERM'));
        replicas.push(replica.child.pid ?? 0);
        return replica;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
