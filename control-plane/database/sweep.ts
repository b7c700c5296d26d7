import { FINDING_KINDS, type Fleet, type FleetFinding } from '@trademind/core';
import { z } from 'zod';
import { createSecretDatabase, type SecretOptions } from './call.ts';
import { databaseError } from './errors.ts';
import { afterCursor, pageOf, type Page, type Paging } from './paging.ts';

/** One machine of the listing, or (`app:<name>`, state `app`) an app: Fly's id, app, state, region, version, owner by its metadata, when it last changed (ms). */
export type ListedRow = readonly [id: string, app: string, state: string, region: string, version: string | null, owner: string | null, changedAt: number | null];

/** When a finding is acted upon. */
export interface SweepRules {
  /** Looks in a row, and seconds, before whoever looks after a machine is woken. */
  looks: number;
  graceSeconds: number;
  orphanLooks: number;
  orphanGraceSeconds: number;
  /** At most so many are woken, removed, by one sweep. */
  wakes: number;
  reaps: number;
  /** The breakers: beyond such a share of the listed (of the known), and a handful, it is rather the listing or the database that is wrong. */
  orphanShare: number;
  missingShare: number;
}

const Compared = z.object({
  listed: z.number(), known: z.number(), differs: z.number(), double: z.number(), missing: z.number(), orphan: z.number(), foreign: z.number(), woken: z.number(),
  halted: z.looseObject({ code: z.string(), message: z.string() }).nullable(), reap: z.array(z.object({ subject: z.string(), app: z.string() })),
});
export type Compared = z.infer<typeof Compared>;

/** The database's side of a sweep. All throw DatabaseError; where a fence is asked for, false or null = the lease is no longer ours: stop. */
export interface SweepDatabase {
  /** The fence of a new sweep; null while another is under way or none is due. */
  claim(owner: string, intervalSeconds: number): Promise<number | null>;
  page(fence: number, rows: readonly ListedRow[]): Promise<boolean>;
  /** `apps`: they were listed too. */
  compare(fence: number, seen: { errorRegions: readonly string[]; apps: boolean }, rules: SweepRules): Promise<Compared | null>;
  mayReap(fence: number, orphan: { subject: string; app: string; owner: string | null }): Promise<boolean>;
  noteReaped(fence: number, subject: string, error: string | null): Promise<boolean>;
  end(fence: number, figures: Record<string, unknown>): Promise<boolean>;
  resume(orphans: number, by: string): Promise<void>;
  fleet(): Promise<Fleet>;
  /** The newest first. `abandoned`: only what was given up. */
  findings(paging: Paging & { kind?: FleetFinding['kind'] | undefined; abandoned?: boolean | undefined }): Promise<Page<FleetFinding>>;
}

/** A replica that dies in the middle keeps others from sweeping for so long. */
const LEASE_SECONDS = 60;

const time = z.string().transform((text) => new Date(text).toISOString());
const FindingRow = z.object({
  id: z.string(), kind: z.enum(FINDING_KINDS), subject: z.string(), machine_id: z.string().nullable(), app: z.string().nullable(), region: z.string().nullable(), why: z.string(), looks: z.number(),
  first_seen_at: z.string(), last_seen_at: time, attempts: z.number(), last_error: z.string().nullable(), abandoned_at: time.nullable(),
});
const findingOf = (row: z.infer<typeof FindingRow>): FleetFinding => ({
  kind: row.kind, subject: row.subject, machineId: row.machine_id, app: row.app, region: row.region, why: row.why, looks: row.looks, firstSeenAt: new Date(row.first_seen_at).toISOString(), lastSeenAt: row.last_seen_at,
  attempts: row.attempts, lastError: row.last_error, abandonedAt: row.abandoned_at,
});
const Summary = z.object({
  machines: z.number(), phases: z.record(z.string(), z.number()), regions: z.record(z.string(), z.number()),
  images: z.array(z.object({ image: z.string(), version: z.string().nullable(), machines: z.number() })),
  silent: z.number(), troubles: z.record(z.string(), z.number()),
  sweep: z.object({ last: z.record(z.string(), z.unknown()).nullable(), nextAt: time, halted: z.looseObject({ code: z.string(), message: z.string() }).nullable(), allowed: z.number() }),
  contract: z.object({
    since: time, waiting: z.number(), underWay: z.number(), late: z.number(), ready: z.number(), halted: z.looseObject({ code: z.string(), message: z.string(), machines: z.array(z.string()) }).nullable(),
  }),
  found: z.record(z.string(), z.number()),
  findings: z.array(FindingRow.transform(findingOf)),
  events: z.array(z.object({ at: time, kind: z.string(), message: z.string(), data: z.looseObject({ by: z.uuid().nullish() }) })
    .transform(({ at, kind, message, data }) => ({ at, kind, message, by: data.by ?? null }))),
});

export function createSweepDatabase(options: SecretOptions): SweepDatabase {
  // comparing a very large fleet takes longer than a row does
  const { client, call, timeout } = createSecretDatabase({ timeoutMs: 60_000, ...options });
  const lease = { p_lease_seconds: LEASE_SECONDS };
  return {
    claim: (owner, intervalSeconds) => call(z.number().nullable(), 'claim_sweep', { p_owner: owner, ...lease, p_interval_seconds: intervalSeconds }),
    page: (fence, rows) => call(z.boolean(), 'sweep_page', { p_fence: fence, p_rows: rows, ...lease }),
    compare: (fence, { errorRegions, apps }, rules) => call(Compared.nullable(), 'compare_sweep', { p_fence: fence, p_error_regions: errorRegions, p_apps: apps, p_rules: rules, ...lease }),
    mayReap: (fence, { subject, app, owner }) => call(z.boolean(), 'may_reap', { p_fence: fence, p_subject: subject, p_app: app, p_owner: owner, ...lease }),
    noteReaped: (fence, subject, error) => call(z.boolean(), 'note_reaped', { p_fence: fence, p_subject: subject, p_error: error, ...lease }),
    end: (fence, figures) => call(z.boolean(), 'end_sweep', { p_fence: fence, p_figures: figures }),
    resume: async (orphans, by) => { await call(z.unknown(), 'resume_sweep', { p_orphans: orphans, p_by: by }); },
    fleet: () => call(Summary, 'fleet_summary', {}),
    async findings({ limit, cursor, kind, abandoned }) {
      let wanted = client.from('fleet_findings').select('*');
      if (kind !== undefined) wanted = wanted.eq('kind', kind);
      if (abandoned === true) wanted = wanted.not('abandoned_at', 'is', null);
      if (cursor !== undefined) wanted = wanted.or(afterCursor(cursor, 'first_seen_at', 'lt'));
      const { data, error, status } = await wanted.order('first_seen_at', { ascending: false }).order('id', { ascending: false }).limit(limit + 1).abortSignal(timeout());
      if (error) throw databaseError('read findings', status, error);
      const { items, next } = pageOf(z.array(FindingRow).parse(data), limit, (row) => row.first_seen_at);
      return { items: items.map(findingOf), next };
    },
  };
}
