import { sentenceOf } from '@trademind/core';
import { fleetPages, FlyError, type FlyClient, type OrgMachine } from '@trademind/fly';
import type { Compared, ListedRow, SweepDatabase, SweepRules } from '../database/sweep.ts';
import { META_MACHINE } from '../reconciler/names.ts';

/** The part of Fly that a sweep needs. */
export interface SweepFly {
  listOrgMachines: FlyClient['listOrgMachines'];
  machines: Pick<FlyClient['machines'], 'get' | 'list'>;
  apps: Pick<FlyClient['apps'], 'delete' | 'list'>;
}

export interface SweepOptions {
  fly: SweepFly;
  database: SweepDatabase;
  org: string;
  rules: SweepRules;
  /** Whether apps are listed too: one without a machine is seen in no other way. */
  apps: boolean;
  /** Milliseconds. */
  now: () => number;
  signal: AbortSignal;
}

/** What one sweep found and did. */
export interface Swept extends Omit<Compared, 'reap'> { removed: number; requests: number; ms: number; errorRegions: string[] }

/** The lease went to another replica: it goes on, this one stops. */
export class SweepLost extends Error {}

/** Fly's limit of a page. */
const PAGE = 1_000;
/** The id of an app that is listed by itself. */
const APP = 'app:';

/**
 * One sweep under a claimed fence: reads the organisation's machines page by page, each put into the database before the next is asked for, and has them
 * compared there. Then removes what nobody owns and is due: each is read and asked about once more. Throws FlyError when the listing breaks off:
 * then nothing is concluded from it.
 */
export async function sweep(fence: number, options: SweepOptions): Promise<Swept> {
  const { fly, database, org, signal, now } = options;
  const began = now();
  const errorRegions = new Set<string>();
  let requests = 0;
  for await (const page of fleetPages(fly.listOrgMachines, { org, limit: PAGE }, { signal })) {
    requests += 1;
    for (const region of page.errorRegions) errorRegions.add(region);
    if (page.machines.length > 0 && !(await database.page(fence, page.machines.map(rowOf)))) throw new SweepLost();
  }

  if (options.apps) {
    const apps = await fly.apps.list({ orgSlug: org, limit: PAGE }, { signal });
    requests += Math.max(1, Math.ceil(apps.length / PAGE));
    for (let from = 0; from < apps.length; from += PAGE) {
      if (!(await database.page(fence, apps.slice(from, from + PAGE).map(({ name }): ListedRow => [`${APP}${name}`, name, 'app', '', null, null, null])))) throw new SweepLost();
    }
  }

  const compared = await database.compare(fence, { errorRegions: [...errorRegions], apps: options.apps }, options.rules);
  if (compared === null) throw new SweepLost();
  const { reap, ...found } = compared;
  let removed = 0;
  // a sweep removes a few: one app is deleted with its machine, volume and addresses
  for (const orphan of reap) {
    requests += 2;
    if (await remove(fence, orphan, options)) removed += 1;
  }
  const swept = { ...found, removed, requests, ms: now() - began, errorRegions: [...errorRegions] };
  await database.end(fence, { ...swept, outcome: 'done' });
  return swept;
}

/** True when it is gone. What Fly refuses is noted, and tried again by a later sweep. */
async function remove(fence: number, orphan: { subject: string; app: string }, { fly, database, signal }: SweepOptions): Promise<boolean> {
  const noted = async (error: string | null) => { if (!(await database.noteReaped(fence, orphan.subject, error))) throw new SweepLost(); };
  try {
    const owner = await ownerOf(orphan, fly, signal);
    if (owner === 'gone') {
      await noted(null);
      return false;
    }
    // somebody has it by now: the next sweep sees that too
    if (owner === 'somebody' || !(await database.mayReap(fence, { ...orphan, owner: owner.id }))) return false;
    await fly.apps.delete(orphan.app, { force: true, signal }).catch(absent);
    await noted(null);
    return true;
  } catch (error) {
    if (!(error instanceof FlyError)) throw error;
    // too many at once says nothing of this one
    if (error.code === 'fly_rate_limited') return false;
    await noted(sentenceOf(error));
    return false;
  }
}

/** Whose it is by what Fly says now. */
async function ownerOf(orphan: { subject: string; app: string }, fly: SweepFly, signal: AbortSignal): Promise<{ id: string | null } | 'gone' | 'somebody'> {
  if (orphan.subject.startsWith(APP)) {
    const machines = await fly.machines.list(orphan.app, {}, { signal }).catch(absent);
    return machines === null ? 'gone' : machines.length > 0 ? 'somebody' : { id: null };
  }
  const machine = await fly.machines.get(orphan.app, orphan.subject, { signal }).catch(absent);
  return machine === null || machine.state === 'destroyed' ? 'gone' : { id: machine.config?.metadata?.[META_MACHINE] ?? null };
}

function absent(error: unknown): null {
  if (error instanceof FlyError && error.code === 'fly_not_found') return null;
  throw error;
}

function rowOf(machine: OrgMachine): ListedRow {
  const metadata = machine.config?.['metadata'] as Record<string, unknown> | null | undefined;
  const owner = metadata?.[META_MACHINE];
  const changedAt = Date.parse(machine.updated_at ?? machine.created_at ?? '');
  return [machine.id, machine.app_name, machine.state, machine.region, machine.version ?? null, typeof owner === 'string' ? owner : null, Number.isNaN(changedAt) ? null : changedAt];
}
