-- What a machine found out and what it cost: decisions, analyses, usage, notifications, metrics, events. Written by write_facts alone; a fact
-- never changes, its id says what it means, so a repeat is harmless. Each writer sweeps what is too old of its own. `machine_id` says where a fact came
-- from; it goes with its user, not with the machine, so it needs neither a reference nor an index.

-- The outcome of a signal: a decision, or the reason why there is none. Exactly one per signal.
create table public.decisions (
  user_id uuid not null,
  signal_id uuid not null,
  machine_id uuid not null,
  at timestamptz not null,
  outcome text not null check (outcome in ('enter_trade', 'bad_setup', 'wait', 'none')),
  -- Why there is no decision: a stable code.
  reason text check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
  message text check (length(message) between 1 and 2000),
  confidence real check (confidence between 0 and 100),
  actionable boolean not null default false,
  -- `Decision` of packages/core/decision.ts.
  document jsonb check (jsonb_typeof(document) = 'object' and pg_column_size(document) <= 65536),
  created_at timestamptz not null default now(),
  primary key (user_id, signal_id),
  foreign key (user_id, signal_id) references public.signals (user_id, id) on delete cascade,
  check ((outcome = 'none') = (reason is not null)),
  check ((outcome = 'none') = (document is null)),
  check (not actionable or outcome = 'enter_trade')
);
create index decisions_user_newest on public.decisions (user_id, at desc, signal_id);

-- One call of the model. Without a reference to the signal: what was paid stays known when the signal is forgotten.
create table public.analyses (
  user_id uuid not null references auth.users on delete cascade,
  id uuid not null,
  machine_id uuid not null,
  signal_id uuid not null,
  attempt int not null check (attempt between 1 and 1000),
  model text not null check (length(model) between 1 and 100),
  prompt_version text not null check (length(prompt_version) between 1 and 100),
  prompt_hash text not null check (prompt_hash ~ '^[0-9a-f]{64}$'),
  started_at timestamptz not null,
  latency_ms int not null check (latency_ms >= 0),
  tokens_in int not null check (tokens_in >= 0),
  tokens_out int not null check (tokens_out >= 0),
  -- Billionths of a US dollar.
  nano_usd bigint not null check (nano_usd >= 0),
  -- The model did not say what it used: tokens and money are the most that it can have been.
  estimated boolean not null default false,
  result text not null check (result ~ '^[a-z][a-z0-9_]{0,31}$'),
  created_at timestamptz not null default now(),
  primary key (user_id, id)
);
create index analyses_user_newest on public.analyses (user_id, started_at desc, id);
create index analyses_signal on public.analyses (user_id, signal_id);

-- Tokens and money by day (UTC) and model, added up as the calls arrive. Kept for good.
create table public.usage (
  user_id uuid not null references auth.users on delete cascade,
  day date not null,
  model text not null,
  calls int not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  nano_usd bigint not null,
  primary key (user_id, day, model)
);
create index usage_day on public.usage (day);

-- How telling somebody something ended. The text is not kept here, nor where it went: both may be private.
create table public.notifications (
  user_id uuid not null references auth.users on delete cascade,
  id uuid not null,
  machine_id uuid not null,
  at timestamptz not null,
  channel text not null check (channel ~ '^[a-z][a-z0-9_-]{0,31}$'),
  rule text not null check (length(rule) between 1 and 100),
  -- What it was about, e.g. {"signal_id": …}.
  about jsonb not null default '{}' check (jsonb_typeof(about) = 'object' and pg_column_size(about) <= 4096),
  outcome text not null check (outcome in ('sent', 'failed', 'dropped')),
  attempts int not null check (attempts between 0 and 1000),
  code text check (code ~ '^[a-z][a-z0-9_]{0,63}$'),
  message text check (length(message) between 1 and 2000),
  created_at timestamptz not null default now(),
  primary key (user_id, id)
);
create index notifications_user_newest on public.notifications (user_id, at desc, id);

-- A machine's load. A minute is a fact; hours and days are added up from the minutes as they arrive, however late.
create table public.machine_metrics (
  machine_id uuid not null references public.machines on delete cascade,
  user_id uuid not null,
  resolution text not null check (resolution in ('minute', 'hour', 'day')),
  at timestamptz not null,
  -- How much of the span was measured; averages are weighted by it.
  seconds real not null check (seconds > 0 and seconds <= 86400),
  cpu_percent real not null check (cpu_percent between 0 and 10000),
  cpu_percent_max real not null check (cpu_percent_max between 0 and 10000),
  rss_mb real not null check (rss_mb between 0 and 1000000),
  rss_mb_max real not null check (rss_mb_max between 0 and 1000000),
  -- Event-loop delay (99th percentile) and the age of the last closed candle.
  loop_ms_max real check (loop_ms_max >= 0),
  lag_ms_max real check (lag_ms_max >= 0),
  candles bigint not null default 0 check (candles >= 0),
  signals bigint not null default 0 check (signals >= 0),
  screening_ms real not null default 0 check (screening_ms >= 0),
  outbox_rows_max int not null default 0 check (outbox_rows_max >= 0),
  primary key (machine_id, resolution, at)
);

-- An event that a machine tells has an id of its own, so that it can be told again.
alter table public.machine_events add column fact_id uuid;
create unique index machine_events_fact on public.machine_events (machine_id, fact_id) where fact_id is not null;

-- Append-only, but for rows so old that they may be forgotten (first argument), which only a sweep of the owner does.
create or replace function private.append_only() returns trigger
language plpgsql set search_path = '' as $$
begin
  if tg_op = 'DELETE' then
    -- Deeper than one: a foreign key's cascade (the machine's row is gone), not somebody's statement.
    if pg_trigger_depth() > 1 then
      return old;
    end if;
    if tg_nargs > 0 and old.at < now() - tg_argv[0]::interval then
      return old;
    end if;
  end if;
  perform private.refuse(403, 'append_only', format('Rows of %I are never changed or removed.', tg_table_name));
  return null;
end $$;
drop trigger machine_events_append_only on public.machine_events;
create trigger machine_events_append_only before update or delete on public.machine_events
  for each row execute function private.append_only('400 days');

do $$
declare
  v_table text;
begin
  foreach v_table in array array['decisions', 'analyses', 'usage', 'notifications', 'machine_metrics'] loop
    execute format('alter table public.%I enable row level security', v_table);
    execute format('alter table public.%I force row level security', v_table);
    execute format('grant select on public.%I to authenticated, service_role', v_table);
    execute format('create policy "a user reads own %s" on public.%I for select to authenticated using (user_id = (select auth.uid()))', replace(v_table, '_', ' '), v_table);
  end loop;
end $$;

-- A machine on a new disk goes on counting where the day stands.
grant select on public.usage to machine;
create policy "a machine reads its user's usage" on public.usage for select to machine
  using (user_id = (select private.token_user_id()));

-- Operators see what runs and what it costs, not what users look for. The claim can be set by the service key alone.
do $$
declare
  v_table text;
begin
  foreach v_table in array array['machines', 'machine_events', 'machine_metrics', 'usage'] loop
    execute format($policy$create policy "an operator reads all %s" on public.%I for select to authenticated
      using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator')$policy$, replace(v_table, '_', ' '), v_table);
  end loop;
end $$;

create function private.insert_decisions(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  insert into public.decisions (user_id, signal_id, machine_id, at, outcome, reason, message, confidence, actionable, document)
    select p_machine.user_id, r.id, p_machine.id, r.at, r.outcome, r.reason, r.message, r.confidence, coalesce(r.actionable, false), r.document
    from jsonb_to_recordset(p_rows) as r(id uuid, at timestamptz, outcome text, reason text, message text, confidence real, actionable boolean, document jsonb)
    on conflict (user_id, signal_id) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Only calls that were not known yet are added to the day's usage.
create function private.insert_analyses(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  with added as (
    insert into public.analyses (user_id, id, machine_id, signal_id, attempt, model, prompt_version, prompt_hash, started_at, latency_ms,
        tokens_in, tokens_out, nano_usd, estimated, result)
      select p_machine.user_id, r.id, p_machine.id, r.signal_id, r.attempt, r.model, r.prompt_version, r.prompt_hash, r.started_at, r.latency_ms,
        r.tokens_in, r.tokens_out, r.nano_usd, coalesce(r.estimated, false), r.result
      from jsonb_to_recordset(p_rows) as r(id uuid, signal_id uuid, attempt int, model text, prompt_version text, prompt_hash text, started_at timestamptz,
        latency_ms int, tokens_in int, tokens_out int, nano_usd bigint, estimated boolean, result text)
      on conflict (user_id, id) do nothing
      returning started_at, model, tokens_in, tokens_out, nano_usd
  ), counted as (
    insert into public.usage as u (user_id, day, model, calls, tokens_in, tokens_out, nano_usd)
      select p_machine.user_id, (a.started_at at time zone 'UTC')::date, a.model, count(*), sum(a.tokens_in), sum(a.tokens_out), sum(a.nano_usd)
      from added a group by 2, 3
      on conflict (user_id, day, model) do update set calls = u.calls + excluded.calls, tokens_in = u.tokens_in + excluded.tokens_in,
        tokens_out = u.tokens_out + excluded.tokens_out, nano_usd = u.nano_usd + excluded.nano_usd
  )
  select count(*) into v_count from added;
  return v_count;
end $$;

create function private.insert_notifications(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  insert into public.notifications (user_id, id, machine_id, at, channel, rule, about, outcome, attempts, code, message)
    select p_machine.user_id, r.id, p_machine.id, r.at, r.channel, r.rule, coalesce(r.about, '{}'), r.outcome, r.attempts, r.code, r.message
    from jsonb_to_recordset(p_rows) as r(id uuid, at timestamptz, channel text, rule text, about jsonb, outcome text, attempts int, code text, message text)
    on conflict (user_id, id) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

create function private.insert_events(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  -- A machine's clock may be wrong: no event comes from the future.
  insert into public.machine_events (machine_id, fact_id, at, kind, message, data)
    select p_machine.id, r.id, least(r.at, clock_timestamp()), r.kind, r.message, coalesce(r.data, '{}')
    from jsonb_to_recordset(p_rows) as r(id uuid, at timestamptz, kind text, message text, data jsonb)
    on conflict (machine_id, fact_id) where fact_id is not null do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- Minutes older than two days are not taken, and none is swept before its third day: a minute that comes again is always known.
create function private.insert_metrics(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  if exists (select from jsonb_to_recordset(p_rows) as r(at timestamptz) where r.at > now() + interval '10 minutes') then
    perform private.refuse(400, 'clock_ahead', 'The minute lies in the future: the machine''s clock is wrong.');
  end if;
  with minutes as (
    insert into public.machine_metrics (machine_id, user_id, resolution, at, seconds, cpu_percent, cpu_percent_max, rss_mb, rss_mb_max, loop_ms_max, lag_ms_max,
        candles, signals, screening_ms, outbox_rows_max)
      select p_machine.id, p_machine.user_id, 'minute', date_trunc('minute', r.at, 'UTC'), r.seconds, r.cpu_percent, r.cpu_percent_max, r.rss_mb, r.rss_mb_max,
        r.loop_ms_max, r.lag_ms_max, coalesce(r.candles, 0), coalesce(r.signals, 0), coalesce(r.screening_ms, 0), coalesce(r.outbox_rows_max, 0)
      from jsonb_to_recordset(p_rows) as r(at timestamptz, seconds real, cpu_percent real, cpu_percent_max real, rss_mb real, rss_mb_max real, loop_ms_max real,
        lag_ms_max real, candles bigint, signals bigint, screening_ms real, outbox_rows_max int)
      -- A row without a time is not old: it is refused.
      where r.at > now() - interval '2 days' or r.at is null
      on conflict do nothing
      returning *
  ), sums as (
    insert into public.machine_metrics as m (machine_id, user_id, resolution, at, seconds, cpu_percent, cpu_percent_max, rss_mb, rss_mb_max, loop_ms_max, lag_ms_max,
        candles, signals, screening_ms, outbox_rows_max)
      select f.machine_id, f.user_id, s.resolution, date_trunc(s.resolution, f.at, 'UTC'), sum(f.seconds), sum(f.cpu_percent * f.seconds) / sum(f.seconds),
        max(f.cpu_percent_max), sum(f.rss_mb * f.seconds) / sum(f.seconds), max(f.rss_mb_max), max(f.loop_ms_max), max(f.lag_ms_max), sum(f.candles), sum(f.signals),
        sum(f.screening_ms), max(f.outbox_rows_max)
      from minutes f cross join (values ('hour'), ('day')) as s(resolution) group by 1, 2, 3, 4
      on conflict (machine_id, resolution, at) do update set
        seconds = least(m.seconds + excluded.seconds, 86400),
        cpu_percent = (m.cpu_percent * m.seconds + excluded.cpu_percent * excluded.seconds) / (m.seconds + excluded.seconds),
        cpu_percent_max = greatest(m.cpu_percent_max, excluded.cpu_percent_max),
        rss_mb = (m.rss_mb * m.seconds + excluded.rss_mb * excluded.seconds) / (m.seconds + excluded.seconds),
        rss_mb_max = greatest(m.rss_mb_max, excluded.rss_mb_max),
        loop_ms_max = greatest(m.loop_ms_max, excluded.loop_ms_max), lag_ms_max = greatest(m.lag_ms_max, excluded.lag_ms_max),
        candles = m.candles + excluded.candles, signals = m.signals + excluded.signals, screening_ms = m.screening_ms + excluded.screening_ms,
        outbox_rows_max = greatest(m.outbox_rows_max, excluded.outbox_rows_max)
  )
  select count(*) into v_count from minutes;
  return v_count;
end $$;

-- Writes the rows of one kind, all or none; returns how many were new. Another kind is the row's own fault.
create function private.insert_facts(p_machine public.machines, p_kind text, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
begin
  case p_kind
    when 'signal' then return private.insert_signals(p_machine, p_rows);
    when 'decision' then return private.insert_decisions(p_machine, p_rows);
    when 'analysis' then return private.insert_analyses(p_machine, p_rows);
    when 'event' then return private.insert_events(p_machine, p_rows);
    when 'notification' then return private.insert_notifications(p_machine, p_rows);
    when 'metric' then return private.insert_metrics(p_machine, p_rows);
    else perform private.refuse(400, 'kind_unknown', 'Nothing of this kind is kept here.');
  end case;
  return 0;
end $$;

-- Whether an error lies in the row itself: its values, what it refers to, its size, a refusal. A full disk, a deadlock, a timeout or
-- an outdated schema does not: it fails the call, and the caller keeps its rows.
create function private.is_row_fault(p_sqlstate text) returns boolean
language sql immutable set search_path = '' as $$ select p_sqlstate ~ '^(22|23|54|PT4)' $$;

-- Writes the rows of one kind: at once; only if one of them is bad, row by row, so that a bad row is named and never blocks the others.
-- Returns {written, rejected: [{kind, index, id, code, message}]}; the index counts from 0 within the kind.
create function private.write_kind(p_machine public.machines, p_kind text, p_rows jsonb) returns jsonb
language plpgsql set search_path = '' as $$
declare
  v_written int := 0;
  v_rejected jsonb := '[]';
  v_row jsonb;
  v_index bigint;
  v_detail text;
begin
  begin
    return jsonb_build_object('written', private.insert_facts(p_machine, p_kind, p_rows), 'rejected', v_rejected);
  exception when others then
    if not private.is_row_fault(sqlstate) then
      raise;
    end if;
  end;
  for v_row, v_index in select value, ordinality - 1 from jsonb_array_elements(p_rows) with ordinality loop
    begin
      v_written := v_written + private.insert_facts(p_machine, p_kind, jsonb_build_array(v_row));
    exception when others then
      if not private.is_row_fault(sqlstate) then
        raise;
      end if;
      get stacked diagnostics v_detail = pg_exception_detail;
      v_rejected := v_rejected || jsonb_build_object(
        'kind', p_kind, 'index', v_index, 'id', case when jsonb_typeof(v_row) = 'object' then v_row ->> 'id' end,
        'code', case
          when sqlstate like 'PT4%' then sqlerrm
          when sqlstate = '23502' then 'value_missing'
          when sqlstate = '23503' then case p_kind when 'signal' then 'trader_unknown' when 'decision' then 'signal_unknown' else 'reference_unknown' end
          when sqlstate = '23514' then 'value_refused'
          when sqlstate like '54%' then 'value_too_large'
          else 'value_malformed' end,
        'message', left(case when sqlstate like 'PT4%' then v_detail else sqlerrm end, 500));
    end;
  end loop;
  return jsonb_build_object('written', v_written, 'rejected', v_rejected);
end $$;

-- Forgets what is too old of this machine's user, a little at a time. By the index of what is asked most: its oldest end.
create function private.sweep_facts(p_machine public.machines, p_kinds text[]) returns void
language plpgsql set search_path = '' as $$
begin
  if 'signal' = any (p_kinds) then
    -- Market time may be shifted, so the time of writing counts too. Takes the decisions along.
    delete from public.signals where user_id = p_machine.user_id and id in (
      select id from public.signals where user_id = p_machine.user_id and close_time < now() - interval '400 days' and created_at < now() - interval '400 days'
      order by close_time limit 1000);
  end if;
  if 'analysis' = any (p_kinds) then
    delete from public.analyses where user_id = p_machine.user_id and id in (
      select id from public.analyses where user_id = p_machine.user_id and started_at < now() - interval '400 days' order by started_at limit 1000);
  end if;
  if 'notification' = any (p_kinds) then
    delete from public.notifications where user_id = p_machine.user_id and id in (
      select id from public.notifications where user_id = p_machine.user_id and at < now() - interval '90 days' order by at limit 1000);
  end if;
  if 'event' = any (p_kinds) then
    delete from public.machine_events where at < now() - interval '400 days' and id in (
      select id from public.machine_events where machine_id = p_machine.id order by id limit 100);
  end if;
  if 'metric' = any (p_kinds) then
    delete from public.machine_metrics m using (values ('minute', interval '3 days'), ('hour', interval '90 days'), ('day', interval '800 days')) as kept(resolution, age)
      where m.machine_id = p_machine.id and m.resolution = kept.resolution and m.at < now() - kept.age;
  end if;
end $$;

-- {kind: [row, …]}, at most 1000 rows in all; kinds: signal, decision, analysis, event, notification, metric, written in this order, for a decision
-- needs its signal. Whose they are comes from the token. Returns {written, duplicates, rejected: [{kind, index, id, code, message}]}:
-- what is not rejected is stored, now or before.
create function public.write_facts(p_facts jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_total int := 0;
  v_written int := 0;
  v_rejected jsonb := '[]';
  v_kinds text[];
  v_kind text;
  v_rows jsonb;
  v_answer jsonb;
begin
  if p_facts is null or jsonb_typeof(p_facts) <> 'object' then
    perform private.refuse(400, 'not_an_object', 'The facts are a JSON object: {kind: [row, …]}.');
  end if;
  for v_kind, v_rows in select key, value from jsonb_each(p_facts) loop
    if jsonb_typeof(v_rows) <> 'array' then
      perform private.refuse(400, 'not_an_array', format('The rows of %s are a JSON array.', v_kind));
    end if;
    v_total := v_total + jsonb_array_length(v_rows);
  end loop;
  if v_total > 1000 then
    perform private.refuse(413, 'too_many_rows', format('%s rows were sent; at most 1000 are taken at once.', v_total), 'Send smaller batches.');
  end if;
  select array_agg(key order by coalesce(array_position(array['signal', 'decision', 'analysis', 'event', 'notification', 'metric'], key), 99)) into v_kinds
    from jsonb_object_keys(p_facts) as key;
  foreach v_kind in array coalesce(v_kinds, '{}') loop
    v_answer := private.write_kind(v_machine, v_kind, p_facts -> v_kind);
    v_written := v_written + (v_answer ->> 'written')::int;
    v_rejected := v_rejected || (v_answer -> 'rejected');
  end loop;
  perform private.sweep_facts(v_machine, v_kinds);
  return jsonb_build_object('written', v_written, 'duplicates', v_total - v_written - jsonb_array_length(v_rejected), 'rejected', v_rejected);
end $$;

-- For machines of an earlier release; now the same path as write_facts.
create or replace function public.write_signals(p_rows jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_answer jsonb;
begin
  if p_rows is null or jsonb_typeof(p_rows) <> 'array' then
    perform private.refuse(400, 'not_an_array', 'The rows are a JSON array.');
  end if;
  v_answer := public.write_facts(jsonb_build_object('signal', p_rows));
  return jsonb_build_object('inserted', v_answer -> 'written', 'duplicates', v_answer -> 'duplicates', 'rejected', v_answer -> 'rejected');
end $$;

-- A machine's events are facts like the others: kept on its disk until they are written, and written once.
drop function public.record_machine_event(text, text, jsonb);

grant execute on function public.write_facts(jsonb) to machine;
notify pgrst, 'reload schema';
