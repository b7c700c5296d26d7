-- Plans as data, and quotas that hold: each is checked in the transaction that would exceed it, whoever asked for it and however.

create table public.plans (
  name text primary key check (name ~ '^[a-z][a-z0-9-]{0,31}$'),
  title text not null check (length(title) between 1 and 60),
  -- What of these a user may have at once. 0 machines: local only.
  machines int not null check (machines >= 0),
  vcpus int not null check (vcpus >= 0),
  regions int not null check (regions >= 0),
  performance boolean not null default false,
  traders int not null check (traders >= 0),
  -- Analyses with the platform's key: calls a day, a minute and at once, and money a day (billionths of a US dollar). 0: none.
  analyses_per_day int not null default 0 check (analyses_per_day >= 0),
  analyses_per_minute int not null default 0 check (analyses_per_minute >= 0),
  analyses_at_once int not null default 0 check (analyses_at_once >= 0),
  analyses_nano_usd_per_day bigint not null default 0 check (analyses_nano_usd_per_day >= 0),
  -- Of those who have none of their own.
  is_default boolean not null default false
);
create unique index plans_one_default on public.plans (is_default) where is_default;

insert into public.plans (name, title, machines, vcpus, regions, performance, traders, analyses_per_day, analyses_per_minute, analyses_at_once, analyses_nano_usd_per_day, is_default) values
  ('free', 'Free: on your own computer', 0, 0, 0, false, 10, 0, 0, 0, 0, true),
  ('pro', 'Pro: on your own computer, with more traders', 0, 0, 0, false, 100, 0, 0, 0, 0, false),
  ('elite', 'Elite: a machine around the clock', 1, 8, 1, true, 500, 2000, 60, 4, 5000000000, false);

create table public.user_plans (
  user_id uuid primary key references auth.users on delete cascade,
  plan text not null references public.plans,
  since timestamptz not null default now()
);
create index user_plans_plan on public.user_plans (plan);

alter table public.plans enable row level security;
alter table public.plans force row level security;
alter table public.user_plans enable row level security;
alter table public.user_plans force row level security;
grant select on public.plans to anon, authenticated, service_role;
grant select on public.user_plans to authenticated, service_role;
create policy "everybody reads the plans" on public.plans for select to anon, authenticated using (true);
create policy "a user reads own plan" on public.user_plans for select to authenticated using (user_id = (select auth.uid()));
create policy "an operator reads all user plans" on public.user_plans for select to authenticated
  using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator');

-- The plan that holds for a user.
create function private.plan_of(p_user_id uuid) returns public.plans
language sql stable set search_path = '' as $$
  select p.* from public.plans p
  where p.name = coalesce((select u.plan from public.user_plans u where u.user_id = p_user_id), (select d.name from public.plans d where d.is_default))
$$;

-- Whoever counts what a user has, and adds to it, does so alone until the transaction ends: two at once cannot both see room for one.
create function private.lock_user(p_user_id uuid) returns void
language sql set search_path = '' as $$ select pg_advisory_xact_lock(hashtextextended('trademind.user.' || p_user_id, 0)) $$;

create function private.refuse_quota(p_what text, p_has bigint, p_may bigint, p_plan text) returns void
language plpgsql set search_path = '' as $$
begin
  perform private.refuse(403, 'quota_' || p_what, format('That would be %s %s; the plan "%s" has %s.', p_has, p_what, p_plan, p_may),
    case when p_may = 0 then 'Choose a plan with ' || p_what || '.' else 'Give one up, or choose a larger plan.' end);
end $$;

-- A budget that is not for warning alone is not exceeded by a wish: neither by what the wishes cost in 30 days, nor once the month's is used up.
create function private.refuse_over_budget(p_user_id uuid, p_grows boolean) returns void
language plpgsql stable security definer set search_path = '' as $$
declare
  v_budget public.budgets;
  v_rate numeric;
begin
  select * into v_budget from public.budgets where user_id = p_user_id and action <> 'notify';
  if not found then
    return;
  end if;
  v_rate := private.month_rate(p_user_id);
  if v_rate > v_budget.monthly_usd then
    perform private.refuse(403, 'budget_exceeded', format('That would cost $%s in 30 days; the budget is $%s.', round(v_rate, 2), v_budget.monthly_usd),
      'Choose a smaller size, or raise the budget.');
  end if;
  if p_grows and private.month_spent(p_user_id) >= v_budget.monthly_usd then
    perform private.refuse(403, 'budget_used_up', format('This month''s budget of $%s is used up.', v_budget.monthly_usd), 'Raise the budget, or wait for the next month.');
  end if;
end $$;

-- After the row is there: what a deploy finds instead of making takes no room. A change that asks for no more than before is never refused,
-- so that a user whose plan became smaller can still stop, shrink and destroy.
create function private.machine_quota() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.plans;
  v_has record;
  v_grows boolean := true;
begin
  if tg_op = 'UPDATE' then
    v_grows := (new.desired_state = 'started' and old.desired_state <> 'started')
      or exists (select from private.wished_places(to_jsonb(new)) n where not exists (select from private.wished_places(to_jsonb(old)) o
        where o.cpus >= n.cpus and o.memory_mb >= n.memory_mb and (o.cpu_kind = n.cpu_kind or o.cpu_kind = 'performance')));
    if not v_grows and not exists (select region from private.wished_places(to_jsonb(new)) except select region from private.wished_places(to_jsonb(old))) then
      return null;
    end if;
  end if;
  perform private.lock_user(new.user_id);
  v_plan := private.plan_of(new.user_id);
  select count(*) as machines, coalesce(sum((select max(w.cpus) from private.wished_places(to_jsonb(m)) w)), 0) as vcpus, count(distinct desired_region) as regions into v_has
    from public.machines m where user_id = new.user_id and phase <> 'destroyed';
  if v_has.machines > v_plan.machines then perform private.refuse_quota('machines', v_has.machines, v_plan.machines, v_plan.name); end if;
  if v_has.vcpus > v_plan.vcpus then perform private.refuse_quota('vcpus', v_has.vcpus, v_plan.vcpus, v_plan.name); end if;
  if v_has.regions > v_plan.regions then perform private.refuse_quota('regions', v_has.regions, v_plan.regions, v_plan.name); end if;
  if not v_plan.performance and exists (select from private.wished_places(to_jsonb(new)) w where w.cpu_kind = 'performance') then
    perform private.refuse(403, 'quota_performance', format('The plan "%s" has no performance vCPUs.', v_plan.name), 'Choose shared vCPUs, or a larger plan.');
  end if;
  if new.desired_state = 'started' then
    perform private.refuse_over_budget(new.user_id, v_grows);
  end if;
  return null;
end $$;
create trigger machine_quota after insert on public.machines for each row execute function private.machine_quota();
-- Every change of a wish raises the generation; a beat does not, and costs nothing here.
create trigger machine_quota_changed after update on public.machines for each row when (new.generation <> old.generation) execute function private.machine_quota();

create function private.trader_quota() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.plans;
  v_has bigint;
begin
  if new.deleted_at is not null or (tg_op = 'UPDATE' and old.deleted_at is null) then
    return null;
  end if;
  perform private.lock_user(new.user_id);
  v_plan := private.plan_of(new.user_id);
  select count(*) into v_has from public.traders where user_id = new.user_id and deleted_at is null;
  if v_has > v_plan.traders then perform private.refuse_quota('traders', v_has, v_plan.traders, v_plan.name); end if;
  return null;
end $$;
create trigger trader_quota after insert or update of deleted_at on public.traders
  for each row execute function private.trader_quota();

-- The plan that holds for a user, and what of it is in use.
create function public.user_plan(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p) || jsonb_build_object('own', exists (select from public.user_plans u where u.user_id = p_user_id), 'used', (
    select jsonb_build_object('machines', count(*), 'vcpus', coalesce(sum(m.desired_cpus), 0), 'regions', count(distinct m.desired_region),
      'traders', (select count(*) from public.traders t where t.user_id = p_user_id and t.deleted_at is null))
    from public.machines m where m.user_id = p_user_id and m.phase <> 'destroyed'))
  from private.plan_of(p_user_id) p
$$;

-- Puts a user on a plan; null: on whichever is the default. What the user has beyond it stays until the user gives it up.
create function public.set_user_plan(p_user_id uuid, p_plan text) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
  perform private.lock_user(p_user_id);
  if not exists (select from auth.users where id = p_user_id) then
    perform private.refuse(404, 'user_not_found', 'No user has this id.');
  end if;
  if p_plan is null then
    delete from public.user_plans where user_id = p_user_id;
  elsif not exists (select from public.plans where name = p_plan) then
    perform private.refuse(422, 'plan_unknown', format('There is no plan "%s".', p_plan),
      'Plans: ' || (select string_agg(name, ', ' order by name) from public.plans) || '.');
  else
    insert into public.user_plans as u (user_id, plan) values (p_user_id, p_plan)
      on conflict (user_id) do update set plan = excluded.plan, since = clock_timestamp() where u.plan <> excluded.plan;
  end if;
  return public.user_plan(p_user_id);
end $$;

-- The plan of those who have none of their own.
create function public.set_default_plan(p_plan text) returns void
language plpgsql security definer set search_path = '' as $$
begin
  if not exists (select from public.plans where name = p_plan) then
    perform private.refuse(422, 'plan_unknown', format('There is no plan "%s".', p_plan),
      'Plans: ' || (select string_agg(name, ', ' order by name) from public.plans) || '.');
  end if;
  update public.plans set is_default = false where is_default and name <> p_plan;
  update public.plans set is_default = true where name = p_plan and not is_default;
end $$;

grant execute on function public.user_plan(uuid), public.set_user_plan(uuid, text), public.set_default_plan(text) to service_role;
notify pgrst, 'reload schema';
