-- One owner per user: of all machines of a user, in whatever environment, one acts (screens, analyses, trades); the others wait.
-- A lease on the database's clock. A disk, not a process, holds it: the next process on the same disk takes it over at once with a
-- higher fence, and the one before is refused from then on. Anybody else waits until a minute after its end, the time for what was under way.

create table public.owner_leases (
  user_id uuid primary key references auth.users on delete cascade,
  -- null: nobody's. The row stays, so that the fence never goes back.
  machine_id uuid references public.machines on delete set null,
  holder uuid,
  fence bigint not null default 0,
  since timestamptz not null default now(),
  expires_at timestamptz not null default '-infinity'
);
create index owner_leases_machine on public.owner_leases (machine_id);

alter table public.owner_leases enable row level security;
alter table public.owner_leases force row level security;
grant select on public.owner_leases to authenticated, service_role;
create policy "a user reads own owner lease" on public.owner_leases for select to authenticated
  using (user_id = (select auth.uid()));
create policy "an operator reads all owner leases" on public.owner_leases for select to authenticated
  using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator');

-- Takes or renews the caller's user's lease. p_holder: the id of the caller's disk; p_fence: what the caller holds by its own knowledge, null at a start.
-- Returns {held: true, fence, expires_in_ms} or {held: false, superseded, expires_in_ms, free_in_ms, holder: {machine_id, environment, region, since}}.
-- `superseded`: it is another process on the caller's own disk.
create function public.hold_owner_lease(p_holder uuid, p_fence bigint default null, p_seconds int default 60) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_lease public.owner_leases;
  v_owner public.machines;
  v_own boolean;
  v_now timestamptz;
  v_seconds int := least(greatest(coalesce(p_seconds, 60), 5), 300);
begin
  if p_holder is null then
    perform private.refuse(400, 'holder_missing', 'Who holds the lease is a UUID.');
  end if;
  insert into public.owner_leases (user_id) values (v_machine.user_id) on conflict do nothing;
  select * into v_lease from public.owner_leases where user_id = v_machine.user_id for update;
  -- Read after the lock: whoever waited for it must not judge by an older time.
  v_now := clock_timestamp();
  v_own := coalesce(v_lease.holder = p_holder and v_lease.machine_id = v_machine.id, false);
  if v_own and v_lease.fence = p_fence then
    update public.owner_leases set expires_at = v_now + make_interval(secs => v_seconds) where user_id = v_machine.user_id;
    return jsonb_build_object('held', true, 'fence', v_lease.fence, 'expires_in_ms', v_seconds * 1000);
  end if;
  select * into v_owner from public.machines where id = v_lease.machine_id;
  if (v_own and p_fence is null) or v_owner.id is null or v_owner.phase = 'destroyed' or v_lease.expires_at + interval '60 seconds' <= v_now then
    update public.owner_leases set machine_id = v_machine.id, holder = p_holder, fence = fence + 1, since = v_now,
      expires_at = v_now + make_interval(secs => v_seconds)
    where user_id = v_machine.user_id returning * into v_lease;
    return jsonb_build_object('held', true, 'fence', v_lease.fence, 'expires_in_ms', v_seconds * 1000);
  end if;
  return jsonb_build_object('held', false, 'superseded', v_own,
    'expires_in_ms', greatest(0, ceil(extract(epoch from v_lease.expires_at - v_now) * 1000)),
    'free_in_ms', greatest(0, ceil(extract(epoch from v_lease.expires_at + interval '60 seconds' - v_now) * 1000)),
    'holder', jsonb_build_object('machine_id', v_owner.id, 'environment', v_owner.environment, 'region', coalesce(v_owner.region, v_owner.desired_region), 'since', v_lease.since));
end $$;

-- Gives the lease up: nobody has to wait for its end. False when it is not (or no longer) the caller's.
create function public.release_owner_lease(p_holder uuid, p_fence bigint) returns boolean
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
begin
  update public.owner_leases set expires_at = '-infinity'
    where user_id = v_machine.user_id and machine_id = v_machine.id and holder = p_holder and fence = p_fence;
  return found;
end $$;

grant execute on function public.hold_owner_lease(uuid, bigint, int), public.release_owner_lease(uuid, bigint) to machine;
notify pgrst, 'reload schema';
