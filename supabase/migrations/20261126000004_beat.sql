-- The beat: what it leaves behind, and what it brings back.

-- How long a machine lived, at which size: one row for each span without a pause of a minute, a restart or another size. Beats extend it, so that
-- ten thousand machines write no row a beat. What a machine cost follows from it.
create table public.machine_heartbeats (
  machine_id uuid not null references public.machines on delete cascade,
  user_id uuid not null,
  since timestamptz not null,
  until timestamptz not null,
  beats int not null default 1,
  boot_id text not null check (length(boot_id) <= 64),
  version text not null check (length(version) <= 64),
  region text,
  cpu_kind text,
  cpus int,
  memory_mb int,
  primary key (machine_id, since),
  check (until >= since)
) with (fillfactor = 80);

-- What a user set for their machine, and how often their keys changed: the keys themselves are never here.
create table public.user_settings (
  user_id uuid primary key references auth.users on delete cascade,
  version int not null default 0,
  document jsonb not null default '{}' check (jsonb_typeof(document) = 'object' and pg_column_size(document) <= 65536),
  keys_version int not null default 0,
  updated_at timestamptz not null default now()
);

-- The public keys that tickets are verified with; one row.
create table public.ticket_keys (
  only_one boolean primary key default true check (only_one),
  version int not null,
  jwks jsonb not null check (jsonb_typeof(jwks -> 'keys') = 'array' and pg_column_size(jwks) <= 16384),
  updated_at timestamptz not null default now()
);

alter table public.machine_heartbeats enable row level security;
alter table public.machine_heartbeats force row level security;
alter table public.user_settings enable row level security;
alter table public.user_settings force row level security;
alter table public.ticket_keys enable row level security;
alter table public.ticket_keys force row level security;
grant select on public.machine_heartbeats to authenticated, service_role;
grant select on public.user_settings to authenticated, machine, service_role;
grant select on public.ticket_keys to service_role;
create policy "a user reads own machine heartbeats" on public.machine_heartbeats for select to authenticated
  using (user_id = (select auth.uid()));
create policy "an operator reads all machine heartbeats" on public.machine_heartbeats for select to authenticated
  using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator');
create policy "a user reads own settings" on public.user_settings for select to authenticated
  using (user_id = (select auth.uid()));
create policy "a machine reads its user's settings" on public.user_settings for select to machine
  using (user_id = (select private.token_user_id()));

-- A drain that is asked for without a stop, before a resize or a move. It ends by itself: a control plane that dies leaves no machine at rest.
alter table public.machines add column drain_until timestamptz;
alter table public.machines add column drain_reason text check (length(drain_reason) between 1 and 200);
-- Every beat rewrites the row: room on its page keeps the indexes out of it.
alter table public.machines set (fillfactor = 70);

-- Asks the machine to drain for p_seconds (at most an hour; 0 takes it back). False when the lease is not (or no longer) the caller's.
create function public.request_drain(p_machine_id uuid, p_fence bigint, p_seconds int, p_reason text default null) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.machines set
    drain_until = case when p_seconds > 0 then clock_timestamp() + make_interval(secs => least(p_seconds, 3600)) end,
    drain_reason = case when p_seconds > 0 then p_reason end
  where id = p_machine_id and fence = p_fence and lease_expires_at > clock_timestamp();
  return found;
end $$;

-- Stores what the control plane has validated; returns the new version. p_if_version: refused with settings_changed when another is stored.
create function public.set_user_settings(p_user_id uuid, p_document jsonb, p_if_version int default null) returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_version int;
begin
  insert into public.user_settings (user_id) values (p_user_id) on conflict do nothing;
  update public.user_settings set document = p_document, version = version + 1, updated_at = clock_timestamp()
    where user_id = p_user_id and (p_if_version is null or version = p_if_version) returning version into v_version;
  if not found then
    perform private.refuse(412, 'settings_changed', 'The settings were changed meanwhile.', 'Read them again, then repeat the change.');
  end if;
  return v_version;
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- The user's keys were changed: their machine fetches them again. Returns the new version.
create function public.user_keys_changed(p_user_id uuid) returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_version int;
begin
  insert into public.user_settings as s (user_id, keys_version) values (p_user_id, 1)
    on conflict (user_id) do update set keys_version = s.keys_version + 1, updated_at = clock_timestamp()
    returning keys_version into v_version;
  return v_version;
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- Publishes the keys of tickets to all machines; the same keys again change nothing. Returns the version.
create function public.publish_ticket_keys(p_jwks jsonb) returns int
language sql security definer set search_path = '' as $$
  insert into public.ticket_keys as k (version, jwks) values (1, p_jwks)
    on conflict (only_one) do update set
      version = k.version + case when k.jwks is distinct from excluded.jwks then 1 else 0 end, jwks = excluded.jwks, updated_at = clock_timestamp()
    returning version
$$;

-- The machine lives: its present span is longer now, or another begins.
create function private.note_heartbeat(p_machine public.machines, p_status jsonb) returns void
language plpgsql set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_boot text := left(coalesce(p_status ->> 'bootId', ''), 64);
begin
  update public.machine_heartbeats h set until = greatest(h.until, v_now), beats = h.beats + 1
    where h.machine_id = p_machine.id and h.since = (select max(l.since) from public.machine_heartbeats l where l.machine_id = p_machine.id)
      and h.boot_id = v_boot and h.until > v_now - interval '60 seconds'
      and (h.region, h.cpu_kind, h.cpus, h.memory_mb) is not distinct from (p_machine.region, p_machine.cpu_kind, p_machine.cpus, p_machine.memory_mb);
  if not found then
    insert into public.machine_heartbeats (machine_id, user_id, since, until, boot_id, version, region, cpu_kind, cpus, memory_mb)
      values (p_machine.id, p_machine.user_id, v_now, v_now, v_boot, left(coalesce(p_status ->> 'version', ''), 64),
        p_machine.region, p_machine.cpu_kind, p_machine.cpus, p_machine.memory_mb);
    delete from public.machine_heartbeats where machine_id = p_machine.id and since < v_now - interval '800 days';
  end if;
end $$;

-- Every 15 s. Stores the machine's status, follows its phase while the wish is "started" (the transitions are those of
-- MACHINE_LIFECYCLE in packages/core/machine.ts), and answers what the machine must know.
create or replace function public.machine_beat(p_status jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_settings public.user_settings;
  v_keys public.ticket_keys;
  v_resting boolean;
  v_phase text := case p_status ->> 'phase'
    when 'booting' then 'starting' when 'starting' then 'starting' when 'backfilling' then 'backfilling' when 'screening' then 'screening' end;
begin
  if p_status is null or jsonb_typeof(p_status) <> 'object' or octet_length(p_status::text) > 65536 then
    perform private.refuse(400, 'status_invalid', 'The status is a JSON object of at most 64 kB.');
  end if;
  if v_phase <> v_machine.phase and v_machine.desired_state = 'started'
     and v_machine.phase in ('requested', 'creating', 'starting', 'backfilling', 'screening', 'failed') then
    update public.machines set
      status = p_status, beat_at = clock_timestamp(), phase = v_phase, phase_detail = p_status ->> 'detail',
      -- A machine thought broken is alive: whoever reconciles it should look now.
      next_look_at = case when v_machine.phase = 'failed' then least(next_look_at, clock_timestamp()) else next_look_at end
    where id = v_machine.id;
    insert into public.machine_events (machine_id, kind, message, data) values (v_machine.id, 'phase',
      case v_phase
        when 'starting' then 'The machine is starting.'
        when 'backfilling' then 'The machine is loading the history of its markets.'
        else 'The machine is screening the market.'
      end,
      jsonb_build_object('from', v_machine.phase, 'to', v_phase));
  else
    update public.machines set status = p_status, beat_at = clock_timestamp() where id = v_machine.id;
  end if;
  perform private.note_heartbeat(v_machine, p_status);
  select * into v_settings from public.user_settings where user_id = v_machine.user_id;
  select * into v_keys from public.ticket_keys;
  v_resting := coalesce(v_machine.drain_until > clock_timestamp(), false);
  return jsonb_build_object(
    'generation', v_machine.generation,
    'desired_state', v_machine.desired_state,
    'traders_etag', private.traders_etag(v_machine.user_id),
    'settings_version', coalesce(v_settings.version, 0),
    'keys_version', coalesce(v_settings.keys_version, 0),
    'jwks_version', coalesce(v_keys.version, 0),
    'jwks', v_keys.jwks,
    'server_time', clock_timestamp(),
    'drain', v_machine.desired_state <> 'started' or v_resting,
    'drain_reason', case when v_machine.desired_state <> 'started' then v_machine.desired_state when v_resting then v_machine.drain_reason end);
end $$;

grant execute on function
  public.request_drain(uuid, bigint, int, text),
  public.set_user_settings(uuid, jsonb, int),
  public.user_keys_changed(uuid),
  public.publish_ticket_keys(jsonb)
to service_role;
notify pgrst, 'reload schema';
