import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { asRole } from '../support/database.ts';

export interface MachineRow { id: string; user_id: string; generation: string; phase: string; fence: string; token_epoch: number; next_look_at: Date; lease_owner: string | null; [column: string]: unknown }

export async function addUser(pool: Pool): Promise<string> {
  const id = randomUUID();
  await pool.query('insert into auth.users (id, email) values ($1, $2)', [id, `${id}@example.test`]);
  return id;
}

export async function deploy(pool: Pool, userId: string, environment = 'local'): Promise<{ machine: { id: string; generation: number; phase: string }; created: boolean }> {
  const rows = await asRole<{ answer: { machine: { id: string; generation: number; phase: string }; created: boolean } }>(
    pool, 'service_role', {}, `select public.deploy_machine($1, $2, 'sin', 'shared', 1, 512, 'machine@sha256:00') as answer`, [userId, environment]);
  return (rows[0] as (typeof rows)[number]).answer;
}

export async function addTrader(pool: Pool, userId: string, name = 'Dip'): Promise<string> {
  const { rows } = await pool.query<{ id: string }>(`insert into public.traders (user_id, name, document) values ($1, $2, '{"where":{"a":"rsi(14) < 30"}}') returning id`, [userId, name]);
  return (rows[0] as { id: string }).id;
}

export async function claim(pool: Pool, owner = 'replica-a', limit = 100, seconds = 30): Promise<MachineRow[]> {
  return asRole<MachineRow>(pool, 'service_role', {}, 'select * from public.claim_machines($1, $2, $3)', [owner, limit, seconds]);
}

export const machineClaims = (machineId: string, userId: string, epoch = 1) => ({ sub: userId, machine_id: machineId, epoch });

export function signalRow(traderId: string, change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: randomUUID(), trader_id: traderId, trader_version: 1, trader_name: 'Dip', symbol: 'BTCUSDT', interval: '1m', open_time: '2026-11-22T10:00:00Z',
    close_time: '2026-11-22T10:01:00Z', side: 'long', price: 97_000.12, phase: 'closed', origin: 'live', conditions: [{ name: 'a', holds: true }], ...change,
  };
}

/** The stable code of a refusal: message of a `PT…` error, else SQLSTATE. */
export const codeOf = (error: unknown) => {
  const { code = '', message } = error as { code?: string; message: string };
  return code.startsWith('PT') ? `${code.slice(2)} ${message}` : code;
};

/** Settles to the code of a promise's refusal, or 'none'. */
export const refusalOf = (promise: Promise<unknown>) => promise.then(() => 'none', codeOf);
