-- What a machine asks the control plane for: its user's keys, another size, an answer of a model with the platform's key.

-- What users entrust to us, sealed by the control plane (AES-256-GCM under a key that is not in the database). Written and handed out, never shown.
create table public.user_secrets (
  user_id uuid not null references auth.users on delete cascade,
  field text not null check (field ~ '^[a-z][a-z0-9_]{0,31}$'),
  -- The key that it is sealed with.
  key_id text not null check (length(key_id) between 1 and 64),
  sealed text not null check (length(sealed) between 1 and 200000),
  -- What may be shown of it: enough to know which one it is.
  hint jsonb not null default '{}' check (jsonb_typeof(hint) = 'object' and pg_column_size(hint) <= 16384),
  version bigint not null default 1,
  updated_at timestamptz not null default now(),
  primary key (user_id, field)
);
create index user_secrets_key on public.user_secrets (key_id);
alter table public.user_secrets enable row level security;
alter table public.user_secrets force row level security;

-- Stores or (p_sealed null) forgets; the user's machine hears of it with its next beat. Returns the new version of the user's keys.
create function public.set_user_secret(p_user_id uuid, p_field text, p_key_id text, p_sealed text, p_hint jsonb default '{}') returns int
language plpgsql security definer set search_path = '' as $$
begin
  if p_sealed is null then
    delete from public.user_secrets where user_id = p_user_id and field = p_field;
    if not found then
      perform private.refuse(404, 'secret_not_found', 'Nothing is stored here.');
    end if;
  else
    insert into public.user_secrets as s (user_id, field, key_id, sealed, hint) values (p_user_id, p_field, p_key_id, p_sealed, p_hint)
      on conflict (user_id, field) do update set key_id = excluded.key_id, sealed = excluded.sealed, hint = excluded.hint, version = s.version + 1, updated_at = clock_timestamp();
  end if;
  return public.user_keys_changed(p_user_id);
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- {field: {key_id, sealed, hint, version, updated_at}} of a user, and the versions that the beat tells of.
create function public.user_secrets_of(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'keys_version', coalesce((select s.keys_version from public.user_settings s where s.user_id = p_user_id), 0),
    'settings_version', coalesce((select s.version from public.user_settings s where s.user_id = p_user_id), 0),
    'settings', coalesce((select s.document from public.user_settings s where s.user_id = p_user_id), '{}'),
    'secrets', (select coalesce(jsonb_object_agg(u.field, to_jsonb(u) - 'user_id' - 'field'), '{}') from public.user_secrets u where u.user_id = p_user_id))
$$;

-- Those that are not sealed with the present key, oldest first.
create function public.secrets_to_reseal(p_key_id text, p_limit int) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(s)), '[]') from (
    select user_id, field, key_id, sealed, version from public.user_secrets where key_id <> p_key_id order by updated_at limit least(greatest(p_limit, 0), 1000)) s
$$;

-- Sealed anew: the same secret under another key. False when it was changed meanwhile.
create function public.reseal_secret(p_user_id uuid, p_field text, p_version bigint, p_key_id text, p_sealed text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.user_secrets set key_id = p_key_id, sealed = p_sealed, version = version + 1
    where user_id = p_user_id and field = p_field and version = p_version;
  return found;
end $$;

-- Replaces one part of a user's settings and leaves the others; null removes it. Returns the new version.
create function public.set_user_setting(p_user_id uuid, p_part text, p_value jsonb) returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_version int;
begin
  insert into public.user_settings (user_id) values (p_user_id) on conflict do nothing;
  update public.user_settings set document = jsonb_strip_nulls(document || jsonb_build_object(p_part, p_value)), version = version + 1, updated_at = clock_timestamp()
    where user_id = p_user_id returning version into v_version;
  return v_version;
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- When its size was last changed at its own request.
alter table public.machines add column scaled_at timestamptz;

-- All by which a request for another size is judged.
create function public.scale_facts(p_machine_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'generation', m.generation, 'observed_generation', m.observed_generation, 'desired_state', m.desired_state, 'phase', m.phase, 'region', m.desired_region,
    'cpu_kind', m.desired_cpu_kind, 'cpus', m.desired_cpus, 'memory_mb', m.desired_memory_mb,
    'since_scaled_s', extract(epoch from clock_timestamp() - m.scaled_at),
    'scaling', coalesce((select s.document -> 'scaling' from public.user_settings s where s.user_id = m.user_id), 'null'),
    'vcpus_left', p.vcpus - (select coalesce(sum(o.desired_cpus), 0) from public.machines o where o.user_id = m.user_id and o.id <> m.id and o.phase <> 'destroyed'),
    'performance', p.performance,
    'budget_left_usd', (select b.monthly_usd - (private.month_rate(m.user_id) - case when m.desired_state = 'started'
        then private.month_usd(m.desired_region, m.desired_cpu_kind, m.desired_cpus, m.desired_memory_mb) else (private.prices_on((now() at time zone 'UTC')::date)).volume_gb end)
      from public.budgets b where b.user_id = m.user_id and b.action <> 'notify'))
  from public.machines m, lateral private.plan_of(m.user_id) p where m.id = p_machine_id and m.phase <> 'destroyed'
$$;

-- A request that was judged: what came of it, told as an event; an accepted one becomes a wish, if the machine's wish is still the one that was judged and
-- its size was not changed within the cool-down. Returns {done, code, message}; quotas and budgets refuse as everywhere.
create function public.scale_machine(p_machine_id uuid, p_generation bigint, p_size jsonb, p_cooldown_s int, p_message text, p_data jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.machines;
begin
  select * into v_before from public.machines where id = p_machine_id and phase <> 'destroyed' for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'No machine has this id.');
  end if;
  if v_before.generation <> p_generation or v_before.desired_state <> 'started' then
    return jsonb_build_object('done', false, 'code', 'generation_changed', 'message', 'The wish for this machine changed meanwhile.');
  end if;
  if v_before.scaled_at > clock_timestamp() - make_interval(secs => p_cooldown_s) then
    return jsonb_build_object('done', false, 'code', 'cooling_down', 'message', 'The size was changed a short while ago.');
  end if;
  update public.machines set
    desired_cpu_kind = p_size ->> 'cpuKind', desired_cpus = (p_size ->> 'cpus')::int, desired_memory_mb = (p_size ->> 'memoryMb')::int,
    scaled_at = clock_timestamp(), next_look_at = clock_timestamp(), attempts = 0
  where id = p_machine_id;
  insert into public.machine_events (machine_id, kind, message, data) values (p_machine_id, 'scale.accepted', p_message, p_data);
  return jsonb_build_object('done', true);
end $$;

-- A request that is not granted is told once an hour for each reason: a machine asks again and again.
create function public.note_scale_refusal(p_machine_id uuid, p_kind text, p_code text, p_message text, p_data jsonb) returns void
language sql security definer set search_path = '' as $$
  insert into public.machine_events (machine_id, kind, message, data)
    select p_machine_id, p_kind, p_message, p_data || jsonb_build_object('code', p_code)
    where not exists (select from public.machine_events e where e.machine_id = p_machine_id and e.kind = p_kind and e.data ->> 'code' = p_code and e.at > clock_timestamp() - interval '1 hour')
$$;

-- Whose token it is: a machine may show its database token instead of its secret. Null when it was revoked.
create function public.machine_by_token(p_machine_id uuid, p_user_id uuid, p_epoch int) returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object('machine_id', m.id, 'user_id', m.user_id, 'token_epoch', m.token_epoch)
  from public.machines m where m.id = p_machine_id and m.user_id = p_user_id and m.token_epoch = p_epoch and m.phase <> 'destroyed'
$$;

-- Lets one call of a model with the platform's key begin, or says why not: {granted} or {granted: false, code, message, retry_after_s, per}.
-- A user's calls are counted one after the other, and so are all, so that no limit is exceeded however many ask at once. `p_per_minute`: of the platform;
-- a user's share of it is what an equal division among those who called in the last minute gives, and at most the plan's.
create function public.begin_gemini_call(p_id uuid, p_machine_id uuid, p_user_id uuid, p_model text, p_nano_usd bigint, p_per_minute int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_plan public.plans;
  v_budget public.budgets;
  v_now timestamptz;
  v_today timestamptz;
  v_mine record;
  v_all record;
  v_share int;
  v_midnight int;
begin
  perform private.lock_user(p_user_id);
  perform pg_advisory_xact_lock(hashtextextended('trademind.gemini', 0));
  v_now := clock_timestamp();
  v_today := date_trunc('day', v_now, 'UTC');
  v_midnight := ceil(extract(epoch from v_today + interval '1 day' - v_now));
  v_plan := private.plan_of(p_user_id);
  if v_plan.analyses_per_day = 0 then
    return jsonb_build_object('granted', false, 'code', 'analyses_not_in_plan', 'message', format('The plan "%s" has no analyses with the platform''s key.', v_plan.name), 'per', 'never');
  end if;
  select count(*) filter (where started_at >= v_today) as calls, coalesce(sum(nano_usd) filter (where started_at >= v_today), 0) as nano_usd,
      count(*) filter (where started_at > v_now - interval '1 minute') as lately,
      count(*) filter (where ended_at is null and started_at > v_now - interval '2 minutes') as running,
      ceil(extract(epoch from min(started_at) filter (where started_at > v_now - interval '1 minute') + interval '1 minute' - v_now)) as free_in
    into v_mine from public.gemini_calls where user_id = p_user_id and started_at >= least(v_today, v_now - interval '2 minutes');
  select count(*) as lately, count(distinct user_id) filter (where user_id <> p_user_id) as others,
      ceil(extract(epoch from min(started_at) + interval '1 minute' - v_now)) as free_in
    into v_all from public.gemini_calls where started_at > v_now - interval '1 minute';
  v_share := least(v_plan.analyses_per_minute, greatest(1, p_per_minute / (v_all.others + 1)));
  if v_mine.calls >= v_plan.analyses_per_day then
    return jsonb_build_object('granted', false, 'code', 'analyses_used_up', 'message', format('The %s analyses of today are used up.', v_plan.analyses_per_day), 'retry_after_s', v_midnight, 'per', 'day');
  end if;
  if v_mine.nano_usd + p_nano_usd > v_plan.analyses_nano_usd_per_day then
    return jsonb_build_object('granted', false, 'code', 'analyses_money_used_up', 'message', 'What analyses may cost today is used up.', 'retry_after_s', v_midnight, 'per', 'day');
  end if;
  select * into v_budget from public.budgets where user_id = p_user_id and action <> 'notify';
  if found and private.month_spent(p_user_id) + p_nano_usd / 1e9 > v_budget.monthly_usd then
    return jsonb_build_object('granted', false, 'code', 'budget_used_up', 'message', format('This month''s budget of $%s is used up.', v_budget.monthly_usd), 'retry_after_s', v_midnight, 'per', 'day');
  end if;
  if v_mine.lately >= v_share then
    return jsonb_build_object('granted', false, 'code', 'analyses_too_fast', 'message', format('Your share is %s analyses a minute.', v_share), 'retry_after_s', greatest(1, v_mine.free_in), 'per', 'minute');
  end if;
  if v_mine.running >= v_plan.analyses_at_once then
    return jsonb_build_object('granted', false, 'code', 'analyses_at_once', 'message', format('%s analyses are under way; more than that at once is not in the plan.', v_mine.running), 'retry_after_s', 2, 'per', 'minute');
  end if;
  if v_all.lately >= p_per_minute then
    return jsonb_build_object('granted', false, 'code', 'analyses_busy', 'message', 'All users together have used this minute''s analyses.', 'retry_after_s', greatest(1, v_all.free_in), 'per', 'minute');
  end if;
  insert into public.gemini_calls (id, user_id, machine_id, model, started_at, nano_usd) values (p_id, p_user_id, p_machine_id, p_model, v_now, p_nano_usd);
  return jsonb_build_object('granted', true);
end $$;

-- How it ended. p_nano_usd null: nobody knows what it cost, and the most that it can have cost stays counted.
create function public.end_gemini_call(p_id uuid, p_status int, p_tokens_in int, p_tokens_out int, p_nano_usd bigint) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.gemini_calls set ended_at = clock_timestamp(), status = p_status, tokens_in = coalesce(p_tokens_in, 0), tokens_out = coalesce(p_tokens_out, 0), nano_usd = coalesce(p_nano_usd, nano_usd)
    where id = p_id and ended_at is null;
  return found;
end $$;

grant execute on function
  public.set_user_secret(uuid, text, text, text, jsonb),
  public.user_secrets_of(uuid),
  public.secrets_to_reseal(text, int),
  public.reseal_secret(uuid, text, bigint, text, text),
  public.set_user_setting(uuid, text, jsonb),
  public.scale_facts(uuid),
  public.scale_machine(uuid, bigint, jsonb, int, text, jsonb),
  public.note_scale_refusal(uuid, text, text, text, jsonb),
  public.machine_by_token(uuid, uuid, int),
  public.begin_gemini_call(uuid, uuid, uuid, text, bigint, int),
  public.end_gemini_call(uuid, int, int, int, bigint)
to service_role;
notify pgrst, 'reload schema';
