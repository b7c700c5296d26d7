-- What operators order is told in the audit log, and what is told of fleets and rollouts is never changed.

-- Orders of operators so far: one more is a change, also where what was allowed stays the same.
alter table public.fleet_sweep add column orders int not null default 0;
-- What a sweep does by itself (allowed falls with each orphan that is removed) is told in fleet_events.
create trigger audit after update on public.fleet_sweep for each row when (new.orders <> old.orders or (new.halted is null) <> (old.halted is null))
  execute function private.audit('orders', 'allowed', 'halted');

-- As before, told in the audit log, and once for each request: so many orphans may be removed, and not as many again.
create or replace function public.resume_sweep(p_orphans int, p_by uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.fleet_sweep for update;
  if not private.once() then
    return;
  end if;
  update public.fleet_sweep set orders = orders + 1, allowed = greatest(p_orphans, 0), next_at = clock_timestamp(),
    halted = case when p_orphans >= coalesce((halted ->> 'orphans')::int, 0) then null else halted end;
  -- What was given up may be tried again.
  update public.fleet_findings set abandoned_at = null, attempts = 0 where kind = 'orphan' and abandoned_at is not null;
  insert into public.fleet_events (kind, message, data) values ('operator', format('An operator allowed %s orphans to be removed, and asked for a sweep.', p_orphans), jsonb_build_object('by', p_by, 'orphans', p_orphans));
end $$;

do $$
declare
  v_table text;
begin
  foreach v_table in array array['fleet_events', 'rollout_events'] loop
    execute format('create trigger %I before update or delete on public.%I for each row execute function private.append_only()', v_table || '_append_only', v_table);
    execute format('create trigger %I before truncate on public.%I for each statement execute function private.append_only()', v_table || '_no_truncate', v_table);
  end loop;
end $$;
notify pgrst, 'reload schema';
