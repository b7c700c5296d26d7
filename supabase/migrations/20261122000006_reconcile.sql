-- Reconciling: who looks after which machine now. Any number of replicas; the database's clock; a fencing token on every write-back.

-- Takes up to p_limit due machines. While a lease runs, next_look_at equals its end: a smaller value means somebody
-- asked for a look meanwhile (set_machine_desired), and release_machine must not forget it.
create function public.claim_machines(p_owner text, p_limit int, p_lease_seconds int) returns setof public.machines
language sql security definer set search_path = '' as $$
  with due as materialized (
    select id from public.machines
    where phase <> 'destroyed' and next_look_at <= now() and (lease_expires_at is null or lease_expires_at <= now())
    order by next_look_at
    limit least(greatest(p_limit, 0), 1000)
    for update skip locked
  )
  update public.machines m set
    lease_owner = p_owner, fence = m.fence + 1,
    lease_expires_at = clock.lease_end, next_look_at = clock.lease_end,
    claimed_at = now(), claimed_generation = m.generation
  from due, (select now() + make_interval(secs => least(greatest(p_lease_seconds, 1), 3600)) as lease_end) clock
  where m.id = due.id
  returning m.*
$$;

create function public.renew_machine_lease(p_machine_id uuid, p_fence bigint, p_lease_seconds int) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_end timestamptz := clock_timestamp() + make_interval(secs => least(greatest(p_lease_seconds, 1), 3600));
begin
  update public.machines set
    next_look_at = case when next_look_at >= lease_expires_at then v_end else next_look_at end,
    lease_expires_at = v_end
  where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp();
  return found;
end $$;

-- Writes what was observed under the lease; returns the row, or null when the lease is not (or no longer) the caller's.
create function private.observe_machine(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb) returns public.machines
language plpgsql set search_path = '' as $$
declare
  v_before public.machines;
  v_seen public.machines;
  v_after public.machines;
begin
  perform private.check_keys(coalesce(p_patch, '{}'), array[
    'observed_generation', 'phase', 'phase_since', 'phase_detail', 'fly_app', 'fly_machine_id', 'fly_volume_id', 'fly_instance_id', 'fly_state',
    'region', 'cpu_kind', 'cpus', 'memory_mb', 'image', 'url', 'last_error', 'attempts']);
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
  update public.machines set
    observed_generation = v_seen.observed_generation, phase = v_seen.phase, phase_since = v_seen.phase_since, phase_detail = v_seen.phase_detail,
    fly_app = v_seen.fly_app, fly_machine_id = v_seen.fly_machine_id, fly_volume_id = v_seen.fly_volume_id,
    fly_instance_id = v_seen.fly_instance_id, fly_state = v_seen.fly_state,
    region = v_seen.region, cpu_kind = v_seen.cpu_kind, cpus = v_seen.cpus, memory_mb = v_seen.memory_mb,
    image = v_seen.image, url = v_seen.url, last_error = nullif(v_seen.last_error, 'null'::jsonb), attempts = v_seen.attempts
  where id = p_machine_id returning * into v_after;
  insert into public.machine_events (machine_id, at, kind, message, data)
    select p_machine_id, coalesce(e.at, clock_timestamp()), e.kind, e.message, coalesce(e.data, '{}')
    from jsonb_to_recordset(coalesce(p_events, '[]')) as e(at timestamptz, kind text, message text, data jsonb);
  return v_after;
end $$;

create function public.record_observation(p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb default '[]') returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  return (private.observe_machine(p_machine_id, p_fence, p_patch, p_events)).id is not null;
end $$;

-- The last write-back of a look: ends the lease and says when to look again; at once if the wish changed or a look was asked for meanwhile.
create function public.release_machine(
  p_machine_id uuid, p_fence bigint, p_patch jsonb, p_events jsonb default '[]', p_next_look_seconds numeric default 30
) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.machines := private.observe_machine(p_machine_id, p_fence, p_patch, p_events);
  v_seen_generation bigint;
begin
  if v_row.id is null then
    return false;
  end if;
  v_seen_generation := greatest(v_row.claimed_generation, (p_patch ->> 'observed_generation')::bigint);
  update public.machines set
    lease_owner = null, lease_expires_at = null,
    next_look_at = case
      when generation > v_seen_generation or next_look_at < lease_expires_at then clock_timestamp()
      else clock_timestamp() + make_interval(secs => greatest(p_next_look_seconds, 0)::double precision)
    end
  where id = p_machine_id;
  return true;
end $$;

-- p_hashes: SHA-256 (hex) of the present secret and, while rotating, the next one.
create function public.set_machine_secret(p_machine_id uuid, p_fence bigint, p_hashes text[]) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.machines
    where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp() for no key update;
  if not found then
    return false;
  end if;
  insert into public.machine_secrets (machine_id, hashes) values (p_machine_id, p_hashes)
    on conflict (machine_id) do update set hashes = excluded.hashes, updated_at = clock_timestamp();
  return true;
end $$;

-- {machine_id, user_id, token_epoch} of the machine whose secret has this hash; null when there is none.
create function public.machine_by_secret(p_hash text) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('machine_id', m.id, 'user_id', m.user_id, 'token_epoch', m.token_epoch)
  from public.machine_secrets s join public.machines m on m.id = s.machine_id
  where s.hashes @> array[p_hash] and m.phase <> 'destroyed'
$$;

grant execute on function
  public.claim_machines(text, int, int),
  public.renew_machine_lease(uuid, bigint, int),
  public.record_observation(uuid, bigint, jsonb, jsonb),
  public.release_machine(uuid, bigint, jsonb, jsonb, numeric),
  public.set_machine_secret(uuid, bigint, text[]),
  public.machine_by_secret(text)
to service_role;
