import type { Store } from './store.ts';

export interface Overlap { owner: string; first: string; second: string; from: number; to: number | null }
export interface Unleased { seq: number; time: number; who: string; verb: string; app: string; machine: string; lease: 'other' | 'none' }
export interface Limited { verb: string; app: string | null; machine: string | null; times: number }
export interface Audit { overlaps: Overlap[]; unleased: Unleased[]; limited: Limited[]; runs: number; writes: number }

/** What changes a machine and so belongs under its lease. */
const LEASED = ['update', 'start', 'stop', 'suspend', 'restart', 'signal', 'cordon', 'uncordon', 'destroy'].map((verb) => `machine.${verb}`)
  .concat(['metadata.set', 'metadata.delete', 'metadata.replace']);

/**
 * Which rules were broken so far, from what was written down: two machines of one owner that ran at once, changes that were let through without their
 * own lease, requests above Fly's rates (those that a fault refused are not counted). `by`: whose machines must not overlap: those of an app, or those
 * with the same value of this metadata key.
 */
export function audit(store: Store, by: string): Audit {
  const { db } = store;
  const key = by.startsWith('metadata.') ? by.slice('metadata.'.length) : null;
  const pathOf = JSON.stringify(key ?? '');
  const owned = `select seq, machine_id, started_at, ended_at, case when ?1 is null then app else json_extract(metadata, '$.' || ?2) end as owner from runs`;
  return {
    overlaps: db.all<Overlap>(
      `with owned as materialized (${owned}), busy as (select owner from owned where owner is not null group by owner having count(distinct machine_id) > 1)
       select a.owner, a.machine_id as first, b.machine_id as second, max(a.started_at, b.started_at) as "from", nullif(min(coalesce(a.ended_at, 9e15), coalesce(b.ended_at, 9e15)), 9e15) as "to"
       from busy join owned a on a.owner = busy.owner join owned b on b.owner = busy.owner and b.machine_id <> a.machine_id and b.seq > a.seq
       where a.started_at < coalesce(b.ended_at, 9e15) and b.started_at < coalesce(a.ended_at, 9e15) order by a.seq`, key, pathOf,
    ),
    unleased: db.all<Unleased>(
      `select seq, time, who, verb, app, machine, lease from writes
       where status between 200 and 399 and lease <> 'own' and verb in (${LEASED.map(() => '?').join(', ')}) order by seq`, ...LEASED,
    ),
    limited: db.all<Limited>('select verb, app, machine, count(*) as times from writes where status = 429 and fault is null group by 1, 2, 3 order by 4 desc'),
    runs: (db.get('select count(*) as count from runs') as { count: number }).count,
    writes: (db.get('select count(*) as count from writes where status <> 0') as { count: number }).count,
  };
}
