import { ROLLED_STATES, ROLLOUT_STATES, RolloutSettings, type Release, type RolloutReport, type RolloutRequest, type RolloutView } from '@trademind/core';
import { z } from 'zod';
import { ClaimedRollout } from '../rollouts/view.ts';
import type { Step } from '../rollouts/plan.ts';
import { createSecretDatabase, type SecretOptions } from './call.ts';
import { databaseError } from './errors.ts';
import { afterCursor, pageOf, type Page, type Paging } from './paging.ts';

/** Releases and rollouts as the control plane keeps them. All throw DatabaseError. */
export interface RolloutDatabase {
  /** The newest first. */
  releases(paging: Paging): Promise<Page<Release>>;
  release(id: string): Promise<Release | null>;
  /** The same version and image again answer the release that is there. */
  register(release: { version: string; image: string; notes?: string | undefined }, by: string): Promise<Release>;
  withdraw(id: string, reason: string): Promise<void>;
  /** Answers the new rollout's id. */
  start(request: RolloutRequest, by: string): Promise<string>;
  /** The newest first. */
  list(paging: Paging): Promise<Page<RolloutView>>;
  report(id: string): Promise<RolloutReport | null>;
  control(id: string, verb: 'pause' | 'resume' | 'abort' | 'leave', reason: string | undefined, by: string): Promise<void>;
  exclude(id: string, users: readonly string[], machines: readonly string[], by: string): Promise<void>;
  /** The next rollout with a step to take, leased to `owner` by the database's clock; null when there is none. */
  claim(owner: string, leaseSeconds: number): Promise<ClaimedRollout | null>;
  /** False = the lease is no longer ours, or an operator said something: nothing was done. */
  advance(id: string, fence: number, step: Step): Promise<boolean>;
}

const ReleaseRow = z.object({
  id: z.string(), version: z.string(), image: z.string(), notes: z.string().nullable(), registered_by: z.string(), registered_at: z.string(), verified_at: z.string(),
  withdrawn_at: z.string().nullable(), withdrawn_reason: z.string().nullable(),
});
const RolloutRow = z.object({
  id: z.string(), environment: z.string().nullable(), release_id: z.string(), settings: RolloutSettings, state: z.enum(ROLLOUT_STATES), wave: z.number(),
  reason: z.looseObject({ code: z.string(), message: z.string() }).nullable(), baseline: z.record(z.string(), z.unknown()), excluded_users: z.array(z.string()), excluded_machines: z.array(z.string()),
  started_by: z.string(), created_at: z.string(), finished_at: z.string().nullable(),
});
const EventRows = z.array(z.object({ at: z.string(), kind: z.string(), message: z.string(), data: z.record(z.string(), z.unknown()) }));
const RolledRows = z.array(z.object({
  machine_id: z.string(), user_id: z.string(), wave: z.number(), state: z.enum(ROLLED_STATES), reason: z.string().nullable(), boot_ms: z.number().nullable(), taken_at: z.string(), changed_at: z.string(),
}));
const Counts = z.partialRecord(z.enum(ROLLED_STATES), z.number());

/** Of a report's events and machines so many are told, the newest. */
const REPORTED = 500;

const iso = (time: string) => new Date(time).toISOString();
const maybeIso = (time: string | null) => (time === null ? null : iso(time));

export function createRolloutDatabase(options: SecretOptions): RolloutDatabase {
  const { client, call, timeout } = createSecretDatabase(options);

  async function rows<T>(schema: z.ZodType<T>, what: string, query: PromiseLike<{ data: unknown; error: Parameters<typeof databaseError>[2] | null; status: number }>): Promise<T> {
    const { data, error, status } = await query;
    if (error) throw databaseError(`read ${what}`, status, error);
    return schema.parse(data);
  }

  /** The newest rows of a table first, from a cursor on. */
  async function newest<T extends { id: string }>(table: 'releases' | 'rollouts', row: z.ZodType<T>, column: string & keyof T, { limit, cursor }: Paging): Promise<Page<T>> {
    const all = client.from(table).select('*');
    const wanted = cursor === undefined ? all : all.or(afterCursor(cursor, column, 'lt'));
    const found = await rows(z.array(row), table, wanted.order(column, { ascending: false }).order('id', { ascending: false }).limit(limit + 1).abortSignal(timeout()));
    return pageOf(found, limit, (one) => String(one[column]));
  }

  async function releasesOf(found: readonly z.infer<typeof ReleaseRow>[]): Promise<Release[]> {
    const current = await rows(z.array(z.object({ environment: z.string(), release_id: z.string() })), 'current releases', client.from('current_releases').select('environment,release_id').abortSignal(timeout()));
    return found.map((row) => ({
      id: row.id, version: row.version, image: row.image, notes: row.notes, registeredBy: row.registered_by, registeredAt: iso(row.registered_at), verifiedAt: iso(row.verified_at),
      withdrawnAt: maybeIso(row.withdrawn_at), withdrawnReason: row.withdrawn_reason, currentIn: current.filter((one) => one.release_id === row.id).map((one) => one.environment),
    }));
  }

  async function viewOf(row: z.infer<typeof RolloutRow>): Promise<RolloutView> {
    const [release, counts] = await Promise.all([
      rows(ReleaseRow, 'the release', client.from('releases').select('*').eq('id', row.release_id).abortSignal(timeout()).single()),
      call(Counts, 'rollout_counts', { p_id: row.id }),
    ]);
    return {
      id: row.id, environment: row.environment, release: { id: release.id, version: release.version, image: release.image }, settings: row.settings, state: row.state, wave: row.wave, reason: row.reason,
      counts, excluded: { users: row.excluded_users.length, machines: row.excluded_machines.length }, startedBy: row.started_by, createdAt: iso(row.created_at), finishedAt: maybeIso(row.finished_at),
    };
  }

  return {
    async releases(paging) {
      const page = await newest('releases', ReleaseRow, 'registered_at', paging);
      return { items: await releasesOf(page.items), next: page.next };
    },
    async release(id) {
      const found = await rows(z.array(ReleaseRow), 'the release', client.from('releases').select('*').eq('id', id).abortSignal(timeout()));
      return (await releasesOf(found))[0] ?? null;
    },
    async register(release, by) {
      const row = await call(ReleaseRow, 'register_release', { p_version: release.version, p_image: release.image, p_notes: release.notes ?? null, p_by: by });
      const [found] = await releasesOf([row]);
      if (found === undefined) throw databaseError('read the release', 500, { message: 'no row came back' });
      return found;
    },
    withdraw: async (id, reason) => { await call(z.unknown(), 'withdraw_release', { p_id: id, p_reason: reason }); },
    start: (request, by) => call(z.uuid(), 'start_rollout', {
      p_release_id: request.release, p_environment: request.environment ?? null, p_settings: request.settings, p_excluded_users: request.exclude?.users ?? [], p_excluded_machines: request.exclude?.machines ?? [], p_by: by,
    }),
    async list(paging) {
      const page = await newest('rollouts', RolloutRow, 'created_at', paging);
      return { items: await Promise.all(page.items.map(viewOf)), next: page.next };
    },
    async report(id) {
      const row = await rows(RolloutRow.nullable(), 'the rollout', client.from('rollouts').select('*').eq('id', id).abortSignal(timeout()).maybeSingle());
      if (row === null) return null;
      const [view, events, machines] = await Promise.all([
        viewOf(row),
        rows(EventRows, 'its events', client.from('rollout_events').select('at,kind,message,data').eq('rollout_id', id).order('id', { ascending: false }).limit(REPORTED + 1).abortSignal(timeout())),
        rows(RolledRows, 'its machines', client.from('rollout_machines').select('machine_id,user_id,wave,state,reason,boot_ms,taken_at,changed_at').eq('rollout_id', id)
          .or('state.in.(updating,reverting,failed,stuck,left),reason.not.is.null').order('changed_at', { ascending: false }).limit(REPORTED + 1).abortSignal(timeout())),
      ]);
      return {
        ...view, baseline: row.baseline, truncated: { events: events.length > REPORTED, machines: machines.length > REPORTED }, events: events.slice(0, REPORTED).toReversed().map((event) => ({ ...event, at: iso(event.at) })),
        machines: machines.slice(0, REPORTED).map((one) => ({
          machineId: one.machine_id, userId: one.user_id, wave: one.wave, state: one.state, reason: one.reason, bootMs: one.boot_ms, takenAt: iso(one.taken_at), changedAt: iso(one.changed_at),
        })),
      };
    },
    control: async (id, verb, reason, by) => { await call(z.unknown(), 'control_rollout', { p_id: id, p_verb: verb, p_reason: reason ?? null, p_by: by }); },
    exclude: async (id, users, machines, by) => { await call(z.unknown(), 'exclude_from_rollout', { p_id: id, p_users: users, p_machines: machines, p_by: by }); },
    claim: (owner, leaseSeconds) => call(ClaimedRollout.nullable(), 'claim_rollout', { p_owner: owner, p_lease_seconds: leaseSeconds }),
    advance: (id, fence, step) => call(z.boolean(), 'advance_rollout', { p_id: id, p_fence: fence, p_step: step }),
  };
}
