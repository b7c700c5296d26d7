import { createClient } from '@supabase/supabase-js';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import { databaseError } from './errors.ts';
import { afterCursor, pageOf, type Page, type Paging } from './paging.ts';
import { PlanRow } from './plans.ts';
import { EventRow, MachineRow, MetricRow, TraderRow } from './rows.ts';

export const AuditRow = z.object({
  id: z.number(), at: z.string(), actor_kind: z.string(), actor_id: z.uuid().nullable(), via: z.string().nullable(), request_id: z.string().nullable(), action: z.string(),
  subject_user: z.uuid().nullable(), subject: z.string().nullable(), before: z.record(z.string(), z.unknown()).nullable(), after: z.record(z.string(), z.unknown()).nullable(),
});
export type AuditRow = z.infer<typeof AuditRow>;
export interface AuditFilter { user?: string | undefined; actor?: string | undefined; action?: string | undefined; before: number | null; limit: number }

const BudgetRow = z.object({ monthly_usd: z.number(), action: z.enum(['notify', 'downsize', 'stop']) });

/** What a user reads and writes with the user's own token: row-level security decides what that is. All throw DatabaseError. */
export interface UserDatabase {
  /** Destroyed ones are left out. */
  machines(paging: Paging): Promise<Page<MachineRow>>;
  machine(id: string): Promise<MachineRow | null>;
  /** Events with a larger id than `after`, oldest first. */
  events(machineId: string, after: number, limit: number): Promise<EventRow[]>;
  /** Minutes, hours or days of a machine's load after an instant, oldest first. */
  metrics(machineId: string, resolution: string, after: string, limit: number): Promise<MetricRow[]>;
  traders(paging: Paging): Promise<Page<TraderRow>>;
  plans(): Promise<Omit<PlanRow, 'own' | 'used'>[]>;
  budget(): Promise<{ monthlyUsd: number; action: z.infer<typeof BudgetRow>['action'] } | null>;
  /** Newest first; nothing for whoever is no operator. */
  audit(filter: AuditFilter): Promise<AuditRow[]>;
  trader(id: string): Promise<TraderRow | null>;
  /** With an `id` that an earlier attempt has added: that one. Throws `already_exists` (409). */
  addTrader(wish: { id?: string; name: string; enabled: boolean; document: unknown }): Promise<TraderRow>;
  /** Null when there is none, or none of this version when one is named. */
  changeTrader(id: string, wish: { name: string; enabled?: boolean; document: unknown }, version?: number): Promise<TraderRow | null>;
  /** False when there was none. */
  removeTrader(id: string, now: Date): Promise<boolean>;
}

const TRADER_COLUMNS = 'id,name,version,enabled,document,created_at,updated_at';

/** PostgREST's answer about one trader; null when there is none. */
const traderAnswer = ({ data, error, status }: { data: unknown; error: Parameters<typeof databaseError>[2] | null; status: number }, doing: string): TraderRow | null => {
  if (error) throw databaseError(doing, status, error);
  return data === null ? null : TraderRow.parse(data);
};

/** Whose token it is; it was verified before it came here. An operator sees others' rows too. */
const userOf = (token: string): string => decodeJwt(token).sub ?? '';

export type OpenUserDatabase = (token: string) => UserDatabase;

export function createUserDatabases(options: { url: string; publishableKey: string; fetch: typeof fetch; timeoutMs?: number }): OpenUserDatabase {
  return (token) => {
    const client = createClient(options.url, options.publishableKey, { accessToken: () => Promise.resolve(token), global: { fetch: options.fetch }, db: { retry: false } });
    const timeout = () => AbortSignal.timeout(options.timeoutMs ?? 8_000);

    async function list<T extends { id: string; created_at: string }>(table: 'machines' | 'traders', columns: string, row: z.ZodType<T>, paging: Paging): Promise<Page<T>> {
      // an operator's token shows all machines: a list of one's own is asked for by name
      const all = client.from(table).select(columns).eq('user_id', userOf(token));
      const living = table === 'machines' ? all.neq('phase', 'destroyed') : all.is('deleted_at', null);
      const wanted = paging.cursor === undefined ? living : living.or(afterCursor(paging.cursor, 'created_at', 'gt'));
      const { data, error, status } = await wanted.order('created_at').order('id').limit(paging.limit + 1).abortSignal(timeout());
      if (error) throw databaseError(`read ${table}`, status, error);
      return pageOf(z.array(row).parse(data), paging.limit, ({ created_at: at }) => at);
    }

    return {
      machines: (paging) => list('machines', '*', MachineRow, paging),
      async machine(id) {
        const { data, error, status } = await client.from('machines').select('*').eq('id', id).abortSignal(timeout()).maybeSingle();
        if (error) throw databaseError('read the machine', status, error);
        return data === null ? null : MachineRow.parse(data);
      },
      async events(machineId, after, limit) {
        const { data, error, status } = await client.from('machine_events').select('id,machine_id,at,kind,message,data,generation')
          .eq('machine_id', machineId).gt('id', after).order('id').limit(limit).abortSignal(timeout());
        if (error) throw databaseError('read the events', status, error);
        return z.array(EventRow).parse(data);
      },
      async metrics(machineId, resolution, after, limit) {
        const { data, error, status } = await client.from('machine_metrics').select('*').eq('machine_id', machineId).eq('resolution', resolution).gt('at', after).order('at').limit(limit).abortSignal(timeout());
        if (error) throw databaseError('read the metrics', status, error);
        return z.array(MetricRow).parse(data);
      },
      async plans() {
        const { data, error, status } = await client.from('plans').select('*').order('machines').order('traders').order('name').abortSignal(timeout());
        if (error) throw databaseError('read the plans', status, error);
        return z.array(PlanRow.omit({ own: true, used: true })).parse(data);
      },
      async budget() {
        const { data, error, status } = await client.from('budgets').select('monthly_usd,action').eq('user_id', userOf(token)).abortSignal(timeout()).maybeSingle();
        if (error) throw databaseError('read the budget', status, error);
        const row = BudgetRow.nullable().parse(data);
        return row === null ? null : { monthlyUsd: row.monthly_usd, action: row.action };
      },
      async audit({ user, actor, action, before, limit }) {
        let rows = client.from('audit_log').select('*');
        if (user !== undefined) rows = rows.eq('subject_user', user);
        if (actor !== undefined) rows = rows.eq('actor_id', actor);
        if (action !== undefined) rows = rows.eq('action', action);
        if (before !== null) rows = rows.lt('id', before);
        const { data, error, status } = await rows.order('id', { ascending: false }).limit(limit).abortSignal(timeout());
        if (error) throw databaseError('read the audit log', status, error);
        return z.array(AuditRow).parse(data);
      },
      traders: (paging) => list('traders', TRADER_COLUMNS, TraderRow, paging),
      trader: async (id) => traderAnswer(
        await client.from('traders').select(TRADER_COLUMNS).eq('id', id).is('deleted_at', null).abortSignal(timeout()).maybeSingle(), 'read the trader'),
      async addTrader(wish) {
        const answer = await client.from('traders').insert(wish).select(TRADER_COLUMNS).abortSignal(timeout()).single();
        const before = answer.error?.code === '23505' && wish.id !== undefined ? await this.trader(wish.id) : null;
        const row = before ?? traderAnswer(answer, `add the trader "${wish.name}"`);
        if (row === null) throw databaseError('add the trader', 500, { message: 'no row came back' });
        return row;
      },
      async changeTrader(id, wish, version) {
        const all = client.from('traders').update(wish).eq('id', id).is('deleted_at', null);
        return traderAnswer(await (version === undefined ? all : all.eq('version', version)).select(TRADER_COLUMNS).abortSignal(timeout()).maybeSingle(), 'change the trader');
      },
      removeTrader: async (id, now) => traderAnswer(
        await client.from('traders').update({ deleted_at: now.toISOString() }).eq('id', id).is('deleted_at', null).select(TRADER_COLUMNS).abortSignal(timeout()).maybeSingle(),
        'remove the trader') !== null,
    };
  };
}
