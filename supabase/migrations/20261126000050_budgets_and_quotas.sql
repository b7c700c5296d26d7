-- Budgets are looked at each alone: whatever is wrong with one user's keeps nobody else's from being warned of and acted upon. Quotas count what machines may become.

-- What a user has, at most, by all that the machines are allowed to become. A machine is in one region at a time: those that have others to go to may each be in another
-- one, those that have not are where they are.
create function private.used_of(p_user_id uuid, out machines bigint, out vcpus bigint, out regions bigint)
language sql stable set search_path = '' as $$
  with mine as (select m.id, w.region, w.cpus, (select count(distinct o.region) from private.wished_places(to_jsonb(m)) o) = 1 as stays
    from public.machines m cross join lateral private.wished_places(to_jsonb(m)) w where m.user_id = p_user_id and m.phase <> 'destroyed')
  select count(distinct id), (select coalesce(sum(most), 0) from (select max(cpus) as most from mine group by id) each),
    least(count(distinct region), count(distinct region) filter (where stays) + count(distinct id) filter (where not stays)) from mine
$$;

-- As before, and: regions count as above, those that a machine may be moved to included; money counts for what costs more than before, not for what merely has another shape. Eight shared vCPUs made one performance vCPU cost
-- less; the plan has its say, the budget has none.
create or replace function private.machine_quota() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.plans;
  v_has record;
  v_grows boolean := true;
  v_dearer boolean := true;
begin
  if tg_op = 'UPDATE' then
    v_grows := (new.desired_state = 'started' and old.desired_state <> 'started')
      or exists (select from private.wished_places(to_jsonb(new)) n where not exists (select from private.wished_places(to_jsonb(old)) o
        where o.cpus >= n.cpus and o.memory_mb >= n.memory_mb and (o.cpu_kind = n.cpu_kind or o.cpu_kind = 'performance')));
    if not v_grows and not exists (select region from private.wished_places(to_jsonb(new)) except select region from private.wished_places(to_jsonb(old))) then
      return null;
    end if;
    v_dearer := (new.desired_state = 'started' and old.desired_state <> 'started')
      or private.dearest_usd(to_jsonb(new)) > private.dearest_usd(to_jsonb(old))
      or private.month_usd(new.desired_region, new.desired_cpu_kind, new.desired_cpus, new.desired_memory_mb)
        > private.month_usd(old.desired_region, old.desired_cpu_kind, old.desired_cpus, old.desired_memory_mb);
  end if;
  perform private.lock_user(new.user_id);
  v_plan := private.plan_of(new.user_id);
  select * into v_has from private.used_of(new.user_id);
  if v_has.machines > v_plan.machines then perform private.refuse_quota('machines', v_has.machines, v_plan.machines, v_plan.name); end if;
  if v_has.vcpus > v_plan.vcpus then perform private.refuse_quota('vcpus', v_has.vcpus, v_plan.vcpus, v_plan.name); end if;
  if v_has.regions > v_plan.regions then perform private.refuse_quota('regions', v_has.regions, v_plan.regions, v_plan.name); end if;
  if not v_plan.performance and exists (select from private.wished_places(to_jsonb(new)) w where w.cpu_kind = 'performance') then
    perform private.refuse(403, 'quota_performance', format('The plan "%s" has no performance vCPUs.', v_plan.name), 'Choose shared vCPUs, or a larger plan.');
  end if;
  if new.desired_state = 'started' and v_dearer then
    perform private.refuse_over_budget(new.user_id, true);
  end if;
  return null;
end $$;

-- 30 days of a machine where and as large as it is dearest of all that its wish allows.
create function private.dearest_usd(p_machine jsonb) returns numeric
language sql stable set search_path = '' as $$
  select max(private.month_usd(w.region, w.cpu_kind, w.cpus, w.memory_mb)) from private.wished_places(p_machine) w
$$;

-- Gives the warnings that are due; returns them. Each once a month.
create function private.warn_of_budget(p_budget public.budgets, p_spent numeric) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_percent int;
  v_given jsonb := '[]';
  v_facts jsonb;
begin
  foreach v_percent in array array[50, 80, 100] loop
    continue when p_spent * 100 < p_budget.monthly_usd * v_percent;
    insert into public.budget_notices (user_id, month, percent, spent_usd, budget_usd, action)
      values (p_budget.user_id, (date_trunc('month', now() at time zone 'UTC'))::date, v_percent, round(p_spent, 6), p_budget.monthly_usd, p_budget.action) on conflict do nothing;
    continue when not found;
    v_facts := jsonb_build_object('percent', v_percent, 'spent_usd', round(p_spent, 6), 'budget_usd', p_budget.monthly_usd);
    v_given := v_given || (v_facts || jsonb_build_object('user_id', p_budget.user_id, 'action', p_budget.action));
    insert into public.machine_events (machine_id, kind, message, data)
      select m.id, 'budget.warning', format('%s %% of this month''s budget of $%s is used: $%s.', v_percent, p_budget.monthly_usd, round(p_spent, 2)), v_facts
      from public.machines m where m.user_id = p_budget.user_id and m.phase <> 'destroyed' order by m.id;
  end loop;
  return v_given;
end $$;

-- Does what its user chose for a budget that is used up.
create function private.enforce_budget(p_budget public.budgets) returns void
language plpgsql set search_path = '' as $$
declare
  v_smallest jsonb;
begin
  if p_budget.action = 'stop' then
    with stopped as (
      update public.machines set desired_state = 'stopped', next_look_at = clock_timestamp(), attempts = 0
        where user_id = p_budget.user_id and desired_state = 'started' and phase <> 'destroyed' returning id
    ) insert into public.machine_events (machine_id, kind, message) select id, 'budget.stop', 'The machine is stopped: the month''s budget is used up.' from stopped;
  elsif p_budget.action = 'downsize' then
    select s.document #> '{scaling,bounds,smallest}' into v_smallest from public.user_settings s where s.user_id = p_budget.user_id;
    -- The plan may have become smaller since the bounds were set.
    if v_smallest is null or (v_smallest ->> 'cpuKind' = 'performance' and not (private.plan_of(p_budget.user_id)).performance) then
      v_smallest := '{"cpuKind":"shared","cpus":1,"memoryMb":512}';
    end if;
    -- All that the machine may become, not its first place alone: a size that has no room makes way for the others that are allowed.
    with smaller as (
      update public.machines m set desired_cpu_kind = w.cpu_kind, desired_cpus = w.cpus, desired_memory_mb = w.memory_mb, desired_sizes = '[]', desired_regions = w.regions,
          scaled_at = clock_timestamp(), next_look_at = clock_timestamp(), attempts = 0
        from (select o.id, s.*, array(select r from unnest(o.desired_regions) with ordinality as u(r, n)
              where private.month_usd(r, s.cpu_kind, s.cpus, s.memory_mb) <= private.month_usd(o.desired_region, s.cpu_kind, s.cpus, s.memory_mb) order by n) as regions
            from public.machines o cross join lateral (
              select size.cpu_kind, size.cpus, size.memory_mb from (values
                (o.desired_cpu_kind, o.desired_cpus, o.desired_memory_mb), (v_smallest ->> 'cpuKind', (v_smallest ->> 'cpus')::int, (v_smallest ->> 'memoryMb')::int)) as size(cpu_kind, cpus, memory_mb)
              order by private.month_usd(o.desired_region, size.cpu_kind, size.cpus, size.memory_mb) limit 1) s
            where o.user_id = p_budget.user_id) w
        where m.id = w.id and m.phase <> 'destroyed' and m.desired_state <> 'destroyed' and private.dearest_usd(to_jsonb(m)) > private.month_usd(m.desired_region, w.cpu_kind, w.cpus, w.memory_mb)
        returning m.id
    ) insert into public.machine_events (machine_id, kind, message) select id, 'budget.downsize', 'The machine is made as small as allowed: the month''s budget is used up.' from smaller;
  end if;
end $$;

-- As before, each budget in a transaction of its own within this one, warnings and deed apart: what fails is told to its user once a month, is tried again a
-- minute later, and nobody else notices. A row that somebody else holds is waited for no longer than lock_timeout.
create or replace function public.check_budgets(p_limit int) returns jsonb
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
declare
  v_budget public.budgets;
  v_spent numeric;
  v_given jsonb := '[]';
  v_why text;
begin
  for v_budget in select * from public.budgets where checked_at < clock_timestamp() - interval '1 minute' order by checked_at limit least(greatest(p_limit, 0), 1000) for update skip locked loop
    update public.budgets set checked_at = clock_timestamp() where user_id = v_budget.user_id;
    begin
      v_spent := private.month_spent(v_budget.user_id);
      v_given := v_given || private.warn_of_budget(v_budget, v_spent);
    exception when others then
      raise warning 'the budget of % could not be looked at: % %', v_budget.user_id, sqlstate, sqlerrm;
      continue;
    end;
    -- Not only when it is told: a machine that was started at the same moment is stopped too.
    continue when v_spent < v_budget.monthly_usd;
    begin
      perform private.enforce_budget(v_budget);
    exception when others then
      raise warning 'the budget of % could not be acted upon: % %', v_budget.user_id, sqlstate, sqlerrm;
      get stacked diagnostics v_why = pg_exception_detail;
      -- Only our own refusals are worded for users.
      v_why := case when sqlstate like 'PT%' then v_why else 'The fault is on our side.' end;
      begin
        insert into public.machine_events (machine_id, kind, message, data)
          select m.id, 'budget.failed', format('The month''s budget is used up, and the machine could not be %s. %s It is tried again every minute; you may do it yourself.',
              case v_budget.action when 'stop' then 'stopped' else 'made smaller' end, v_why), jsonb_build_object('action', v_budget.action)
          from public.machines m where m.user_id = v_budget.user_id and m.phase <> 'destroyed' and m.desired_state = 'started'
            and not exists (select from public.machine_events e where e.machine_id = m.id and e.kind = 'budget.failed' and e.at >= date_trunc('month', now(), 'UTC')) order by m.id;
      exception when others then
        raise warning 'that could not be told to %: % %', v_budget.user_id, sqlstate, sqlerrm;
      end;
    end;
  end loop;
  return v_given;
end $$;

-- As before. The row comes before the user's lock, as it does for whoever looks at budgets: the other way round the two could wait for each other.
create or replace function public.set_budget(p_user_id uuid, p_monthly_usd numeric, p_action text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  perform from public.budgets where user_id = p_user_id for update;
  perform private.lock_user(p_user_id);
  if p_monthly_usd is null then
    delete from public.budgets where user_id = p_user_id;
  else
    insert into public.budgets as b (user_id, monthly_usd, action) values (p_user_id, p_monthly_usd, p_action)
      on conflict (user_id) do update set monthly_usd = excluded.monthly_usd, action = excluded.action, updated_at = clock_timestamp(), checked_at = '-infinity';
  end if;
  delete from public.budget_notices where user_id = p_user_id and month = (date_trunc('month', now() at time zone 'UTC'))::date;
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- The plan that holds for a user, and what of it is in use, as quotas count it.
create or replace function public.user_plan(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p) || jsonb_build_object('own', exists (select from public.user_plans u where u.user_id = p_user_id),
    'used', to_jsonb(h) || jsonb_build_object('traders', (select count(*) from public.traders t where t.user_id = p_user_id and t.deleted_at is null)))
  from private.plan_of(p_user_id) p, private.used_of(p_user_id) h
$$;
notify pgrst, 'reload schema';
