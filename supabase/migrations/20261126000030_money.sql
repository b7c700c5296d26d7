-- What machines cost: prices as dated data, spans of what was observed, budgets. All times are the database's, all days UTC, all money US dollars.

-- List prices from a day on. A new list is a new row; what ran before keeps its price.
create table public.price_lists (
  valid_from date primary key,
  read_at date not null,
  -- For one second in the base region.
  shared_cpu numeric not null check (shared_cpu > 0),
  performance_cpu numeric not null check (performance_cpu > 0),
  -- A second of a GB beyond what the vCPUs include.
  extra_gb numeric not null check (extra_gb > 0),
  shared_included_mb int not null,
  performance_included_mb int not null,
  region_factor jsonb not null check (jsonb_typeof(region_factor) = 'object'),
  -- For 30 days.
  volume_gb numeric not null check (volume_gb > 0),
  -- By region; the dearest counts where it is not named. What a machine sends is not measured but estimated: MB in an hour.
  egress_gb jsonb not null check (jsonb_typeof(egress_gb) = 'object'),
  egress_mb_per_hour numeric not null check (egress_mb_per_hour >= 0)
);
insert into public.price_lists values ('2026-01-01', '2026-10-09', 0.0000008465, 0.000012732, 0.000002316, 256, 2048,
  '{"iad":1,"ewr":1,"ams":1.038,"arn":1.038,"yyz":1.115,"lhr":1.135,"cdg":1.135,"fra":1.154,"sjc":1.192,"lax":1.2,"ord":1.25,"dfw":1.25,"sin":1.269,"syd":1.269,"jnb":1.303,"nrt":1.308,"gru":1.615}',
  0.15,
  '{"iad":0.02,"ewr":0.02,"ams":0.02,"arn":0.02,"yyz":0.02,"lhr":0.02,"cdg":0.02,"fra":0.02,"sjc":0.02,"lax":0.02,"ord":0.02,"dfw":0.02,"sin":0.04,"syd":0.04,"nrt":0.04,"gru":0.04,"jnb":0.12}',
  10);

create function private.prices_on(p_day date) returns public.price_lists
language sql stable set search_path = '' as $$
  select * from public.price_lists order by valid_from <= p_day desc, case when valid_from <= p_day then valid_from end desc, valid_from limit 1
$$;

-- The number of a region in one of a list's maps; the largest for a region that is not named.
create function private.by_region(p_map jsonb, p_region text) returns numeric
language sql immutable set search_path = '' as $$
  select coalesce((p_map ->> p_region)::numeric, (select max(value::numeric) from jsonb_each_text(p_map)))
$$;

-- A second of a running machine.
create function private.second_usd(p_prices public.price_lists, p_region text, p_cpu_kind text, p_cpus int, p_memory_mb int) returns numeric
language sql immutable set search_path = '' as $$
  select private.by_region(p_prices.region_factor, p_region) * case p_cpu_kind
    when 'shared' then p_cpus * p_prices.shared_cpu + greatest(0, p_memory_mb - p_prices.shared_included_mb * p_cpus) / 1024.0 * p_prices.extra_gb
    else p_cpus * p_prices.performance_cpu + greatest(0, p_memory_mb - p_prices.performance_included_mb * p_cpus) / 1024.0 * p_prices.extra_gb end
$$;

-- 30 days of a machine that runs without a pause, its volume of 1 GB included.
create function private.month_usd(p_region text, p_cpu_kind text, p_cpus int, p_memory_mb int) returns numeric
language sql stable set search_path = '' as $$
  select private.second_usd(p, p_region, p_cpu_kind, p_cpus, p_memory_mb) * 30 * 86400 + p.volume_gb from private.prices_on((now() at time zone 'UTC')::date) p
$$;

-- What was observed to run, and for how long; `until` null: it still does. One open span of a kind and machine. Kept for good: it is what was paid for.
create table public.machine_spans (
  machine_id uuid not null references public.machines on delete cascade,
  user_id uuid not null,
  kind text not null check (kind in ('compute', 'volume')),
  since timestamptz not null,
  until timestamptz check (until >= since),
  region text not null,
  cpu_kind text,
  cpus int,
  memory_mb int,
  gb int,
  primary key (machine_id, kind, since),
  check ((kind = 'compute') = (cpus is not null)),
  check ((kind = 'volume') = (gb is not null))
);
create unique index machine_spans_open on public.machine_spans (machine_id, kind) where until is null;
create index machine_spans_user on public.machine_spans (user_id, since);

-- Follows what the reconciler observed, whichever way it was written. Fly counts a machine that starts or stops as one that runs.
create function private.follow_spans() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_runs boolean := new.phase <> 'destroyed' and new.fly_machine_id is not null and new.cpus is not null and new.memory_mb is not null and new.region is not null
    and coalesce(new.fly_state in ('starting', 'started', 'stopping', 'restarting', 'replacing', 'suspending', 'updating'), false);
  v_stored boolean := new.phase <> 'destroyed' and new.fly_volume_id is not null;
begin
  update public.machine_spans s set until = greatest(v_now, s.since) where s.machine_id = new.id and s.until is null and case s.kind
    when 'compute' then not v_runs or (s.region, s.cpu_kind, s.cpus, s.memory_mb) is distinct from (new.region, new.cpu_kind, new.cpus, new.memory_mb)
    else not v_stored or s.region is distinct from coalesce(new.region, new.desired_region) end;
  if v_runs then
    insert into public.machine_spans (machine_id, user_id, kind, since, region, cpu_kind, cpus, memory_mb)
      values (new.id, new.user_id, 'compute', v_now, new.region, new.cpu_kind, new.cpus, new.memory_mb) on conflict do nothing;
  end if;
  if v_stored then
    insert into public.machine_spans (machine_id, user_id, kind, since, region, gb)
      values (new.id, new.user_id, 'volume', v_now, coalesce(new.region, new.desired_region), 1) on conflict do nothing;
  end if;
  return null;
end $$;
create trigger follow_spans after update on public.machines for each row
  when ((old.fly_state, old.fly_machine_id, old.fly_volume_id, old.region, old.cpu_kind, old.cpus, old.memory_mb, old.phase = 'destroyed')
    is distinct from (new.fly_state, new.fly_machine_id, new.fly_volume_id, new.region, new.cpu_kind, new.cpus, new.memory_mb, new.phase = 'destroyed'))
  execute function private.follow_spans();
-- What runs already is counted from here on.
insert into public.machine_spans (machine_id, user_id, kind, since, region, cpu_kind, cpus, memory_mb)
  select id, user_id, 'compute', clock_timestamp(), region, cpu_kind, cpus, memory_mb from public.machines
  where phase <> 'destroyed' and fly_machine_id is not null and cpus is not null and memory_mb is not null and region is not null and fly_state in ('starting', 'started', 'stopping');
insert into public.machine_spans (machine_id, user_id, kind, since, region, gb)
  select id, user_id, 'volume', clock_timestamp(), coalesce(region, desired_region), 1 from public.machines where phase <> 'destroyed' and fly_volume_id is not null;

-- What a user wants to pay at most in a calendar month, and what happens when it is used up.
create table public.budgets (
  user_id uuid primary key references auth.users on delete cascade,
  monthly_usd numeric(12, 2) not null check (monthly_usd > 0 and monthly_usd <= 1000000),
  action text not null check (action in ('notify', 'downsize', 'stop')),
  updated_at timestamptz not null default now()
);

-- Each warning is given once a month; one that is given anew after the budget was changed counts anew.
create table public.budget_notices (
  user_id uuid not null references auth.users on delete cascade,
  month date not null,
  percent int not null check (percent in (50, 80, 100)),
  at timestamptz not null default clock_timestamp(),
  spent_usd numeric not null,
  budget_usd numeric not null,
  action text not null,
  primary key (user_id, month, percent)
);

-- One call of a model with the platform's key. Until it has ended it counts with the most that it can cost; so does one whose end was never told.
create table public.gemini_calls (
  id uuid primary key,
  user_id uuid not null references auth.users on delete cascade,
  machine_id uuid not null,
  model text not null check (length(model) between 1 and 100),
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  status int,
  tokens_in int not null default 0 check (tokens_in >= 0),
  tokens_out int not null default 0 check (tokens_out >= 0),
  -- Billionths of a US dollar.
  nano_usd bigint not null check (nano_usd >= 0)
);
create index gemini_calls_user on public.gemini_calls (user_id, started_at);
create index gemini_calls_newest on public.gemini_calls (started_at);

do $$
declare
  v_table text;
begin
  foreach v_table in array array['machine_spans', 'budgets', 'budget_notices', 'gemini_calls'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('grant select on public.%I to authenticated, service_role', v_table);
    execute format('create policy "a user reads own %s" on public.%I for select to authenticated using (user_id = (select auth.uid()))', replace(v_table, '_', ' '), v_table);
    execute format($policy$create policy "an operator reads all %s" on public.%I for select to authenticated
      using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator')$policy$, replace(v_table, '_', ' '), v_table);
  end loop;
end $$;
alter table public.price_lists enable row level security;
alter table public.price_lists force row level security;
grant select on public.price_lists to authenticated, service_role;
create policy "a user reads the prices" on public.price_lists for select to authenticated using (true);

-- What was paid for in [p_from, p_to), by machine, day and kind: compute by size and region, volume, egress (estimated), analysis (the platform's key).
create function private.spend(p_user_id uuid, p_from timestamptz, p_to timestamptz)
returns table (machine_id uuid, day date, kind text, region text, cpu_kind text, cpus int, memory_mb int, seconds numeric, usd numeric)
language sql stable set search_path = '' as $$
  with pieces as (
    select s.*, d.day::date as day,
      extract(epoch from least(coalesce(s.until, p_to), (d.day + interval '1 day') at time zone 'UTC', p_to) - greatest(s.since, d.day at time zone 'UTC', p_from)) as seconds
    from public.machine_spans s cross join lateral generate_series(
      date_trunc('day', greatest(s.since, p_from) at time zone 'UTC'), least(coalesce(s.until, p_to), p_to) at time zone 'UTC', interval '1 day') as d(day)
    where s.user_id = p_user_id and s.since < p_to and coalesce(s.until, p_to) > p_from
  ), priced as (
    select p.*, l as prices from pieces p cross join lateral private.prices_on(p.day) l where p.seconds > 0
  )
  select machine_id, day, kind, region, cpu_kind, cpus, memory_mb, sum(seconds), sum(case kind
      when 'compute' then seconds * private.second_usd(prices, region, cpu_kind, cpus, memory_mb)
      else seconds / (30 * 86400) * gb * (prices).volume_gb end)
    from priced group by 1, 2, 3, 4, 5, 6, 7
  union all
  select machine_id, day, 'egress', region, null, null, null, sum(seconds), sum(seconds / 3600 * (prices).egress_mb_per_hour / 1024 * private.by_region((prices).egress_gb, region))
    from priced where kind = 'compute' group by 1, 2, 4
  union all
  select g.machine_id, (g.started_at at time zone 'UTC')::date, 'analysis', null, null, null, null, count(*), sum(g.nano_usd) / 1e9
    from public.gemini_calls g where g.user_id = p_user_id and g.started_at >= p_from and g.started_at < p_to group by 1, 2
$$;

-- Spent since the beginning of this month (UTC).
create function private.month_spent(p_user_id uuid) returns numeric
language sql stable set search_path = '' as $$
  select coalesce(sum(usd), 0) from private.spend(p_user_id, date_trunc('month', now(), 'UTC'), clock_timestamp())
$$;

-- Every place that a machine may come to by its wish: what is wished first, and what is allowed where that has no room.
create function private.wished_places(p_machine jsonb) returns table (region text, cpu_kind text, cpus int, memory_mb int)
language sql immutable set search_path = '' as $$
  select r.region, s.size ->> 'cpuKind', (s.size ->> 'cpus')::int, (s.size ->> 'memoryMb')::int
  from (select p_machine ->> 'desired_region' union select jsonb_array_elements_text(coalesce(p_machine -> 'desired_regions', '[]'))) as r(region)
  cross join (select jsonb_build_object('cpuKind', p_machine -> 'desired_cpu_kind', 'cpus', p_machine -> 'desired_cpus', 'memoryMb', p_machine -> 'desired_memory_mb')
    union select jsonb_array_elements(coalesce(p_machine -> 'desired_sizes', '[]'))) as s(size)
$$;

-- What 30 days cost of all that the user wishes to have now: what is started with its size (the dearest of those allowed), what is stopped with its volume.
create function private.month_rate(p_user_id uuid) returns numeric
language sql stable set search_path = '' as $$
  select coalesce(sum(case when m.desired_state = 'started' then (select max(private.month_usd(w.region, w.cpu_kind, w.cpus, w.memory_mb)) from private.wished_places(to_jsonb(m)) w)
      else (private.prices_on((now() at time zone 'UTC')::date)).volume_gb end), 0)
    from public.machines m where m.user_id = p_user_id and m.phase <> 'destroyed' and m.desired_state <> 'destroyed'
$$;

-- A month (any day of it) by day and kind, what is to come of it, and the budget. p_machine_id: of that machine alone; null when the user has no such machine.
create function public.user_cost(p_user_id uuid, p_machine_id uuid default null, p_month date default null) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
  v_from timestamptz := date_trunc('month', coalesce(p_month, (now() at time zone 'UTC')::date)::timestamp) at time zone 'UTC';
  v_end timestamptz := (date_trunc('month', coalesce(p_month, (now() at time zone 'UTC')::date)::timestamp) + interval '1 month') at time zone 'UTC';
  v_to timestamptz := greatest(v_from, least(v_end, clock_timestamp()));
  v_rate numeric;
  v_rows jsonb;
  v_spent numeric;
begin
  if p_machine_id is not null and not exists (select from public.machines where id = p_machine_id and user_id = p_user_id) then
    return null;
  end if;
  select coalesce(jsonb_agg(jsonb_build_object('machine_id', s.machine_id, 'day', s.day, 'kind', s.kind, 'region', s.region, 'cpu_kind', s.cpu_kind, 'cpus', s.cpus,
      'memory_mb', s.memory_mb, 'seconds', round(s.seconds, 3), 'usd', round(s.usd, 9)) order by s.day, s.machine_id, s.kind, s.region, s.cpu_kind desc, s.cpus, s.memory_mb), '[]'), coalesce(sum(s.usd), 0)
    into v_rows, v_spent
    from private.spend(p_user_id, v_from, v_to) s where p_machine_id is null or s.machine_id = p_machine_id;
  if p_machine_id is null then
    v_rate := private.month_rate(p_user_id);
  else
    select case when desired_state = 'destroyed' or phase = 'destroyed' then 0
      when desired_state = 'started' then private.month_usd(desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb)
      else (private.prices_on((now() at time zone 'UTC')::date)).volume_gb end into v_rate from public.machines where id = p_machine_id;
  end if;
  return jsonb_build_object(
    'from', v_from, 'to', v_to, 'until', v_end, 'rows', v_rows, 'spent_usd', round(v_spent, 6), 'month_rate_usd', round(v_rate, 6),
    'forecast_usd', round(v_spent + v_rate * extract(epoch from v_end - v_to)::numeric / (30 * 86400), 6),
    'prices_read_at', (private.prices_on((v_to at time zone 'UTC')::date)).read_at,
    'budget', (select jsonb_build_object('monthly_usd', b.monthly_usd, 'action', b.action, 'percent', round(private.month_spent(p_user_id) / b.monthly_usd * 100, 1),
        'notices', (select coalesce(jsonb_agg(jsonb_build_object('percent', n.percent, 'at', n.at) order by n.percent), '[]') from public.budget_notices n
          where n.user_id = p_user_id and n.month = v_from at time zone 'UTC'))
      from public.budgets b where b.user_id = p_user_id));
end $$;
grant execute on function public.user_cost(uuid, uuid, date) to service_role;
