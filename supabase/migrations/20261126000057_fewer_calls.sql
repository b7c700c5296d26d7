-- A look in fewer calls: a step may bring the secret that Fly learns next, and the end of a look claims for the place that it frees.

-- As before; with p_next_look_seconds it ends the lease in the same write and says when to look again: at once when the wish changed or a look was
-- asked for meanwhile (next_look_at is below the lease's end then).
drop function private.observe_machine(uuid, bigint, jsonb, jsonb);
create function private.observe_machine(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb, p_next_look_seconds numeric default null) returns public.machines
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
  if p_next_look_seconds is not null then
    v_seen.lease_owner := null;
    v_seen.lease_expires_at := null;
    v_seen.next_look_at := case
      when v_before.generation > greatest(v_before.claimed_generation, (p_patch ->> 'observed_generation')::bigint) or v_before.next_look_at < v_before.lease_expires_at then clock_timestamp()
      else clock_timestamp() + make_interval(secs => greatest(p_next_look_seconds, 0)::double precision)
    end;
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
    unreachable_since = v_seen.unreachable_since, drain_until = v_seen.drain_until, drain_reason = v_seen.drain_reason,
    lease_owner = v_seen.lease_owner, lease_expires_at = v_seen.lease_expires_at, next_look_at = v_seen.next_look_at
  where id = p_machine_id returning * into v_after;
  insert into public.machine_events (machine_id, at, kind, message, data)
    select p_machine_id, coalesce(e.at, clock_timestamp()), e.kind, e.message, coalesce(e.data, '{}')
    from jsonb_to_recordset(coalesce(p_events, '[]')) as e(at timestamptz, kind text, message text, data jsonb);
  return v_after;
end $$;

-- As before. p_secret {hash, version}: valid from now on, beside all that were valid before, so that Fly may be told it next.
drop function public.record_step(uuid, bigint, jsonb, jsonb);
create function public.record_step(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb default '[]', p_secret jsonb default null) returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_generation bigint := (private.observe_machine(p_machine_id, p_fence, p_patch, p_events)).generation;
begin
  if v_generation is not null and jsonb_typeof(p_secret) = 'object' then
    perform public.add_machine_secret(p_machine_id, p_fence, p_secret ->> 'hash', (p_secret ->> 'version')::int);
  end if;
  return v_generation;
end $$;

create or replace function public.release_machine(
  p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb default '[]', p_next_look_seconds numeric default 30
) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  return (private.observe_machine(p_machine_id, p_fence, p_patch, p_events, coalesce(p_next_look_seconds, 0))).id is not null;
end $$;

-- As before; those that failed three times in a row stand in nobody's way when no place is left for them.
create or replace function public.claim_machines(p_owner text, p_limit int, p_lease_seconds int, p_troubled int default null) returns setof public.machines
language sql security definer set search_path = '' as $$
  with candidates as materialized (
    (select id, user_id, waiting, attempts, phase, next_look_at from public.machines
      where phase <> 'destroyed' and waiting and next_look_at <= now() and (lease_expires_at is null or lease_expires_at <= now()) and (attempts < 3 or coalesce(p_troubled, 1) > 0)
      order by next_look_at limit least(greatest(p_limit, 0), 1000) * 4)
    union
    (select id, user_id, waiting, attempts, phase, next_look_at from public.machines
      where phase <> 'destroyed' and next_look_at <= now() and (lease_expires_at is null or lease_expires_at <= now()) and (attempts < 3 or coalesce(p_troubled, 1) > 0)
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

-- The end of a look, and what is due for the place that it frees: {kept: whether the row was still the caller's, claimed: rows of machines}. Neither waits for the other:
-- what another writes is passed over by the claim.
create function public.release_and_claim(
  p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb, p_next_look_seconds numeric, p_owner text, p_limit int, p_lease_seconds int, p_troubled int default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_kept boolean := public.release_machine(p_machine_id, p_fence, p_patch, p_events, p_next_look_seconds);
begin
  return jsonb_build_object('kept', v_kept, 'claimed', case when p_limit > 0
    then (select coalesce(jsonb_agg(to_jsonb(m)), '[]') from public.claim_machines(p_owner, p_limit, p_lease_seconds, p_troubled) m) else '[]' end);
end $$;

grant execute on function
  public.record_step(uuid, bigint, jsonb, jsonb, jsonb),
  public.release_and_claim(uuid, bigint, jsonb, jsonb, numeric, text, int, int, int)
to service_role;
notify pgrst, 'reload schema';
