-- Claims with priorities, fairness and room for the healthy; steps that tell when the wish changed meanwhile; which replicas live.

-- Takes up to p_limit due machines. A user who waits comes before drift, drift before an ordinary look; whoever is due longest gains on both, so
-- that nothing starves. Of each user's machines one comes first, then one of each user's second. At most p_troubled of them have failed
-- three times in a row: those that hang may not take all places. While a lease runs, next_look_at equals its end: a smaller value means
-- that somebody asked for a look meanwhile, and release_machine must not forget it.
drop function public.claim_machines(text, int, int);
create function public.claim_machines(p_owner text, p_limit int, p_lease_seconds int, p_troubled int default null) returns setof public.machines
language sql security definer set search_path = '' as $$
  with candidates as materialized (
    (select id, user_id, waiting, attempts, phase, next_look_at from public.machines
      where phase <> 'destroyed' and waiting and next_look_at <= now() and (lease_expires_at is null or lease_expires_at <= now())
      order by next_look_at limit least(greatest(p_limit, 0), 1000) * 4)
    union
    (select id, user_id, waiting, attempts, phase, next_look_at from public.machines
      where phase <> 'destroyed' and next_look_at <= now() and (lease_expires_at is null or lease_expires_at <= now())
      order by next_look_at limit least(greatest(p_limit, 0), 1000) * 4)
  ), ranked as (
    select id, attempts >= 3 as troubled,
      row_number() over (partition by user_id order by next_look_at) as turn,
      next_look_at - case when waiting and attempts < 3 then interval '2 minutes' when waiting or phase = 'failed' then interval '30 seconds' else interval '0' end as urgency
    from candidates
  ), lanes as (
    select id, turn, urgency, troubled, row_number() over (partition by troubled order by turn, urgency) as place from ranked
  ), due as materialized (
    select m.id from public.machines m join lanes l using (id)
    where m.phase <> 'destroyed' and m.next_look_at <= now() and (m.lease_expires_at is null or m.lease_expires_at <= now())
      and (not l.troubled or l.place <= coalesce(p_troubled, p_limit))
    order by l.turn, l.urgency
    limit least(greatest(p_limit, 0), 1000)
    for update of m skip locked
  )
  update public.machines m set
    lease_owner = p_owner, fence = m.fence + 1,
    lease_expires_at = clock.lease_end, next_look_at = clock.lease_end,
    claimed_at = now(), claimed_generation = m.generation
  from due, (select now() + make_interval(secs => least(greatest(p_lease_seconds, 1), 3600)) as lease_end) clock
  where m.id = due.id
  returning m.*
$$;

-- As before, and with what the reconciler remembers since.
create or replace function private.observe_machine(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb) returns public.machines
language plpgsql set search_path = '' as $$
declare
  v_before public.machines;
  v_seen public.machines;
  v_after public.machines;
begin
  perform private.check_keys(coalesce(p_patch, '{}'), array[
    'observed_generation', 'phase', 'phase_since', 'phase_detail', 'fly_app', 'fly_machine_id', 'fly_volume_id', 'fly_instance_id', 'fly_state',
    'region', 'cpu_kind', 'cpus', 'memory_mb', 'image', 'url', 'last_error', 'attempts',
    'placed', 'tried', 'placement', 'good', 'failed_generation', 'failure', 'config_sent_at', 'secret_version', 'secret_oldest', 'doubt', 'unreachable_since',
    'drain_until', 'drain_reason']);
  select * into v_before from public.machines
    where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp() for no key update;
  if not found then
    return null;
  end if;
  v_seen := jsonb_populate_record(v_before, coalesce(p_patch, '{}'));
  -- The machine itself said more since this lease was taken: an older view does not set it back.
  if v_seen.phase in ('creating', 'starting') and v_before.phase in ('backfilling', 'screening') and v_before.phase_since >= v_before.claimed_at then
    v_seen.phase := v_before.phase;
    v_seen.phase_since := v_before.phase_since;
    v_seen.phase_detail := v_before.phase_detail;
  end if;
  -- The wish went elsewhere since this lease was taken: places that were tried for the wish before it are not those of the new one.
  if v_before.generation > v_before.claimed_generation then
    v_seen.placed := v_before.placed;
    v_seen.tried := v_before.tried;
    v_seen.placement := greatest(v_before.placement, v_seen.placement);
  end if;
  update public.machines set
    observed_generation = v_seen.observed_generation, phase = v_seen.phase, phase_since = v_seen.phase_since, phase_detail = v_seen.phase_detail,
    fly_app = v_seen.fly_app, fly_machine_id = v_seen.fly_machine_id, fly_volume_id = v_seen.fly_volume_id,
    fly_instance_id = v_seen.fly_instance_id, fly_state = v_seen.fly_state,
    region = v_seen.region, cpu_kind = v_seen.cpu_kind, cpus = v_seen.cpus, memory_mb = v_seen.memory_mb,
    image = v_seen.image, url = v_seen.url, last_error = nullif(v_seen.last_error, 'null'::jsonb), attempts = v_seen.attempts,
    placed = nullif(v_seen.placed, 'null'::jsonb), tried = v_seen.tried, placement = v_seen.placement, good = nullif(v_seen.good, 'null'::jsonb),
    failed_generation = v_seen.failed_generation, failure = nullif(v_seen.failure, 'null'::jsonb), config_sent_at = v_seen.config_sent_at,
    secret_version = v_seen.secret_version, secret_oldest = v_seen.secret_oldest, doubt = nullif(v_seen.doubt, 'null'::jsonb),
    unreachable_since = v_seen.unreachable_since, drain_until = v_seen.drain_until, drain_reason = v_seen.drain_reason
  where id = p_machine_id returning * into v_after;
  insert into public.machine_events (machine_id, at, kind, message, data)
    select p_machine_id, coalesce(e.at, clock_timestamp()), e.kind, e.message, coalesce(e.data, '{}')
    from jsonb_to_recordset(coalesce(p_events, '[]')) as e(at timestamptz, kind text, message text, data jsonb);
  return v_after;
end $$;

-- One step of a look: writes it, and answers the generation of the wish now: another one than the look began with means that the rest of
-- its steps are no longer wished. Null: the lease is not (or no longer) the caller's.
create function public.record_step(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb default '[]') returns bigint
language plpgsql security definer set search_path = '' as $$
begin
  return (private.observe_machine(p_machine_id, p_fence, p_patch, p_events)).generation;
end $$;

-- Replicas of the control plane that live: whoever has not said so for a while is forgotten.
create table public.control_replicas (
  id text primary key check (length(id) between 1 and 64),
  since timestamptz not null default now(),
  beat_at timestamptz not null default now(),
  -- Hash of what it gives to every machine.
  contract text not null default '' check (length(contract) <= 64)
);
alter table public.control_replicas enable row level security;
alter table public.control_replicas force row level security;
grant select on public.control_replicas to service_role;

-- "I live". Answers {live: how many do (those that said so within p_seconds, the caller included): what they share is divided by it, superseded: a younger
-- one lives that gives other things to machines}. Of two versions of the control plane the younger alone reconciles, or they would update machines back and forth.
create function public.replica_beat(p_id text, p_seconds int default 15, p_contract text default '') returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_me public.control_replicas;
begin
  insert into public.control_replicas as r (id, since, beat_at, contract) values (p_id, v_now, v_now, p_contract)
    on conflict (id) do update set beat_at = v_now, contract = p_contract, since = case when r.contract = p_contract then r.since else v_now end
    returning * into v_me;
  delete from public.control_replicas where beat_at < v_now - interval '1 hour';
  return (select jsonb_build_object('live', count(*), 'superseded', coalesce(bool_or(r.since > v_me.since and r.contract <> p_contract), false))
    from public.control_replicas r where r.beat_at > v_now - make_interval(secs => greatest(p_seconds, 1)));
end $$;

-- A replica that ends by itself says so: the others have its share at once, and what it had claimed is due.
create function public.replica_leave(p_id text) returns void
language sql security definer set search_path = '' as $$
  delete from public.control_replicas where id = p_id
$$;

-- Secrets of a machine by version: all stay valid until the machine has started with a newer one. A set whose answer was lost is repeated with another
-- value of the same version, and whichever of them Fly has is known here.
alter table public.machine_secrets drop constraint machine_secrets_hashes_check;
alter table public.machine_secrets add constraint machine_secrets_hashes_check
  check (cardinality(hashes) between 1 and 8 and array_to_string(hashes, ',') ~ '^[0-9a-f]{64}(,[0-9a-f]{64}){0,7}$');
alter table public.machine_secrets add column versions int[];

-- All at once, of no version in particular.
create or replace function public.set_machine_secret(p_machine_id uuid, p_fence bigint, p_hashes text[]) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.machines
    where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp() for no key update;
  if not found then
    return false;
  end if;
  insert into public.machine_secrets (machine_id, hashes) values (p_machine_id, p_hashes)
    on conflict (machine_id) do update set hashes = excluded.hashes, versions = null, updated_at = clock_timestamp();
  return true;
end $$;

create function public.add_machine_secret(p_machine_id uuid, p_fence bigint, p_hash text, p_version int) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_hashes text[];
  v_versions int[];
begin
  perform from public.machines
    where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp() for no key update;
  if not found then
    return false;
  end if;
  select s.hashes, coalesce(s.versions, array_fill(0, array[cardinality(s.hashes)])) into v_hashes, v_versions
    from public.machine_secrets s where s.machine_id = p_machine_id;
  v_hashes := coalesce(v_hashes, '{}') || p_hash;
  v_versions := coalesce(v_versions, '{}') || p_version;
  -- The oldest stays, for it is the machine's; of attempts that led nowhere the newest do.
  while cardinality(v_hashes) > 8 loop
    v_hashes := v_hashes[1:1] || v_hashes[3:];
    v_versions := v_versions[1:1] || v_versions[3:];
  end loop;
  insert into public.machine_secrets (machine_id, hashes, versions) values (p_machine_id, v_hashes, v_versions)
    on conflict (machine_id) do update set hashes = excluded.hashes, versions = excluded.versions, updated_at = clock_timestamp();
  return true;
end $$;

-- The machine has started with the secret of p_version: older ones are valid no more. Never leaves it without any.
create function public.retire_machine_secrets(p_machine_id uuid, p_fence bigint, p_version int) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.machines
    where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp() for no key update;
  if not found then
    return false;
  end if;
  update public.machine_secrets s set (hashes, versions, updated_at) = (
    select array_agg(o.hash order by o.at), array_agg(o.version order by o.at), clock_timestamp()
    from unnest(s.hashes, s.versions) with ordinality as o(hash, version, at) where o.version >= p_version)
  where s.machine_id = p_machine_id and s.versions is not null and p_version = any (s.versions);
  return true;
end $$;

grant execute on function
  public.claim_machines(text, int, int, int),
  public.record_step(uuid, bigint, jsonb, jsonb),
  public.replica_beat(text, int, text),
  public.replica_leave(text),
  public.add_machine_secret(uuid, bigint, text, int),
  public.retire_machine_secrets(uuid, bigint, int)
to service_role;
notify pgrst, 'reload schema';
