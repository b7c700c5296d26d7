-- The sweep compares what Fly lists with what stands here: one bulk listing, put into a table and compared in SQL. It finds what differs, what nobody owns and
-- what should exist and does not. It repairs nothing itself: it wakes whoever looks after the machine. Only what nobody owns it removes, late and few at a time.

-- One row: one replica sweeps at a time.
create table public.fleet_sweep (
  only_one boolean primary key default true check (only_one),
  lease_owner text,
  fence bigint not null default 0,
  lease_expires_at timestamptz,
  next_at timestamptz not null default now(),
  -- Set while the breaker is open: nothing is removed until an operator has looked. {code, message, orphans, listed, at}
  halted jsonb,
  -- So many orphans an operator has seen and allowed.
  allowed int not null default 0,
  -- Figures of the last one that ended.
  last jsonb
);
insert into public.fleet_sweep default values;

-- What is not as it should be, until it is again. `subject`: Fly's machine id; of what is missing, the id of its row.
create table public.fleet_findings (
  kind text not null check (kind in ('differs', 'double', 'missing', 'orphan', 'foreign')),
  subject text not null check (length(subject) <= 200),
  machine_id uuid,
  app text,
  region text,
  version text,
  why text not null check (length(why) <= 500),
  looks int not null default 1,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  acted_at timestamptz,
  attempts int not null default 0,
  last_error text check (length(last_error) <= 1000),
  abandoned_at timestamptz,
  primary key (kind, subject)
);

-- What sweeps did, in sentences.
create table public.fleet_events (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  kind text not null check (kind ~ '^[a-z][a-z0-9_.-]{0,63}$'),
  message text not null check (length(message) between 1 and 2000),
  data jsonb not null default '{}'
);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['fleet_sweep', 'fleet_findings', 'fleet_events'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('grant select on public.%I to service_role', v_table);
  end loop;
end $$;

-- The listing of the sweep under way. It is written anew each time: nothing is lost with it. Of an app that was listed by itself the id is `app:<name>`, the state `app`.
create unlogged table private.fleet_listing (
  fly_machine_id text primary key,
  app text not null,
  state text not null,
  region text not null,
  version text,
  owner uuid,
  changed_at timestamptz
);
create index fleet_listing_app on private.fleet_listing (app);

-- Versions at Fly that a look has found right although they are not the one that was written back.
create table private.verified_versions (machine_id uuid primary key references public.machines on delete cascade, version text not null);

-- Apps that were ever made from here. What is not among them is somebody else's, and is never removed.
create table private.known_apps (app text primary key, since timestamptz not null default now());
insert into private.known_apps (app) select distinct fly_app from public.machines where fly_app is not null;

create function private.note_app() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  insert into private.known_apps (app) values (new.fly_app) on conflict do nothing;
  return null;
end $$;
create trigger machine_app_known after update of fly_app on public.machines
  for each row when (new.fly_app is not null and new.fly_app is distinct from old.fly_app) execute function private.note_app();

-- The row of the sweep, when the fence holds; renews the lease.
create function private.sweeping(p_fence bigint, p_lease_seconds int) returns boolean
language plpgsql set search_path = '' as $$
begin
  update public.fleet_sweep set lease_expires_at = clock_timestamp() + make_interval(secs => least(greatest(p_lease_seconds, 1), 600))
    where fence = p_fence and lease_expires_at > clock_timestamp();
  return found;
end $$;

-- The fence of a new sweep; null while another is under way or none is due.
create function public.claim_sweep(p_owner text, p_lease_seconds int, p_interval_seconds int) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_fence bigint;
begin
  update public.fleet_sweep set lease_owner = p_owner, fence = fence + 1, lease_expires_at = clock_timestamp() + make_interval(secs => least(greatest(p_lease_seconds, 1), 600)),
      next_at = clock_timestamp() + make_interval(secs => greatest(p_interval_seconds, 1))
    where next_at <= clock_timestamp() and (lease_expires_at is null or lease_expires_at <= clock_timestamp()) returning fence into v_fence;
  if found then
    truncate private.fleet_listing;
  end if;
  return v_fence;
end $$;

-- A page of the listing: [[fly_machine_id, app, state, region, version, owner, changed_at], …]. A machine that comes twice counts as it was last.
create function public.sweep_page(p_fence bigint, p_rows jsonb, p_lease_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if not private.sweeping(p_fence, p_lease_seconds) then
    return false;
  end if;
  insert into private.fleet_listing as l (fly_machine_id, app, state, region, version, owner, changed_at)
    select distinct on (r ->> 0) r ->> 0, r ->> 1, r ->> 2, r ->> 3, r ->> 4,
      case when r ->> 5 ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then (r ->> 5)::uuid end, to_timestamp((r ->> 6)::double precision / 1000)
    from jsonb_array_elements(p_rows) r order by r ->> 0, (r ->> 6)::double precision desc nulls last
    on conflict (fly_machine_id) do update set app = excluded.app, state = excluded.state, region = excluded.region, version = excluded.version, owner = excluded.owner, changed_at = excluded.changed_at
      where excluded.changed_at >= l.changed_at or l.changed_at is null;
  return true;
end $$;

-- What is not as it should be, by the listing. Rows that somebody looks after just now, or whose wish is not fulfilled yet, are left alone.
-- p_error_regions were not read: an absence there says nothing.
create function private.sweep_findings(p_error_regions text[])
returns table (kind text, subject text, machine_id uuid, app text, region text, version text, why text)
language sql stable set search_path = '' as $$
  with quiet as materialized (
    select m.* from public.machines m
    where m.phase <> 'destroyed' and m.desired_state <> 'destroyed' and m.observed_generation >= m.generation and (m.lease_expires_at is null or m.lease_expires_at <= now())
  ), there as materialized (
    -- An app with a machine is judged by its machine.
    select l.* from private.fleet_listing l where l.state not in ('destroyed', 'destroying')
      and not (l.state = 'app' and exists (select from private.fleet_listing x where x.app = l.app and x.state not in ('app', 'destroyed')))
  ), owned as materialized (
    -- Whose it is: by what its metadata says, or by its app.
    select t.fly_machine_id, t.app, bool_or(m.id is not null) over (partition by t.app) as by_somebody
    from there t left join public.machines m on m.id = t.owner and m.phase <> 'destroyed'
  )
  select 'differs', t.fly_machine_id, q.id, t.app, t.region, t.version, case
      when t.region <> q.region then format('It stands in %s, not in %s.', t.region, q.region)
      when q.desired_state = 'started' and t.state in ('stopped', 'suspended', 'failed', 'created', 'launch_failed') then format('It is %s; it is wished to run.', t.state)
      when q.desired_state = 'stopped' and t.state = 'started' then 'It runs; it is wished to be stopped.'
      else 'Its configuration at Fly is not the one that was verified.' end
    from quiet q join there t on t.fly_machine_id = q.fly_machine_id left join private.verified_versions v on v.machine_id = q.id
    where (t.version is distinct from q.fly_instance_id and t.version is distinct from v.version)
      or (q.desired_state = 'started' and t.state in ('stopped', 'suspended', 'failed', 'created', 'launch_failed'))
      or (q.desired_state = 'stopped' and t.state = 'started') or t.region <> q.region
  union all
  select 'missing', q.id::text, q.id, q.fly_app, coalesce(q.region, q.desired_region), null, 'It should exist, and Fly does not list it.'
    from quiet q left join there t on t.fly_machine_id = q.fly_machine_id
    where t.fly_machine_id is null and (q.fly_machine_id is not null or q.desired_state = 'started')
      and coalesce(q.region, q.desired_region) <> all (p_error_regions)
  union all
  select 'double', t.fly_machine_id, q.id, t.app, t.region, t.version, format('It was made for a user whose machine is %s.', q.fly_machine_id)
    from there t join quiet q on q.id = t.owner where q.fly_machine_id is not null and q.fly_machine_id <> t.fly_machine_id
  union all
  select case when k.app is not null or d.id is not null then 'orphan' else 'foreign' end, t.fly_machine_id, d.id, t.app, nullif(t.region, ''), t.version,
      case when k.app is not null and t.state = 'app' then 'An app without a machine, made here, that belongs to nobody any more: its volume and addresses may still cost.'
        when k.app is not null or d.id is not null then 'It was made here, and belongs to nobody any more.' else 'It looks like one of ours, and was never made from this database.' end
    from there t join owned o on o.fly_machine_id = t.fly_machine_id
    left join public.machines d on d.id = t.owner
    left join private.known_apps k on k.app = t.app
    where t.app like 'tm-%' and not o.by_somebody and not exists (select from public.machines m where m.fly_app = t.app and m.phase <> 'destroyed')
$$;
-- By app: whose it is.
create index machines_fly_app on public.machines (fly_app) where fly_app is not null and phase <> 'destroyed';

-- Compares, remembers, wakes. p_apps: apps were listed too. p_rules: {looks, orphanLooks, graceSeconds, orphanGraceSeconds, wakes, reaps, orphanShare, missingShare}.
-- Returns null when the lease is not the caller's, else {listed, known, differs, double, missing, orphan, foreign, woken, halted, reap: [{subject, app, machineId}]}.
create function public.compare_sweep(p_fence bigint, p_error_regions text[], p_apps boolean, p_rules jsonb, p_lease_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_listed int;
  v_known int;
  v_counts jsonb;
  v_orphans int;
  v_missing int;
  v_woken int := 0;
  v_reap jsonb := '[]';
  v_sweep public.fleet_sweep;
begin
  if not private.sweeping(p_fence, p_lease_seconds) then
    return null;
  end if;
  analyze private.fleet_listing;
  select count(*) into v_listed from private.fleet_listing where state <> 'app';
  select count(*) into v_known from public.machines where phase <> 'destroyed';

  insert into public.fleet_findings as f (kind, subject, machine_id, app, region, version, why, first_seen_at, last_seen_at)
    select n.kind, n.subject, n.machine_id, n.app, n.region, n.version, n.why, v_now, v_now from private.sweep_findings(coalesce(p_error_regions, '{}')) n
    on conflict (kind, subject) do update set machine_id = excluded.machine_id, app = excluded.app, region = excluded.region, why = excluded.why, last_seen_at = v_now,
      -- Another version than at the last look: it begins anew.
      version = excluded.version, looks = case when f.version is distinct from excluded.version then 1 else f.looks + 1 end,
      acted_at = case when f.version is distinct from excluded.version then null else f.acted_at end;
  -- A look that was asked for is done, and it found nothing wrong with this version: so it is verified.
  with verified as (
    delete from public.fleet_findings f using public.machines m
      where f.kind = 'differs' and f.why like 'Its configuration%' and m.id = f.machine_id and m.claimed_at > f.acted_at and m.last_error is null and m.phase in ('screening', 'backfilling', 'stopped')
      returning m.id, f.version)
  insert into private.verified_versions as v (machine_id, version) select id, version from verified where version is not null
    on conflict (machine_id) do update set version = excluded.version;
  -- What was in a region that was not read, or is an app where none were listed, stays as it was known.
  delete from public.fleet_findings where last_seen_at < v_now and (p_apps or subject not like 'app:%') and (region is null or region <> all (coalesce(p_error_regions, '{}')));

  select coalesce(jsonb_object_agg(k, n), '{}') into v_counts from (select kind as k, count(*) as n from public.fleet_findings where last_seen_at = v_now group by kind) c;
  v_orphans := coalesce((v_counts ->> 'orphan')::int, 0);
  v_missing := coalesce((v_counts ->> 'missing')::int, 0);

  -- More looks orphaned than ever happens by chance: it is rather the database that is wrong (restored, emptied, another one).
  select * into v_sweep from public.fleet_sweep;
  if v_orphans > greatest(5, (p_rules ->> 'orphanShare')::numeric * v_listed) and v_orphans > v_sweep.allowed then
    if v_sweep.halted is null then
      insert into public.fleet_events (kind, message, data) values ('halted', format('%s of %s listed machines look orphaned: nothing is removed until an operator has looked.', v_orphans, v_listed),
        jsonb_build_object('orphans', v_orphans, 'listed', v_listed));
    end if;
    update public.fleet_sweep set halted = jsonb_build_object('code', 'orphans_unusual', 'message', format('%s of %s listed machines look orphaned.', v_orphans, v_listed),
      'orphans', v_orphans, 'listed', v_listed, 'at', coalesce(halted ->> 'at', to_char(v_now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) returning * into v_sweep;
  elsif v_sweep.halted is not null and v_orphans <= greatest(v_sweep.allowed, 5, (p_rules ->> 'orphanShare')::numeric * v_listed) then
    update public.fleet_sweep set halted = null returning * into v_sweep;
  end if;

  -- Whoever looks after it looks now. A double is found only by reading the whole app, as after a changed wish. Many missing at once: rather the listing is wrong.
  with due as (
    select f.kind, f.subject, f.machine_id from public.fleet_findings f
    where f.last_seen_at = v_now and f.kind in ('differs', 'double', 'missing') and f.machine_id is not null and f.looks >= (p_rules ->> 'looks')::int
      and f.first_seen_at <= v_now - make_interval(secs => (p_rules ->> 'graceSeconds')::double precision)
      and (f.acted_at is null or f.acted_at <= v_now - make_interval(secs => least(60 * 2 ^ least(f.attempts, 10), 3600)))
      and not (f.kind = 'missing' and v_missing > greatest(10, (p_rules ->> 'missingShare')::numeric * v_known))
    order by f.acted_at nulls first, f.first_seen_at limit (p_rules ->> 'wakes')::int
  ), woken as (
    update public.machines m set next_look_at = least(m.next_look_at, v_now),
        observed_generation = case when d.double then least(m.observed_generation, m.generation - 1) else m.observed_generation end
      from (select machine_id, bool_or(kind = 'double') as double from due group by machine_id) d
      where m.id = d.machine_id and (m.lease_expires_at is null or m.lease_expires_at <= v_now) returning m.id
  ), noted as (
    update public.fleet_findings f set acted_at = v_now, attempts = f.attempts + 1 from due d join woken w on w.id = d.machine_id where f.kind = d.kind and f.subject = d.subject returning f.subject
  )
  select count(*) into v_woken from noted;

  if v_sweep.halted is null then
    select coalesce(jsonb_agg(jsonb_build_object('subject', f.subject, 'app', f.app) order by f.first_seen_at), '[]') into v_reap from (
      select * from public.fleet_findings f where f.kind = 'orphan' and f.last_seen_at = v_now and f.abandoned_at is null and f.looks >= (p_rules ->> 'orphanLooks')::int
        and f.first_seen_at <= v_now - make_interval(secs => (p_rules ->> 'orphanGraceSeconds')::double precision)
      order by f.first_seen_at limit (p_rules ->> 'reaps')::int) f;
  end if;
  return jsonb_build_object('listed', v_listed, 'known', v_known, 'differs', coalesce(v_counts -> 'differs', '0'), 'double', coalesce(v_counts -> 'double', '0'),
    'missing', v_missing, 'orphan', v_orphans, 'foreign', coalesce(v_counts -> 'foreign', '0'), 'woken', v_woken, 'halted', v_sweep.halted, 'reap', v_reap);
end $$;

-- Asked once more, with what Fly said a moment ago, before anything is removed.
create function public.may_reap(p_fence bigint, p_subject text, p_app text, p_owner text, p_lease_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  return private.sweeping(p_fence, p_lease_seconds)
    and exists (select from public.fleet_findings where kind = 'orphan' and subject = p_subject and app = p_app and abandoned_at is null)
    and not exists (select from public.machines where phase <> 'destroyed' and (fly_app = p_app or fly_machine_id = p_subject or id::text = p_owner));
end $$;

-- How removing one ended; p_error null: it is gone. After five attempts it is left to a person.
create function public.note_reaped(p_fence bigint, p_subject text, p_error text, p_lease_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_finding public.fleet_findings;
begin
  if not private.sweeping(p_fence, p_lease_seconds) then
    return false;
  end if;
  if p_error is null then
    delete from public.fleet_findings where kind = 'orphan' and subject = p_subject returning * into v_finding;
    if found then
      update public.fleet_sweep set allowed = greatest(allowed - 1, 0);
      insert into public.fleet_events (kind, message, data) values ('removed', format('The orphan %s was removed with its app %s.', p_subject, v_finding.app), to_jsonb(v_finding));
    end if;
    return true;
  end if;
  update public.fleet_findings set attempts = attempts + 1, acted_at = clock_timestamp(), last_error = left(p_error, 1000),
      abandoned_at = case when attempts + 1 >= 5 then clock_timestamp() end
    where kind = 'orphan' and subject = p_subject returning * into v_finding;
  if v_finding.abandoned_at is not null then
    insert into public.fleet_events (kind, message, data) values ('abandoned', format('The orphan %s could not be removed in %s attempts and is left to you: %s', p_subject, v_finding.attempts, left(p_error, 1000)), to_jsonb(v_finding));
  end if;
  return true;
end $$;

-- Ends the sweep. p_figures: what it took, and how it ended.
create function public.end_sweep(p_fence bigint, p_figures jsonb) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.fleet_sweep set lease_owner = null, lease_expires_at = null, last = p_figures || jsonb_build_object('at', clock_timestamp())
    where fence = p_fence and lease_expires_at > clock_timestamp();
  return found;
end $$;

-- An operator has looked: so many orphans may be removed. Also makes a sweep due now.
create function public.resume_sweep(p_orphans int, p_by uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  update public.fleet_sweep set allowed = greatest(p_orphans, 0), next_at = clock_timestamp(), halted = case when p_orphans >= coalesce((halted ->> 'orphans')::int, 0) then null else halted end;
  -- What was given up may be tried again.
  update public.fleet_findings set abandoned_at = null, attempts = 0 where kind = 'orphan' and abandoned_at is not null;
  insert into public.fleet_events (kind, message, data) values ('operator', format('An operator allowed %s orphans to be removed, and asked for a sweep.', p_orphans), jsonb_build_object('by', p_by));
end $$;

-- The fleet at a glance.
create function public.fleet_summary() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'machines', (select count(*) from public.machines where phase <> 'destroyed'),
    'phases', (select coalesce(jsonb_object_agg(phase, n), '{}') from (select phase, count(*) as n from public.machines where phase <> 'destroyed' group by phase) p),
    'regions', (select coalesce(jsonb_object_agg(region, n), '{}') from (select coalesce(region, desired_region) as region, count(*) as n from public.machines where phase <> 'destroyed' group by 1) r),
    'images', (select coalesce(jsonb_agg(jsonb_build_object('image', i.image, 'version', r.version, 'machines', i.n) order by i.n desc), '[]')
      from (select coalesce(image, desired_image) as image, count(*) as n from public.machines where phase <> 'destroyed' group by 1 order by 2 desc limit 50) i left join public.releases r on r.image = i.image),
    'silent', (select count(*) from public.machines where phase = 'screening' and beat_at < now() - interval '150 seconds'),
    'troubles', (select coalesce(jsonb_object_agg(code, n), '{}') from (select last_error ->> 'code' as code, count(*) as n from public.machines where phase <> 'destroyed' and last_error is not null group by 1 limit 50) t),
    'sweep', (select jsonb_build_object('last', last, 'nextAt', next_at, 'halted', halted, 'allowed', allowed) from public.fleet_sweep),
    'findings', (select coalesce(jsonb_agg(to_jsonb(f) order by f.first_seen_at), '[]') from (select * from public.fleet_findings order by (abandoned_at is null), first_seen_at limit 200) f),
    'events', (select coalesce(jsonb_agg(to_jsonb(e) order by e.id desc), '[]') from (select * from public.fleet_events order by id desc limit 50) e))
$$;

grant execute on function
  public.claim_sweep(text, int, int),
  public.sweep_page(bigint, jsonb, int),
  public.compare_sweep(bigint, text[], boolean, jsonb, int),
  public.may_reap(bigint, text, text, text, int),
  public.note_reaped(bigint, text, text, int),
  public.end_sweep(bigint, jsonb),
  public.resume_sweep(int, uuid),
  public.fleet_summary()
to service_role;
notify pgrst, 'reload schema';
