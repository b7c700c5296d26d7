-- More that can be wished for a machine, and what the reconciler remembers of it between two looks. Everything is a level: whoever reads the
-- row knows what is to be done, whatever was missed.

alter table public.machines
  -- The wish.
  add column desired_env jsonb not null default '{}' check (jsonb_typeof(desired_env) = 'object' and pg_column_size(desired_env) <= 16384),
  -- Further places, in order, that the user allows when the first has no room.
  add column desired_regions text[] not null default '{}' check (cardinality(desired_regions) <= 16 and array_to_string(desired_regions, ',') ~ '^([a-z]{3}(,[a-z]{3})*)?$'),
  add column desired_sizes jsonb not null default '[]' check (jsonb_typeof(desired_sizes) = 'array' and jsonb_array_length(desired_sizes) <= 16),
  -- Raised by one: the machine restarts; its secret is replaced.
  add column desired_restart int not null default 0,
  add column desired_secret int not null default 1,
  add column wished_at timestamptz not null default now(),

  -- Where and how large it is when the first place had no room (null: as wished), and which were tried.
  add column placed jsonb check (jsonb_typeof(placed) = 'object'),
  add column tried jsonb not null default '[]' check (jsonb_typeof(tried) = 'array'),
  -- Part of the name of the machine at Fly: a replacement never meets the name of the one it replaces.
  add column placement int not null default 1,
  -- The last version that was ready, for going back to; the generation whose version failed, and how.
  add column good jsonb,
  add column failed_generation bigint not null default 0,
  add column failure jsonb check (pg_column_size(failure) <= 32768),
  -- When the present configuration was given, on Fly's clock: exits before it do not count against it.
  add column config_sent_at timestamptz,
  add column secret_version int not null default 0,
  add column secret_oldest int not null default 1,
  -- The last write whose outcome is not known; since when Fly cannot reach its host.
  add column doubt jsonb,
  add column unreachable_since timestamptz,
  -- A user is waiting for it.
  add column waiting boolean generated always as (generation > observed_generation) stored;

create index machines_due_waiting on public.machines (next_look_at) where phase <> 'destroyed' and waiting;

-- Fires after machine_write_guard, which sets the generation by the older columns.
create function private.machine_write_guard_more() returns trigger
language plpgsql set search_path = '' as $$
begin
  if new.generation = old.generation
     and (new.desired_env, new.desired_regions, new.desired_sizes, new.desired_restart, new.desired_secret)
     is distinct from (old.desired_env, old.desired_regions, old.desired_sizes, old.desired_restart, old.desired_secret) then
    new.generation := old.generation + 1;
  end if;
  if new.generation > old.generation then
    new.wished_at := clock_timestamp();
  end if;
  if (new.desired_region, new.desired_regions, new.desired_cpu_kind, new.desired_cpus, new.desired_memory_mb, new.desired_sizes)
     is distinct from (old.desired_region, old.desired_regions, old.desired_cpu_kind, old.desired_cpus, old.desired_memory_mb, old.desired_sizes) then
    new.placed := null;
    new.tried := '[]';
  end if;
  if new.desired_region <> old.desired_region then
    new.placement := greatest(old.placement + 1, new.generation);
  end if;
  return new;
end $$;
create trigger machine_write_guard_more before update on public.machines
  for each row execute function private.machine_write_guard_more();

-- p_patch: any of the desired_* columns. Returns the row and makes it due at once.
-- Raises machine_not_found, generation_mismatch, machine_being_destroyed, unknown_field.
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

-- What changed, in words. Values of the environment are not told: one may be a secret.
create function private.wish_sentence(p_patch jsonb) returns text
language sql immutable set search_path = '' as $$
  select 'The wish changed: ' || left(string_agg(case key
      when 'desired_env' then 'another environment'
      when 'desired_restart' then 'a restart'
      when 'desired_secret' then 'a new secret'
      else format('%s is now %s', replace(substr(key, 9), '_', ' '), value #>> '{}')
    end, ', '), 1900) || '.'
  from jsonb_each(p_patch)
$$;

-- Asks for a restart, or for a new secret: each call is one more. Returns the row.
create function public.wish_machine_again(p_machine_id uuid, p_user_id uuid, p_what text) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines;
begin
  if p_what is null or p_what not in ('restart', 'secret') then
    perform private.refuse(400, 'unknown_wish', 'What can be wished again is restart or secret.');
  end if;
  select * into v_machine from public.machines where id = p_machine_id and user_id = p_user_id for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'The user has no machine of this id.');
  end if;
  return public.set_machine_desired(p_machine_id, p_user_id, case p_what
    when 'restart' then jsonb_build_object('desired_restart', v_machine.desired_restart + 1)
    else jsonb_build_object('desired_secret', v_machine.desired_secret + 1) end);
end $$;

-- Takes over an app that stands at Fly without a row (made by hand, or by an older system): the reconciler brings its machine to the wish.
create function public.adopt_machine(
  p_user_id uuid, p_environment text, p_fly_app text, p_fly_machine_id text, p_region text, p_cpu_kind text, p_cpus int, p_memory_mb int, p_image text
) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_deployed jsonb := public.deploy_machine(p_user_id, p_environment, p_region, p_cpu_kind, p_cpus, p_memory_mb, p_image);
  v_machine public.machines;
begin
  if not (v_deployed ->> 'created')::boolean then
    perform private.refuse(409, 'machine_exists', 'The user has a machine in this environment.', 'Destroy it first, or adopt into another environment.');
  end if;
  if exists (select from public.machines where fly_app = p_fly_app and phase <> 'destroyed') then
    perform private.refuse(409, 'app_taken', 'Another machine has this app.');
  end if;
  update public.machines set fly_app = p_fly_app, fly_machine_id = p_fly_machine_id
    where id = (v_deployed #>> '{machine,id}')::uuid returning * into v_machine;
  insert into public.machine_events (machine_id, kind, message, data)
    values (v_machine.id, 'adopted', format('The app %s was taken over as it stands.', p_fly_app), jsonb_build_object('app', p_fly_app, 'machine', p_fly_machine_id));
  return v_machine;
end $$;

grant execute on function public.wish_machine_again(uuid, uuid, text), public.adopt_machine(uuid, text, text, text, text, text, int, int, text) to service_role;
