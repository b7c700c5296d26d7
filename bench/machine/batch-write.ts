import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importJWK, SignJWT } from 'jose';
import { Pool } from 'pg';
import { prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { removePostgres, startPostgres } from '../../local-cloud/postgres/start.ts';
import { generateKeys, generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { startSupabase } from '../../local-cloud/supabase/start.ts';
import { SupabaseDatabase } from '../../packages/runtime/control/database.ts';
import { rowOfSignal } from '../../packages/runtime/state/state-store.ts';
import { median, type BenchRow } from '../frame/row.ts';

const SIGNALS = 1_000;
const ROUNDS = 3;

interface World { database: SupabaseDatabase; traderId: string; stored(): Promise<number>; close(): Promise<void> }

/** PostgreSQL (durable, as it is delivered) behind the gateway, with one user's machine and its token. */
async function startWorld(): Promise<World> {
  const ending = new AbortController();
  const started: (() => Promise<unknown>)[] = [];
  const close = async () => {
    ending.abort();
    for (const end of started.toReversed()) await end();
  };
  try {
    const dataDir = mkdtempSync(join(tmpdir(), 'trademind-bench-'));
    started.push(async () => { await removePostgres(dataDir); rmSync(dataDir, { recursive: true, force: true }); });
    const postgres = await startPostgres({ dataDir, port: 0 });
    started.push(() => postgres.close());
    await prepareDatabase(postgres.url);
    const [keys, machineJwk] = [await generateKeys(), await generateSigningJwk()];
    const gateway = await startSupabase({ ...keys, port: 0, postgresUrl: postgres.url, extraJwks: [machineJwk] });
    started.push(() => gateway.close());
    const pool = new Pool({ connectionString: postgres.url, max: 1 });
    // The database ends its connections when it is stopped.
    pool.on('error', () => undefined);
    started.push(() => pool.end());
    const [userId, traderId] = [randomUUID(), randomUUID()];
    await pool.query('insert into auth.users (id, email) values ($1, $2)', [userId, `${userId}@example.test`]);
    await pool.query(`insert into public.traders (id, user_id, name, document) values ($1, $2, 'Dip', '{}')`, [traderId, userId]);
    const { rows: [row] } = await pool.query<{ id: string }>(`select public.deploy_machine($1, 'local', 'sin', 'shared', 1, 512, 'x') -> 'machine' ->> 'id' as id`, [userId]);
    const token = await new SignJWT({ role: 'machine', machine_id: row!.id, epoch: 1 }).setProtectedHeader({ alg: 'ES256', kid: machineJwk.kid ?? '' })
      .setSubject(userId).setAudience('authenticated').setExpirationTime('1h').sign(await importJWK(machineJwk, 'ES256'));
    return {
      traderId, close,
      database: new SupabaseDatabase({ url: gateway.url, publishableKey: keys.publishableKey, signal: ending.signal, token: { get: () => Promise.resolve(token), revoked: () => undefined } }),
      stored: async () => Number((await pool.query<{ n: string }>('select count(*) as n from public.signals')).rows[0]?.n),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function signals(traderId: string): unknown[] {
  return Array.from({ length: SIGNALS }, (_, index) => {
    const id = randomUUID();
    const closeTime = Date.UTC(2026, 10, 26) + index * 60_000;
    return { id, ...rowOfSignal({
      id, traderId, traderVersion: 1, traderName: 'Dip', symbol: 'BTCUSDT', interval: '1m', side: 'long', price: 97_000.12, openTime: closeTime - 60_000, closeTime, phase: 'closed', origin: 'live',
      conditions: ['was_oversold', 'turns', 'volume'].map((name) => ({
        name, expression: 'rsi(14) > rsi(14)[1]', holds: true, values: [{ expression: 'rsi(14)', value: 28.412345 }, { expression: 'rsi(14)[1]', value: 27.112345 }],
      })),
    }) };
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Milliseconds of a batch and of the same number of rows one by one, in turns in the same database, after one batch to warm up. */
async function measure(rowByRow: boolean): Promise<{ batch: number; single: number }> {
  const world = await startWorld();
  try {
    const batch = (rows: readonly unknown[]) => world.database.writeFacts({ signal: rows });
    await batch(signals(world.traderId));
    const [batches, singles]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [together, alone] = [signals(world.traderId), signals(world.traderId)];
      batches.push(await timed(() => batch(together)));
      if (rowByRow) singles.push(await timed(async () => { for (const row of alone) await batch([row]); }));
    }
    const stored = await world.stored();
    const sent = SIGNALS * (1 + batches.length + singles.length);
    if (stored !== sent) throw new Error(`${stored} of ${sent} signals were stored.`);
    return { batch: median(batches), single: rowByRow ? median(singles) : 0 };
  } finally {
    await world.close();
  }
}

export const batchWriteRows: readonly BenchRow[] = [
  {
    id: 'machine.batch-write', unit: 'ms', must: 150, runs: 5,
    what: `a batch of ${SIGNALS} signals, from the client's call to its answer, through the gateway to a durable PostgreSQL (median of ${ROUNDS} in each run)`,
    measure: async () => (await measure(false)).batch,
  },
  {
    id: 'machine.batch-write-ratio', unit: '×', must: 10, atLeast: true, runs: 3,
    what: `how many times longer the same ${SIGNALS} signals take one by one over the same connection, in turns with batches`,
    measure: async () => {
      const { batch, single } = await measure(true);
      return single / batch;
    },
  },
];
