-- What a request with an Idempotency-Key asks for is done once. The answer of a deed may be lost, its replica may die, the database may end it long after whoever
-- asked has given up: so whether it was done is written in the transaction that does it, and an attempt that another has taken over does nothing any more.

alter table public.idempotency_keys
  -- Of the request itself, whichever attempt executes it: what the request makes has this id.
  add column id uuid not null default gen_random_uuid(),
  -- Since when it is done, whether or not anybody knows the answer.
  add column done_at timestamptz;
create unique index idempotency_keys_attempt on public.idempotency_keys (attempt);

-- The request that this transaction executes, by the header in which the control plane names its attempt; all null: it has no key. Refuses an attempt that was taken over.
create function private.keyed_request() returns public.idempotency_keys
language plpgsql set search_path = '' as $$
declare
  v_attempt text := nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-trademind-attempt';
  v_request public.idempotency_keys;
begin
  if private.claim('role') is distinct from 'service_role' or v_attempt is null or v_attempt !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return null;
  end if;
  select * into v_request from public.idempotency_keys where attempt = v_attempt::uuid for update;
  if not found then
    perform private.refuse(409, 'request_taken_over', 'Another attempt at this request has taken over.', 'Repeat it with the same Idempotency-Key; you will get its answer.');
  end if;
  return v_request;
end $$;

-- Whether the deed is still to be done; from then on it counts as done, if this transaction ends well. Ask after the rows that it changes are held.
create function private.once() returns boolean
language plpgsql set search_path = '' as $$
declare
  v_request public.idempotency_keys := private.keyed_request();
begin
  if v_request.id is null then
    return true;
  end if;
  update public.idempotency_keys set done_at = clock_timestamp() where id = v_request.id and user_id = v_request.user_id and key = v_request.key and done_at is null;
  return found;
end $$;

-- As before, and `new` names the request's id.
create or replace function public.begin_request(p_user_id uuid, p_key text, p_hash text, p_attempt uuid, p_lock_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.idempotency_keys;
  v_now timestamptz;
begin
  delete from public.idempotency_keys where user_id = p_user_id and key = p_key and created_at < clock_timestamp() - interval '24 hours';
  insert into public.idempotency_keys (user_id, key, request_hash, attempt, locked_until)
    values (p_user_id, p_key, p_hash, p_attempt, clock_timestamp() + make_interval(secs => p_lock_seconds)) on conflict (user_id, key) do nothing returning * into v_row;
  if found then
    return jsonb_build_object('state', 'new', 'id', v_row.id);
  end if;
  select * into v_row from public.idempotency_keys where user_id = p_user_id and key = p_key for update;
  v_now := clock_timestamp();
  if not found then
    return jsonb_build_object('state', 'running');
  end if;
  if v_row.request_hash <> p_hash then
    return jsonb_build_object('state', 'mismatch');
  end if;
  if v_row.status is not null then
    return jsonb_build_object('state', 'done', 'status', v_row.status, 'headers', v_row.headers, 'answer', v_row.answer);
  end if;
  if v_row.locked_until > v_now then
    return jsonb_build_object('state', 'running');
  end if;
  update public.idempotency_keys set attempt = p_attempt, locked_until = v_now + make_interval(secs => p_lock_seconds) where user_id = p_user_id and key = p_key;
  return jsonb_build_object('state', 'new', 'id', v_row.id);
exception when foreign_key_violation then
  perform private.refuse(401, 'token_refused', 'This user is no more.', 'Sign in again.');
end $$;

-- Keeps the answer; p_status null: nobody knows how it ended, and the next attempt may begin at once. The request itself is not forgotten: it may have been done.
-- False when another has taken it over.
create or replace function public.end_request(p_user_id uuid, p_key text, p_attempt uuid, p_status int, p_headers jsonb, p_answer text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.idempotency_keys set status = p_status, headers = p_headers, answer = p_answer, locked_until = case when p_status is null then clock_timestamp() else locked_until end
    where user_id = p_user_id and key = p_key and attempt = p_attempt and status is null;
  return found;
end $$;

-- As before, once for each request: a repeat answers with the machine as it is, whatever it is now. What is being destroyed, or is destroyed, takes no wish but to be destroyed:
-- nobody would ever look at it.
create or replace function public.set_machine_desired(
  p_machine_id uuid, p_user_id uuid, p_patch jsonb, p_if_generation bigint default null
) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.machines;
  v_wish public.machines;
  v_after public.machines;
begin
  perform private.check_keys(p_patch, array[
    'desired_state', 'desired_region', 'desired_cpu_kind', 'desired_cpus', 'desired_memory_mb', 'desired_image',
    'desired_env', 'desired_regions', 'desired_sizes', 'desired_restart', 'desired_secret']);
  select * into v_before from public.machines where id = p_machine_id and user_id = p_user_id for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'The user has no machine of this id.');
  end if;
  if not private.once() then
    return v_before;
  end if;
  if v_before.desired_state = 'destroyed' or v_before.phase = 'destroyed' then
    if p_patch <> '{"desired_state": "destroyed"}' then
      if v_before.phase = 'destroyed' then
        perform private.refuse(409, 'machine_destroyed', 'This machine is destroyed.', 'Deploy a new machine.');
      end if;
      perform private.refuse(409, 'machine_being_destroyed', 'This machine is being destroyed; the wish cannot be taken back.', 'Wait until it is destroyed, then deploy again.');
    elsif v_before.phase = 'destroyed' then
      return v_before;
    end if;
  end if;
  if p_if_generation is distinct from null and p_if_generation <> v_before.generation then
    perform private.refuse(412, 'generation_mismatch',
      format('The machine is at generation %s, not %s.', v_before.generation, p_if_generation), 'Read it again, then repeat the change.');
  end if;
  v_wish := jsonb_populate_record(v_before, p_patch);
  update public.machines set
    desired_state = v_wish.desired_state, desired_region = v_wish.desired_region, desired_cpu_kind = v_wish.desired_cpu_kind,
    desired_cpus = v_wish.desired_cpus, desired_memory_mb = v_wish.desired_memory_mb, desired_image = v_wish.desired_image,
    desired_env = v_wish.desired_env, desired_regions = v_wish.desired_regions, desired_sizes = v_wish.desired_sizes,
    desired_restart = v_wish.desired_restart, desired_secret = v_wish.desired_secret,
    next_look_at = clock_timestamp(), attempts = 0
  where id = p_machine_id returning * into v_after;
  if v_after.generation > v_before.generation then
    insert into public.machine_events (machine_id, kind, message, data) values (p_machine_id, 'wish', private.wish_sentence(p_patch), p_patch - 'desired_env');
  end if;
  return v_after;
end $$;

-- As before, once for each request. A repeat cannot show the token that was made: while nobody has used it, it gets a new one in its place.
create or replace function public.create_access_token(p_user_id uuid, p_name text, p_hash text, p_scopes text[], p_days int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_token public.access_tokens;
  v_request public.idempotency_keys;
begin
  perform private.lock_user(p_user_id);
  v_request := private.keyed_request();
  if not private.once() then
    update public.access_tokens set hash = p_hash where id = v_request.id and user_id = p_user_id and last_used_at is null and revoked_at is null returning * into v_token;
    if not found then
      perform private.refuse(409, 'access_token_made', 'This request has made its access token already, and it is in use or revoked.', 'Make another with a new Idempotency-Key.');
    end if;
    return to_jsonb(v_token) - 'hash';
  end if;
  if (select count(*) from public.access_tokens where user_id = p_user_id and revoked_at is null and expires_at > clock_timestamp()) >= 50 then
    perform private.refuse(409, 'too_many_access_tokens', 'You have 50 access tokens already.', 'Revoke those that are not needed any more.');
  end if;
  insert into public.access_tokens (id, user_id, name, hash, scopes, expires_at)
    values (coalesce(v_request.id, gen_random_uuid()), p_user_id, p_name, p_hash, p_scopes, clock_timestamp() + make_interval(days => p_days)) returning * into v_token;
  return to_jsonb(v_token) - 'hash';
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- As before, once for each request: a repeat answers with the rollout that was started.
create or replace function public.start_rollout(p_release_id uuid, p_environment text, p_settings jsonb, p_excluded_users uuid[], p_excluded_machines uuid[], p_by uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_release public.releases;
  v_rollout public.rollouts;
  v_request public.idempotency_keys;
begin
  perform pg_advisory_xact_lock(hashtextextended('trademind.rollouts', 0));
  v_request := private.keyed_request();
  if not private.once() then
    return v_request.id;
  end if;
  select * into v_release from public.releases where id = p_release_id for share;
  if not found then
    perform private.refuse(404, 'release_not_found', 'There is no release of this id.', 'List them with GET /v1/releases.');
  end if;
  if v_release.withdrawn_at is not null then
    perform private.refuse(409, 'release_withdrawn', format('Version %s was withdrawn: %s', v_release.version, v_release.withdrawn_reason), 'Choose another release.');
  end if;
  if exists (select from public.rollouts where finished_at is null and (environment is null or p_environment is null or environment = p_environment)) then
    perform private.refuse(409, 'rollout_under_way', 'Another rollout of these machines is not finished.', 'Wait for its end, or abort it.');
  end if;
  insert into public.rollouts (id, release_id, environment, settings, excluded_users, excluded_machines, started_by)
    values (coalesce(v_request.id, gen_random_uuid()), p_release_id, p_environment, p_settings, coalesce(p_excluded_users, '{}'), coalesce(p_excluded_machines, '{}'), p_by) returning * into v_rollout;
  update public.rollouts set baseline = private.rollout_others(v_rollout, v_release.image) where id = v_rollout.id;
  insert into public.rollout_events (rollout_id, kind, message, data) values (v_rollout.id, 'started',
    format('The rollout of version %s began.', v_release.version), jsonb_build_object('by', p_by, 'image', v_release.image));
  return v_rollout.id;
end $$;
notify pgrst, 'reload schema';
