-- Who did what: an audit log that nobody can edit, written by triggers in the same transaction as what it tells of, whichever way that was asked for.
-- Beside it what makes requests safe to repeat, and tokens for scripts.

create table public.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default clock_timestamp(),
  -- user, operator, token (a script's access token), machine, system (the control plane by itself, or a person at the database).
  actor_kind text not null,
  actor_id uuid,
  -- With which access token, or who at the database.
  via text,
  request_id text,
  -- <table>.insert, .update or .delete
  action text not null,
  subject_user uuid,
  subject text,
  before jsonb,
  after jsonb
);
create index audit_log_user on public.audit_log (subject_user, id);
create index audit_log_actor on public.audit_log (actor_id, id);
create trigger audit_log_append_only before update or delete on public.audit_log for each row execute function private.append_only();
create trigger audit_log_no_truncate before truncate on public.audit_log for each statement execute function private.append_only();
alter table public.audit_log enable row level security;
alter table public.audit_log force row level security;
grant select on public.audit_log to authenticated, service_role;
create policy "an operator reads the audit log" on public.audit_log for select to authenticated
  using (((select auth.jwt()) -> 'app_metadata' ->> 'trademind_role') = 'operator');

-- Who acts in this transaction: {kind, id, via, request_id}. A user or machine by the token's claims; the control plane says in a header for whom it acts,
-- and only the control plane is believed.
create function private.actor() returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  v_role text := private.claim('role');
  v_headers jsonb := nullif(current_setting('request.headers', true), '')::jsonb;
  v_said jsonb;
begin
  if v_role = 'service_role' then
    if (v_headers ->> 'x-trademind-actor') ~ '^\{"kind":"(user|operator|token|machine|system)","id":(null|"[0-9a-f-]{36}"),"via":(null|"[\w.: -]{1,100}"),"request_id":(null|"[\w.-]{1,64}")\}$' then
      v_said := (v_headers ->> 'x-trademind-actor')::jsonb;
    end if;
    return coalesce(v_said, jsonb_build_object('kind', 'system', 'via', 'service key'));
  end if;
  return case v_role
    when 'machine' then jsonb_build_object('kind', 'machine', 'id', private.claim('machine_id'))
    when 'authenticated' then jsonb_build_object('kind', case when private.claim('access_token') is null then 'user' else 'token' end, 'id', private.claim('sub'), 'via', private.claim('access_token'))
    else jsonb_build_object('kind', 'system', 'via', session_user) end;
end $$;

-- Arguments: the columns whose change is told. An update that changes none of them is not.
create function private.audit() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  v_old jsonb;
  v_new jsonb;
  v_row jsonb;
  v_actor jsonb;
begin
  if tg_op <> 'INSERT' then v_old := to_jsonb(old); end if;
  if tg_op <> 'DELETE' then v_new := to_jsonb(new); end if;
  v_row := coalesce(v_new, v_old);
  select jsonb_object_agg(c, v_old -> c) filter (where v_old is not null and (v_new is null or (v_old -> c) is distinct from (v_new -> c))),
         jsonb_object_agg(c, v_new -> c) filter (where v_new is not null and (v_old is null or (v_old -> c) is distinct from (v_new -> c)))
    into v_old, v_new from unnest(tg_argv) as c;
  if tg_op = 'UPDATE' and v_new is null then
    return null;
  end if;
  v_actor := private.actor();
  insert into public.audit_log (actor_kind, actor_id, via, request_id, action, subject_user, subject, before, after) values (
    v_actor ->> 'kind', (v_actor ->> 'id')::uuid, v_actor ->> 'via', v_actor ->> 'request_id', tg_table_name || '.' || lower(tg_op),
    (v_row ->> 'user_id')::uuid, coalesce(v_row ->> 'id', v_row ->> 'name', v_row ->> 'field', v_row ->> 'user_id'), v_old, v_new);
  return null;
end $$;

-- A script's token: shown once, stored as a hash.
create table public.access_tokens (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  name text not null check (length(name) between 1 and 100),
  hash text not null unique check (hash ~ '^[0-9a-f]{64}$'),
  scopes text[] not null check (cardinality(scopes) between 1 and 20),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);
create index access_tokens_user on public.access_tokens (user_id, created_at);
alter table public.access_tokens enable row level security;
alter table public.access_tokens force row level security;

create function public.create_access_token(p_user_id uuid, p_name text, p_hash text, p_scopes text[], p_days int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_token public.access_tokens;
begin
  perform private.lock_user(p_user_id);
  if (select count(*) from public.access_tokens where user_id = p_user_id and revoked_at is null and expires_at > clock_timestamp()) >= 50 then
    perform private.refuse(409, 'too_many_access_tokens', 'You have 50 access tokens already.', 'Revoke those that are not needed any more.');
  end if;
  insert into public.access_tokens (user_id, name, hash, scopes, expires_at) values (p_user_id, p_name, p_hash, p_scopes, clock_timestamp() + make_interval(days => p_days))
    returning * into v_token;
  return to_jsonb(v_token) - 'hash';
exception when foreign_key_violation then
  perform private.refuse(404, 'user_not_found', 'No user has this id.');
end $$;

-- A user's tokens, newest first; revoked ones and those long expired are left out.
create function public.access_tokens_of(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
  select coalesce(jsonb_agg(to_jsonb(t) - 'hash' order by t.created_at desc, t.id), '[]') from public.access_tokens t
  where t.user_id = p_user_id and t.revoked_at is null and t.expires_at > now() - interval '30 days'
$$;

create function public.revoke_access_token(p_user_id uuid, p_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.access_tokens set revoked_at = clock_timestamp() where id = p_id and user_id = p_user_id and revoked_at is null;
  return found;
end $$;

-- Whose token it is: {id, user_id, scopes, expires_at, email, role}; null when there is none, it was revoked, has expired, or its user is gone or banned.
create function public.access_token_by_hash(p_hash text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_token public.access_tokens;
  v_user jsonb;
begin
  select * into v_token from public.access_tokens where hash = p_hash and revoked_at is null and expires_at > clock_timestamp();
  if not found then
    return null;
  end if;
  select to_jsonb(u) into v_user from auth.users u where u.id = v_token.user_id;
  if (v_user ->> 'banned_until')::timestamptz > clock_timestamp() or v_user ->> 'deleted_at' is not null then
    return null;
  end if;
  if v_token.last_used_at is null or v_token.last_used_at < clock_timestamp() - interval '1 minute' then
    update public.access_tokens set last_used_at = clock_timestamp() where id = v_token.id;
  end if;
  return jsonb_build_object('id', v_token.id, 'user_id', v_token.user_id, 'scopes', to_jsonb(v_token.scopes), 'expires_at', v_token.expires_at,
    'email', v_user ->> 'email', 'role', v_user -> 'raw_app_meta_data' ->> 'trademind_role');
end $$;

-- Requests that carry an Idempotency-Key, and what they were answered; kept for a day.
create table public.idempotency_keys (
  user_id uuid not null references auth.users on delete cascade,
  key text not null check (length(key) between 1 and 255),
  -- Method, address, conditions and body: the same key for another request is a mistake.
  request_hash text not null check (request_hash ~ '^[0-9a-f]{64}$'),
  -- Of the one who executes it now, until the lock ends: a replica that died does not hold it for ever.
  attempt uuid not null,
  locked_until timestamptz not null,
  status int,
  headers jsonb,
  -- Sealed where it may hold a secret.
  answer text,
  created_at timestamptz not null default clock_timestamp(),
  primary key (user_id, key)
);
create index idempotency_keys_age on public.idempotency_keys (created_at);
alter table public.idempotency_keys enable row level security;
alter table public.idempotency_keys force row level security;

-- {state: new | running | done | mismatch, status, headers, answer}. `new`: execute it, then end it.
create function public.begin_request(p_user_id uuid, p_key text, p_hash text, p_attempt uuid, p_lock_seconds int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_row public.idempotency_keys;
  v_now timestamptz;
begin
  delete from public.idempotency_keys where user_id = p_user_id and key = p_key and created_at < clock_timestamp() - interval '24 hours';
  insert into public.idempotency_keys (user_id, key, request_hash, attempt, locked_until)
    values (p_user_id, p_key, p_hash, p_attempt, clock_timestamp() + make_interval(secs => p_lock_seconds)) on conflict do nothing;
  if found then
    return jsonb_build_object('state', 'new');
  end if;
  select * into v_row from public.idempotency_keys where user_id = p_user_id and key = p_key for update;
  v_now := clock_timestamp();
  if not found then
    return jsonb_build_object('state', 'running');
  end if;
  if v_row.request_hash <> p_hash then
    return jsonb_build_object('state', 'mismatch');
  end if;
  if v_row.status is not null then
    return jsonb_build_object('state', 'done', 'status', v_row.status, 'headers', v_row.headers, 'answer', v_row.answer);
  end if;
  if v_row.locked_until > v_now then
    return jsonb_build_object('state', 'running');
  end if;
  update public.idempotency_keys set attempt = p_attempt, locked_until = v_now + make_interval(secs => p_lock_seconds) where user_id = p_user_id and key = p_key;
  return jsonb_build_object('state', 'new');
exception when foreign_key_violation then
  perform private.refuse(401, 'token_refused', 'This user is no more.', 'Sign in again.');
end $$;

-- Keeps the answer; p_status null: forgets the request, it may be tried again. False when another has taken it over.
create function public.end_request(p_user_id uuid, p_key text, p_attempt uuid, p_status int, p_headers jsonb, p_answer text) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  if p_status is null then
    delete from public.idempotency_keys where user_id = p_user_id and key = p_key and attempt = p_attempt and status is null;
  else
    update public.idempotency_keys set status = p_status, headers = p_headers, answer = p_answer where user_id = p_user_id and key = p_key and attempt = p_attempt and status is null;
  end if;
  return found;
end $$;

-- A budget, or none (p_monthly_usd null). This month's warnings are given anew where they still hold.
create function public.set_budget(p_user_id uuid, p_monthly_usd numeric, p_action text) returns void
language plpgsql security definer set search_path = '' as $$
begin
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

alter table public.budgets add column checked_at timestamptz not null default '-infinity';
create index budgets_due on public.budgets (checked_at);

-- Looks at budgets that were not looked at for a minute: warns at 50, 80 and 100 %, and at 100 % does what its user chose. Any number of replicas may call it.
-- Returns [{user_id, percent, action, spent_usd, budget_usd}] of the warnings given.
create function public.check_budgets(p_limit int) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_budget public.budgets;
  v_month date := (date_trunc('month', now() at time zone 'UTC'))::date;
  v_spent numeric;
  v_percent int;
  v_given jsonb := '[]';
  v_smallest jsonb;
  v_sentence text;
begin
  for v_budget in select * from public.budgets where checked_at < clock_timestamp() - interval '1 minute' order by checked_at limit least(greatest(p_limit, 0), 1000) for update skip locked loop
    update public.budgets set checked_at = clock_timestamp() where user_id = v_budget.user_id;
    v_spent := private.month_spent(v_budget.user_id);
    foreach v_percent in array array[50, 80, 100] loop
      continue when v_spent * 100 < v_budget.monthly_usd * v_percent;
      insert into public.budget_notices (user_id, month, percent, spent_usd, budget_usd, action)
        values (v_budget.user_id, v_month, v_percent, round(v_spent, 6), v_budget.monthly_usd, v_budget.action) on conflict do nothing;
      continue when not found;
      v_given := v_given || jsonb_build_object('user_id', v_budget.user_id, 'percent', v_percent, 'action', v_budget.action, 'spent_usd', round(v_spent, 6), 'budget_usd', v_budget.monthly_usd);
      v_sentence := format('%s %% of this month''s budget of $%s is used: $%s.', v_percent, v_budget.monthly_usd, round(v_spent, 2));
      insert into public.machine_events (machine_id, kind, message, data)
        select m.id, 'budget.warning', v_sentence, jsonb_build_object('percent', v_percent, 'spent_usd', round(v_spent, 6), 'budget_usd', v_budget.monthly_usd)
        from public.machines m where m.user_id = v_budget.user_id and m.phase <> 'destroyed' order by m.id;
    end loop;
    -- Not only when it is told: a machine that was started at the same moment is stopped too.
    continue when v_spent < v_budget.monthly_usd;
    if v_budget.action = 'stop' then
      with stopped as (
        update public.machines set desired_state = 'stopped', next_look_at = clock_timestamp(), attempts = 0
          where user_id = v_budget.user_id and desired_state = 'started' and phase <> 'destroyed' returning id
      ) insert into public.machine_events (machine_id, kind, message) select id, 'budget.stop', 'The machine is stopped: the month''s budget is used up.' from stopped;
    elsif v_budget.action = 'downsize' then
      v_smallest := coalesce((select s.document #> '{scaling,bounds,smallest}' from public.user_settings s where s.user_id = v_budget.user_id), '{"cpuKind":"shared","cpus":1,"memoryMb":512}');
      with smaller as (
        update public.machines m set desired_cpu_kind = v_smallest ->> 'cpuKind', desired_cpus = (v_smallest ->> 'cpus')::int, desired_memory_mb = (v_smallest ->> 'memoryMb')::int,
            scaled_at = clock_timestamp(), next_look_at = clock_timestamp(), attempts = 0
          where user_id = v_budget.user_id and phase <> 'destroyed' and desired_state <> 'destroyed'
            and private.month_usd(m.desired_region, m.desired_cpu_kind, m.desired_cpus, m.desired_memory_mb)
              > private.month_usd(m.desired_region, v_smallest ->> 'cpuKind', (v_smallest ->> 'cpus')::int, (v_smallest ->> 'memoryMb')::int) returning id
      ) insert into public.machine_events (machine_id, kind, message) select id, 'budget.downsize', 'The machine is made as small as allowed: the month''s budget is used up.' from smaller;
    end if;
  end loop;
  return v_given;
end $$;

-- Forgets what need not be kept: answers older than a day, single calls of models older than 400 days, a little at a time.
create function public.sweep_requests() returns void
language sql security definer set search_path = '' as $$
  delete from public.idempotency_keys where ctid in (select ctid from public.idempotency_keys where created_at < now() - interval '24 hours' limit 1000 for update skip locked);
  delete from public.gemini_calls where id in (select id from public.gemini_calls where started_at < now() - interval '400 days' order by started_at limit 1000 for update skip locked);
$$;

create trigger audit after insert or update of desired_state, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, token_epoch or delete on public.machines
  for each row execute function private.audit('environment', 'desired_state', 'desired_region', 'desired_cpu_kind', 'desired_cpus', 'desired_memory_mb', 'desired_image', 'token_epoch');
-- What a trader looks for is nobody's business: its version says that it changed.
create trigger audit after insert or update or delete on public.traders for each row execute function private.audit('name', 'enabled', 'version', 'deleted_at');
create trigger audit after insert or update or delete on public.plans
  for each row execute function private.audit('title', 'machines', 'vcpus', 'regions', 'performance', 'traders', 'analyses_per_day', 'analyses_per_minute', 'analyses_at_once', 'analyses_nano_usd_per_day', 'is_default');
create trigger audit after insert or update or delete on public.user_plans for each row execute function private.audit('plan');
create trigger audit after insert or update or delete on public.budgets for each row execute function private.audit('monthly_usd', 'action');
create trigger audit after insert or update or delete on public.price_lists
  for each row execute function private.audit('valid_from', 'read_at', 'shared_cpu', 'performance_cpu', 'extra_gb', 'region_factor', 'volume_gb', 'egress_gb', 'egress_mb_per_hour');
create trigger audit after insert or update or delete on public.user_settings for each row execute function private.audit('document');
create trigger audit after insert or update or delete on public.user_secrets for each row execute function private.audit('key_id', 'hint', 'version');
create trigger audit after insert or update of name, scopes, expires_at, revoked_at or delete on public.access_tokens
  for each row execute function private.audit('name', 'scopes', 'expires_at', 'revoked_at');
create trigger audit after insert or update or delete on public.ticket_keys for each row execute function private.audit('version');

grant execute on function
  public.create_access_token(uuid, text, text, text[], int),
  public.access_tokens_of(uuid),
  public.revoke_access_token(uuid, uuid),
  public.access_token_by_hash(text),
  public.begin_request(uuid, text, text, uuid, int),
  public.end_request(uuid, text, uuid, int, jsonb, text),
  public.set_budget(uuid, numeric, text),
  public.check_budgets(int),
  public.sweep_requests()
to service_role;
notify pgrst, 'reload schema';
