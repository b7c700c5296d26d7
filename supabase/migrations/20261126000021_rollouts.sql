-- A rollout brings a release to the machines of an environment, wave by wave. Its state is here alone: any replica may take the next step, under a
-- lease with a fencing token; a step is one transaction, so a replica that dies in the middle of one has done nothing.

create table public.rollouts (
  id uuid primary key default gen_random_uuid(),
  -- null: every environment.
  environment text check (environment ~ '^[a-z][a-z0-9-]{0,31}$'),
  release_id uuid not null references public.releases,
  -- `RolloutSettings` of packages/core/rollout.ts.
  settings jsonb not null check (jsonb_typeof(settings) = 'object' and pg_column_size(settings) <= 8192),
  state text not null default 'running' check (state in ('running', 'paused', 'rolling_back', 'succeeded', 'rolled_back', 'aborted')),
  wave int not null default 0,
  -- Since when every machine of the wave is judged; the pause counts from here.
  wave_settled_at timestamptz,
  -- Why it halted, was paused or ended: {code, message, …figures}.
  reason jsonb,
  -- How the version before fared when the rollout began.
  baseline jsonb not null default '{}',
  excluded_users uuid[] not null default '{}' check (cardinality(excluded_users) <= 10000),
  excluded_machines uuid[] not null default '{}' check (cardinality(excluded_machines) <= 10000),
  started_by uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  lease_owner text,
  fence bigint not null default 0,
  lease_expires_at timestamptz,
  next_step_at timestamptz not null default now(),
  check ((finished_at is not null) = (state in ('succeeded', 'rolled_back', 'aborted')))
);
create index rollouts_release on public.rollouts (release_id);
create index rollouts_newest on public.rollouts (created_at desc, id);
create index rollouts_due on public.rollouts (next_step_at) where finished_at is null;

create table public.rollout_machines (
  rollout_id uuid not null references public.rollouts on delete cascade,
  machine_id uuid not null references public.machines on delete cascade,
  user_id uuid not null,
  wave int not null,
  state text not null check (state in ('updating', 'healthy', 'failed', 'left', 'reverting', 'reverted', 'stuck')),
  previous_image text not null,
  -- It ran well before it was taken: only then does its failure speak against the release.
  counted boolean not null,
  generation bigint not null,
  taken_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  boot_ms int check (boot_ms >= 0),
  reason text check (length(reason) <= 1000),
  primary key (rollout_id, machine_id)
);
create index rollout_machines_state on public.rollout_machines (rollout_id, state, changed_at desc);
create index rollout_machines_machine on public.rollout_machines (machine_id);
-- Never two machines of one user at once, in whatever rollouts.
create unique index rollout_machines_one_of_a_user on public.rollout_machines (user_id) where state in ('updating', 'reverting');

-- What happened, in sentences: the report.
create table public.rollout_events (
  id bigint generated always as identity primary key,
  rollout_id uuid not null references public.rollouts on delete cascade,
  at timestamptz not null default clock_timestamp(),
  kind text not null check (kind ~ '^[a-z][a-z0-9_.-]{0,63}$'),
  message text not null check (length(message) between 1 and 2000),
  data jsonb not null default '{}' check (pg_column_size(data) <= 16384)
);
create index rollout_events_rollout on public.rollout_events (rollout_id, id);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['rollouts', 'rollout_machines', 'rollout_events'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('grant select on public.%I to service_role', v_table);
  end loop;
end $$;

-- Whether a rollout is about this machine. Where all machines are asked for, the same stands written out: a call for each would cost more than the rest.
create function private.in_rollout(p_machine public.machines, p_rollout public.rollouts) returns boolean
language sql stable set search_path = '' as $$
  select (p_rollout.environment is null or p_machine.environment = p_rollout.environment) and p_machine.phase <> 'destroyed' and p_machine.desired_state <> 'destroyed'
    and p_machine.id <> all (p_rollout.excluded_machines) and p_machine.user_id <> all (p_rollout.excluded_users)
$$;

-- A number that a machine said of itself, or null: what it says is not to be trusted.
create function private.said_number(p_value jsonb) returns double precision
language sql immutable set search_path = '' as $$ select case when jsonb_typeof(p_value) = 'number' then (p_value #>> '{}')::double precision end $$;

-- How these machines fare, each since an instant: {machines, reporting, errorsPerMinute, failing, lagMs, crashing: [{machineId, crashes}]}. Of errors the median:
-- a machine is its user's, and one that says nonsense of itself must not decide about all.
create function private.machines_health(p_machines uuid[], p_since timestamptz[]) returns jsonb
language sql stable set search_path = '' as $$
  with one as (
    select m.id, m.beat_at > s.since as reports, m.status -> 'health' ->> 'state' as health,
      private.said_number(jsonb_path_query_first(m.status, 'lax $.health.components[*] ? (@.component == "errors").readings.errorsPerMinute')) as errors,
      (select max(x.lag_ms_max) from public.machine_metrics x where x.machine_id = m.id and x.resolution = 'minute' and x.at > greatest(s.since, now() - interval '15 minutes')) as lag,
      greatest(
        (select count(*) from public.machine_events e where e.machine_id = m.id and e.kind = 'crash' and e.at > greatest(s.since, now() - interval '1 hour')),
        (select count(distinct h.boot_id) - 1 from public.machine_heartbeats h where h.machine_id = m.id and h.until > greatest(s.since, now() - interval '1 hour'))) as crashes
    from unnest(p_machines, p_since) as s(id, since) join public.machines m on m.id = s.id
  )
  select jsonb_build_object(
    'machines', count(*), 'reporting', count(*) filter (where reports), 'errorsPerMinute', percentile_cont(0.5) within group (order by errors) filter (where reports),
    'failing', count(*) filter (where reports and health = 'failing'), 'lagMs', percentile_cont(0.95) within group (order by lag),
    'crashing', coalesce(jsonb_agg(jsonb_build_object('machineId', id, 'crashes', crashes)) filter (where crashes > 0), '[]'))
  from one
$$;

-- Milliseconds from the order that made a machine boot (after an instant) to the word that it screens; null where that is not known.
create function private.boot_ms(p_machine uuid, p_since timestamptz) returns int
language sql stable set search_path = '' as $$
  select greatest(0, extract(epoch from done.at - began.at) * 1000)::int
  from (select e.id, e.at from public.machine_events e where e.machine_id = p_machine and e.kind = 'phase' and e.data ->> 'to' = 'screening' and e.at >= p_since order by e.id desc limit 1) done
  cross join lateral (select e.at from public.machine_events e where e.machine_id = p_machine and e.id < done.id and e.at >= p_since
    and e.kind in ('machine.created', 'machine.updated', 'machine.started') order by e.id desc limit 1) began
$$;

-- The machines not reached yet, or a sample of them.
create function private.rollout_others(p_rollout public.rollouts, p_image text) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_ids uuid[];
begin
  select array_agg(id) into v_ids from (
    select m.id from public.machines m where (p_rollout.environment is null or m.environment = p_rollout.environment) and m.desired_state = 'started' and m.phase = 'screening' and m.desired_image <> p_image
      and m.id <> all (p_rollout.excluded_machines) and m.user_id <> all (p_rollout.excluded_users) limit 500) sample;
  return private.machines_health(v_ids, array_fill(now() - interval '15 minutes', array[coalesce(cardinality(v_ids), 0)]))
    || jsonb_build_object('bootMs', (select percentile_cont(0.5) within group (order by private.boot_ms(id, now() - interval '30 days')) from unnest(v_ids[1:100]) id));
end $$;

-- Begins one. Refused while another is under way for one of the same environments, for a release that was withdrawn, and where nothing would change.
create function public.start_rollout(p_release_id uuid, p_environment text, p_settings jsonb, p_excluded_users uuid[], p_excluded_machines uuid[], p_by uuid) returns uuid
language plpgsql security definer set search_path = '' as $$
declare
  v_release public.releases;
  v_rollout public.rollouts;
begin
  perform pg_advisory_xact_lock(hashtextextended('trademind.rollouts', 0));
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
  insert into public.rollouts (release_id, environment, settings, excluded_users, excluded_machines, started_by)
    values (p_release_id, p_environment, p_settings, coalesce(p_excluded_users, '{}'), coalesce(p_excluded_machines, '{}'), p_by) returning * into v_rollout;
  update public.rollouts set baseline = private.rollout_others(v_rollout, v_release.image) where id = v_rollout.id;
  insert into public.rollout_events (rollout_id, kind, message, data) values (v_rollout.id, 'started',
    format('The rollout of version %s began.', v_release.version), jsonb_build_object('by', p_by, 'image', v_release.image));
  return v_rollout.id;
end $$;

-- What a plan is made from. `p_limit`: how many machines may be under way at once.
create function private.rollout_view(p_rollout public.rollouts) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_release public.releases;
  v_limit int := least(greatest(coalesce((p_rollout.settings ->> 'parallel')::int, 10), 1), 200);
  v_new_ids uuid[];
  v_new_since timestamptz[];
  v_waiting int;
  v_candidates jsonb;
begin
  select * into v_release from public.releases where id = p_rollout.release_id;
  select array_agg(machine_id), array_agg(changed_at) into v_new_ids, v_new_since from (
    select machine_id, changed_at from public.rollout_machines where rollout_id = p_rollout.id and state = 'healthy' order by changed_at desc limit 2000) newest;
  -- Machines that run well go first: what happens to them says something. Of one user one.
  with waiting as materialized (
    select m.id, m.user_id, m.phase <> 'screening' as late from public.machines m
    where (p_rollout.environment is null or m.environment = p_rollout.environment) and m.phase <> 'destroyed' and m.desired_state = 'started' and m.desired_image <> v_release.image
      and m.id <> all (p_rollout.excluded_machines) and m.user_id <> all (p_rollout.excluded_users)
      and not exists (select from public.rollout_machines x where x.rollout_id = p_rollout.id and x.machine_id = m.id)
  ), near as (
    select w.* from waiting w where not exists (select from public.rollout_machines x where x.user_id = w.user_id and x.state in ('updating', 'reverting')) order by w.late, w.id limit v_limit * 2
  )
  select (select count(*) from waiting), coalesce((select jsonb_agg(jsonb_build_object('machineId', c.id, 'userId', c.user_id)) from (
    select distinct on (near.user_id) near.id, near.user_id from near order by near.user_id, near.late, near.id limit v_limit) c), '[]')
    into v_waiting, v_candidates;
  return jsonb_build_object(
    'id', p_rollout.id, 'fence', p_rollout.fence, 'state', p_rollout.state, 'wave', p_rollout.wave, 'settings', p_rollout.settings, 'reason', p_rollout.reason,
    'now', floor(extract(epoch from clock_timestamp()) * 1000),
    'waveSettledAt', floor(extract(epoch from p_rollout.wave_settled_at) * 1000),
    'version', v_release.version, 'image', v_release.image,
    'waiting', v_waiting, 'candidates', v_candidates,
    'counts', (select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from public.rollout_machines where rollout_id = p_rollout.id group by state) s),
    'failed', (select count(*) from public.rollout_machines where rollout_id = p_rollout.id and state = 'failed' and counted),
    'failures', (select coalesce(jsonb_agg(f.reason), '[]') from (
      select reason from public.rollout_machines where rollout_id = p_rollout.id and state = 'failed' and counted order by changed_at desc limit 3) f),
    'underWay', (select coalesce(jsonb_agg(jsonb_build_object(
        'machineId', m.id, 'userId', m.user_id, 'state', x.state, 'counted', x.counted, 'takenAt', floor(extract(epoch from x.taken_at) * 1000), 'changedAt', floor(extract(epoch from x.changed_at) * 1000),
        'previousImage', x.previous_image, 'generation', x.generation, 'desiredState', m.desired_state, 'desiredImage', m.desired_image, 'image', m.image,
        'phase', m.phase, 'observedGeneration', m.observed_generation, 'lastError', m.last_error,
        -- Where the reconciler itself went back to the version before.
        'wentBack', coalesce((to_jsonb(m) ->> 'failed_generation')::bigint >= x.generation, false), 'failure', to_jsonb(m) -> 'failure' ->> 'message',
        'bootMs', private.boot_ms(m.id, x.changed_at),
        'crashes', (select count(*) from public.machine_events e where e.machine_id = m.id and e.kind = 'crash' and e.at > x.changed_at)) order by m.id), '[]')
      from public.rollout_machines x join public.machines m on m.id = x.machine_id where x.rollout_id = p_rollout.id and x.state in ('updating', 'reverting')),
    'toRevert', case when p_rollout.state <> 'rolling_back' then '[]'::jsonb else (select coalesce(jsonb_agg(jsonb_build_object('machineId', r.machine_id, 'userId', r.user_id)), '[]') from (
      select x.machine_id, x.user_id from public.rollout_machines x where x.rollout_id = p_rollout.id and x.state in ('updating', 'healthy', 'failed', 'left')
        and not exists (select from public.rollout_machines o where o.user_id = x.user_id and o.machine_id <> x.machine_id and o.state in ('updating', 'reverting'))
      order by x.machine_id limit v_limit) r) end,
    'updated', private.machines_health(v_new_ids, v_new_since) || jsonb_build_object('bootMs',
      (select percentile_cont(0.5) within group (order by boot_ms) from public.rollout_machines where rollout_id = p_rollout.id and state = 'healthy')),
    'others', private.rollout_others(p_rollout, v_release.image),
    'baseline', p_rollout.baseline);
end $$;

-- The next rollout with a step to take, now leased to p_owner by the database's clock; null when there is none.
create function public.claim_rollout(p_owner text, p_lease_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_rollout public.rollouts;
begin
  select * into v_rollout from public.rollouts
    where finished_at is null and next_step_at <= now() and (lease_expires_at is null or lease_expires_at <= now())
    order by next_step_at limit 1 for update skip locked;
  if not found then
    return null;
  end if;
  update public.rollouts set lease_owner = p_owner, fence = fence + 1, lease_expires_at = clock_timestamp() + make_interval(secs => least(greatest(p_lease_seconds, 1), 300))
    where id = v_rollout.id returning * into v_rollout;
  return private.rollout_view(v_rollout);
end $$;

-- Gives the machine another image to run, and tells it as the machine's own event.
create function private.set_image(p_machine uuid, p_image text, p_message text, p_data jsonb) returns bigint
language plpgsql set search_path = '' as $$
declare
  v_generation bigint;
begin
  update public.machines set desired_image = p_image, next_look_at = clock_timestamp(), attempts = 0 where id = p_machine returning generation into v_generation;
  insert into public.machine_events (machine_id, kind, message, data) values (p_machine, 'release', p_message, p_data);
  return v_generation;
end $$;

-- Takes the step that was planned, whole or not at all, and ends the lease. False: the lease is not (or no longer) the caller's, or somebody
-- paused, resumed or aborted meanwhile; then nothing is done.
-- p_step: {marks: [{machineId, state, reason, bootMs}], take: [id], revert: [id], state, wave, settled, reason, events: [{kind, message, data}], nextSeconds}.
create function public.advance_rollout(p_id uuid, p_fence bigint, p_step jsonb) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_rollout public.rollouts;
  v_release public.releases;
  v_state text;
  v_machine public.machines;
  v_generation bigint;
  v_previous text;
begin
  perform private.check_keys(p_step, array['marks', 'take', 'revert', 'state', 'wave', 'settled', 'reason', 'events', 'nextSeconds']);
  select * into v_rollout from public.rollouts where id = p_id and fence = p_fence and lease_expires_at > clock_timestamp() and finished_at is null for update;
  if not found then
    return false;
  end if;
  select * into v_release from public.releases where id = v_rollout.release_id;

  update public.rollout_machines x set state = k.state, reason = coalesce(left(k.reason, 1000), x.reason), boot_ms = coalesce(k."bootMs", x.boot_ms), changed_at = clock_timestamp()
    from jsonb_to_recordset(coalesce(p_step -> 'marks', '[]')) as k("machineId" uuid, state text, reason text, "bootMs" int)
    where x.rollout_id = p_id and x.machine_id = k."machineId";

  for v_machine in
    select m.* from public.machines m
    where m.id in (select value::uuid from jsonb_array_elements_text(coalesce(p_step -> 'take', '[]'))) and m.desired_state = 'started' and m.desired_image <> v_release.image
      and private.in_rollout(m, v_rollout)
    order by m.id
  loop
    -- The row itself, locked: the wish may have changed a moment ago.
    select * into v_machine from public.machines where id = v_machine.id for no key update;
    continue when v_machine.desired_state <> 'started' or v_machine.desired_image = v_release.image;
    insert into public.rollout_machines (rollout_id, machine_id, user_id, wave, state, previous_image, counted, generation)
      values (p_id, v_machine.id, v_machine.user_id, v_rollout.wave, 'updating', v_machine.desired_image, v_machine.phase = 'screening', 0) on conflict do nothing;
    continue when not found;
    v_generation := private.set_image(v_machine.id, v_release.image, format('The machine is updated to version %s.', v_release.version),
      jsonb_build_object('rollout', p_id, 'wave', v_rollout.wave, 'image', v_release.image));
    update public.rollout_machines set generation = v_generation where rollout_id = p_id and machine_id = v_machine.id;
  end loop;

  for v_machine in
    select m.* from public.machines m where m.id in (select value::uuid from jsonb_array_elements_text(coalesce(p_step -> 'revert', '[]'))) order by m.id
  loop
    update public.rollout_machines x set state = 'reverting', changed_at = clock_timestamp()
      where x.rollout_id = p_id and x.machine_id = v_machine.id and x.state in ('updating', 'healthy', 'failed', 'left')
        and not exists (select from public.rollout_machines o where o.user_id = x.user_id and o.machine_id <> x.machine_id and o.state in ('updating', 'reverting'))
      returning previous_image into v_previous;
    continue when not found;
    select * into v_machine from public.machines where id = v_machine.id for no key update;
    -- What names another image by now is not ours to take back.
    if v_machine.desired_image = v_release.image and v_machine.desired_state <> 'destroyed' then
      v_generation := private.set_image(v_machine.id, v_previous, format('The machine goes back from version %s to the one before.', v_release.version), jsonb_build_object('rollout', p_id, 'image', v_previous));
      update public.rollout_machines set generation = v_generation where rollout_id = p_id and machine_id = v_machine.id;
    end if;
  end loop;

  v_state := coalesce(p_step ->> 'state', v_rollout.state);
  if v_state = 'succeeded' and v_rollout.state <> 'succeeded' then
    insert into public.current_releases (environment, release_id) values (coalesce(v_rollout.environment, '*'), v_release.id)
      on conflict (environment) do update set release_id = excluded.release_id, since = clock_timestamp();
    if v_rollout.environment is null then
      delete from public.current_releases where environment <> '*';
    end if;
    -- What is stopped starts with it one day; nobody waits for that.
    perform private.set_image(m.id, v_release.image, format('The machine starts with version %s when it is started.', v_release.version), jsonb_build_object('rollout', p_id, 'image', v_release.image))
      from public.machines m where m.desired_state = 'stopped' and m.desired_image <> v_release.image and private.in_rollout(m, v_rollout);
  end if;
  update public.rollouts set
    state = v_state, wave = coalesce((p_step ->> 'wave')::int, wave),
    wave_settled_at = case when (p_step ->> 'settled')::boolean then coalesce(wave_settled_at, clock_timestamp()) when p_step ? 'settled' then null else wave_settled_at end,
    reason = coalesce(nullif(p_step -> 'reason', 'null'), reason),
    finished_at = case when v_state in ('succeeded', 'rolled_back', 'aborted') then clock_timestamp() end,
    updated_at = clock_timestamp(), lease_owner = null, lease_expires_at = null,
    next_step_at = clock_timestamp() + make_interval(secs => least(greatest(coalesce((p_step ->> 'nextSeconds')::numeric, 1), 0), 3600)::double precision)
  where id = p_id;
  insert into public.rollout_events (rollout_id, kind, message, data)
    select p_id, e.kind, e.message, coalesce(e.data, '{}') from jsonb_to_recordset(coalesce(p_step -> 'events', '[]')) as e(kind text, message text, data jsonb);
  return true;
end $$;

-- An operator's word: pause, resume, abort (goes back), leave (ends where it stands). It takes the lease from whoever plans now, whose step comes to nothing.
create function public.control_rollout(p_id uuid, p_verb text, p_reason text, p_by uuid) returns void
language plpgsql security definer set search_path = '' as $$
declare
  v_rollout public.rollouts;
  v_state text;
begin
  select * into v_rollout from public.rollouts where id = p_id for update;
  if not found then
    perform private.refuse(404, 'rollout_not_found', 'There is no rollout of this id.', 'List them with GET /v1/rollouts.');
  end if;
  v_state := case
    when p_verb = 'pause' and v_rollout.state in ('running', 'paused') then 'paused'
    when p_verb = 'resume' and v_rollout.state in ('running', 'paused') then 'running'
    when p_verb = 'abort' and v_rollout.state in ('running', 'paused', 'rolling_back') then 'rolling_back'
    when p_verb = 'leave' and v_rollout.state in ('running', 'paused', 'rolling_back') then 'aborted' end;
  if v_state is null then
    perform private.refuse(409, 'rollout_state', format('A rollout that is %s cannot be told to %s.', replace(v_rollout.state, '_', ' '), p_verb), 'Read it again: GET /v1/rollouts/{id}.');
  end if;
  update public.rollouts set state = v_state, fence = fence + 1, lease_owner = null, lease_expires_at = null, next_step_at = clock_timestamp(), updated_at = clock_timestamp(),
    reason = case when p_verb in ('abort', 'leave') and v_rollout.state <> 'rolling_back' then jsonb_build_object('code', 'aborted', 'message', coalesce(p_reason, 'An operator ended it.'))
      when p_verb = 'pause' then jsonb_build_object('code', 'paused', 'message', coalesce(p_reason, 'An operator paused it.')) when p_verb = 'resume' then null else reason end,
    finished_at = case when v_state = 'aborted' then clock_timestamp() end
  where id = p_id;
  if v_state = 'aborted' then
    update public.rollout_machines set state = 'left', reason = 'The rollout was ended where it stood.', changed_at = clock_timestamp() where rollout_id = p_id and state in ('updating', 'reverting');
  end if;
  insert into public.rollout_events (rollout_id, kind, message, data) values (p_id, 'operator',
    format('An operator said %s%s', p_verb, coalesce(': ' || p_reason, '.')), jsonb_build_object('by', p_by, 'verb', p_verb));
end $$;

-- Leaves these out from now on. What was taken already stays taken.
create function public.exclude_from_rollout(p_id uuid, p_users uuid[], p_machines uuid[], p_by uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if exists (select from public.rollouts where id = p_id and cardinality(excluded_users) + cardinality(p_users) + cardinality(excluded_machines) + cardinality(p_machines) > 10000) then
    perform private.refuse(422, 'too_many_excluded', 'At most 10,000 users and machines can be left out of a rollout.', 'Roll out by environment instead.');
  end if;
  update public.rollouts set
    excluded_users = (select coalesce(array_agg(distinct u), '{}') from unnest(excluded_users || coalesce(p_users, '{}')) u),
    excluded_machines = (select coalesce(array_agg(distinct m), '{}') from unnest(excluded_machines || coalesce(p_machines, '{}')) m), updated_at = clock_timestamp()
  where id = p_id and finished_at is null;
  if not found then
    perform private.refuse(404, 'rollout_not_found', 'No rollout of this id is under way.', 'List them with GET /v1/rollouts.');
  end if;
  insert into public.rollout_events (rollout_id, kind, message, data) values (p_id, 'operator',
    format('Left out from now on: %s users, %s machines.', coalesce(cardinality(p_users), 0), coalesce(cardinality(p_machines), 0)), jsonb_build_object('by', p_by, 'verb', 'exclude'));
end $$;

-- How many machines of a rollout stand in which state.
create function public.rollout_counts(p_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from public.rollout_machines where rollout_id = p_id group by state) s
$$;

grant execute on function
  public.rollout_counts(uuid),
  public.start_rollout(uuid, text, jsonb, uuid[], uuid[], uuid),
  public.claim_rollout(text, int),
  public.advance_rollout(uuid, bigint, jsonb),
  public.control_rollout(uuid, text, text, uuid),
  public.exclude_from_rollout(uuid, uuid[], uuid[], uuid)
to service_role;
notify pgrst, 'reload schema';
