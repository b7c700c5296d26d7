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
import { roomForAll } from '../../tests/support/room.ts';
import { rowOfSignal } from '../../packages/runtime/state/state-store.ts';
import type { BenchRow } from '../frame/row.ts';

const SIGNALS = 1_000;
const RUNS = 7;

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
    await roomForAll(postgres.url);
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

/** Milliseconds to write fresh signals: together, or one by one over the same connection. */
async function write(world: World, together: boolean): Promise<number> {
  const rows = signals(world.traderId);
  const began = performance.now();
  if (together) await world.database.writeFacts({ signal: rows });
  else for (const row of rows) await world.database.writeFacts({ signal: [row] });
  return performance.now() - began;
}

export function batchWriteRow(): BenchRow {
  let world: World | undefined;
  let sent = 0;
  const measure = async (together: boolean) => {
    try {
      if (!world) {
        world = await startWorld();
        await write(world, true);
        sent = SIGNALS;
      }
      const took = await write(world, together);
      sent += SIGNALS;
      return took;
    } catch (error) {
      await world?.close();
      throw error;
    }
  };
  return {
    id: 'machine.batch-write', unit: 'ms', must: 150, runs: RUNS,
    what: `a batch of ${SIGNALS} signals, from the client's call to its answer, through the gateway to a durable PostgreSQL; in turns with the same number one by one over the same connection`,
    measure: () => measure(true),
    peers: [{ name: 'row by row', ratio: 10, measure: () => measure(false) }],
    also: async () => {
      const stored = (await world?.stored()) ?? 0;
      await world?.close();
      return [{ name: 'signals stored of those sent', unit: '%', value: (stored / sent) * 100, must: 100, atLeast: true }];
    },
  };
}
