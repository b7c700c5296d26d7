-- One row per machine: what is wished, what was observed, who reconciles it now. The only description of a machine.

create table public.machines (
  id uuid primary key default gen_random_uuid(),
  -- Deleting the user deletes only destroyed machines: private.machine_delete_guard refuses all others, and with them the user.
  user_id uuid not null references auth.users on delete cascade,
  environment text not null check (environment ~ '^[a-z][a-z0-9-]{0,31}$'),

  -- The wish. Every change of it raises the generation (trigger below).
  generation bigint not null default 1,
  desired_state text not null default 'started' check (desired_state in ('started', 'stopped', 'destroyed')),
  desired_region text not null check (desired_region ~ '^[a-z]{3}$'),
  desired_cpu_kind text not null check (desired_cpu_kind in ('shared', 'performance')),
  desired_cpus int not null check (desired_cpus between 1 and 16),
  desired_memory_mb int not null check (desired_memory_mb between 256 and 131072),
  desired_image text not null check (length(desired_image) between 1 and 512),

  -- What was seen.
  observed_generation bigint not null default 0,
  phase text not null default 'requested' check (phase in (
    'requested', 'creating', 'starting', 'backfilling', 'screening', 'stopping', 'stopped', 'failed', 'destroying', 'destroyed')),
  phase_since timestamptz not null default now(),
  phase_detail text,
  fly_app text,
  fly_machine_id text,
  fly_volume_id text,
  fly_instance_id text,
  fly_state text,
  region text,
  cpu_kind text,
  cpus int,
  memory_mb int,
  image text,
  url text,
  last_error jsonb,

  -- Raised to revoke every token of the machine at once (db_pre_request compares).
  token_epoch int not null default 1,

  -- The machine's own last word about itself.
  status jsonb,
  beat_at timestamptz,

  -- Reconciling: a lease on the database's clock with a fencing token.
  lease_owner text,
  fence bigint not null default 0,
  lease_expires_at timestamptz,
  claimed_at timestamptz,
  claimed_generation bigint not null default 0,
  next_look_at timestamptz not null default now(),
  attempts int not null default 0,

  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on column public.machines.claimed_generation is 'The generation when the present lease was taken: a higher one at release means the wish changed meanwhile.';

create unique index machines_one_live on public.machines (user_id, environment) where phase <> 'destroyed';
create index machines_user on public.machines (user_id, created_at desc);
create index machines_due on public.machines (next_look_at) where phase <> 'destroyed';

create function private.machine_write_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
  if old.phase = 'destroyed' and new.phase <> 'destroyed' then
    perform private.refuse(409, 'machine_destroyed', 'A destroyed machine stays destroyed.', 'Deploy a new machine.');
  end if;
  if old.desired_state = 'destroyed' and new.desired_state <> 'destroyed' then
    perform private.refuse(409, 'machine_being_destroyed', 'This machine is being destroyed; the wish cannot be taken back.',
      'Wait until it is destroyed, then deploy again.');
  end if;
  new.generation := old.generation;
  if (new.desired_state, new.desired_region, new.desired_cpu_kind, new.desired_cpus, new.desired_memory_mb, new.desired_image)
     is distinct from
     (old.desired_state, old.desired_region, old.desired_cpu_kind, old.desired_cpus, old.desired_memory_mb, old.desired_image) then
    new.generation := old.generation + 1;
  end if;
  if new.phase is distinct from old.phase and new.phase_since is not distinct from old.phase_since then
    new.phase_since := clock_timestamp();
  end if;
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger machine_write_guard before update on public.machines
  for each row execute function private.machine_write_guard();

create function private.machine_delete_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
  if old.phase <> 'destroyed' then
    perform private.refuse(409, 'machine_not_destroyed', 'A machine that may still cost money is not forgotten.',
      'Destroy the machine, wait until it is destroyed, then delete.');
  end if;
  return old;
end $$;
create trigger machine_delete_guard before delete on public.machines
  for each row execute function private.machine_delete_guard();

-- SHA-256 (hex) of the machine's present secret and, while it is being rotated, the next one.
create table public.machine_secrets (
  machine_id uuid primary key references public.machines on delete cascade,
  hashes text[] not null check (cardinality(hashes) between 1 and 2 and array_to_string(hashes, ',') ~ '^[0-9a-f]{64}(,[0-9a-f]{64})?$'),
  updated_at timestamptz not null default now()
);
create index machine_secrets_hash on public.machine_secrets using gin (hashes);

-- What happened to a machine, in sentences. Append-only for every role.
create table public.machine_events (
  id bigint generated always as identity primary key,
  machine_id uuid not null references public.machines on delete cascade,
  user_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  kind text not null check (kind ~ '^[a-z][a-z0-9_.-]{0,63}$'),
  message text not null check (length(message) between 1 and 2000),
  data jsonb not null default '{}' check (pg_column_size(data) <= 65536),
  generation bigint not null
);
create index machine_events_machine on public.machine_events (machine_id, id);
create index machine_events_user on public.machine_events (user_id, id);

-- Takes the machine's row first and only then a number: the events of one machine become visible in the order of their
-- ids, so a reader that asks for "after id n" never misses one that was committed late. User and generation come from the machine.
create function private.machine_event_number() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  select m.user_id, m.generation into new.user_id, new.generation
    from public.machines m where m.id = new.machine_id for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'No machine has this id.');
  end if;
  new.id := nextval('public.machine_events_id_seq');
  return new;
end $$;
create trigger machine_event_number before insert on public.machine_events
  for each row execute function private.machine_event_number();

create function private.append_only() returns trigger
language plpgsql set search_path = '' as $$
begin
  -- Deeper than one: a foreign key's cascade (the machine's row is gone), not somebody's statement.
  if tg_op = 'DELETE' and pg_trigger_depth() > 1 then
    return old;
  end if;
  perform private.refuse(403, 'append_only', format('Rows of %I are never changed or removed.', tg_table_name));
  return null;
end $$;
create trigger machine_events_append_only before update or delete on public.machine_events
  for each row execute function private.append_only();
create trigger machine_events_no_truncate before truncate on public.machine_events
  for each statement execute function private.append_only();

alter table public.machines enable row level security;
alter table public.machines force row level security;
alter table public.machine_secrets enable row level security;
alter table public.machine_secrets force row level security;
alter table public.machine_events enable row level security;
alter table public.machine_events force row level security;

-- Machines are written by functions alone: a direct update would pass the fence by.
grant select on public.machines to authenticated, machine, service_role;
grant select on public.machine_secrets to service_role;
grant select on public.machine_events to authenticated, service_role;
grant insert (machine_id, at, kind, message, data) on public.machine_events to service_role;

create policy "a user reads own machines" on public.machines for select to authenticated
  using (user_id = (select auth.uid()));
create policy "a machine reads itself" on public.machines for select to machine
  using (id = (select private.token_machine_id()) and user_id = (select private.token_user_id()));
create policy "a user reads own machine events" on public.machine_events for select to authenticated
  using (user_id = (select auth.uid()));
