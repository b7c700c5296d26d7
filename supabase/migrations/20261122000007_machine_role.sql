-- What a machine does with its token (role machine): beat, write signals, tell an event. Who it is comes from the
-- token's claims {sub: user id, machine_id, epoch}, never from an argument.

-- The caller's row, locked; refuses a token that was revoked or whose machine is gone.
create function private.calling_machine() returns public.machines
language plpgsql set search_path = '' as $$
declare
  v_machine public.machines;
begin
  select * into v_machine from public.machines
    where id = private.token_machine_id() and user_id = private.token_user_id()
      and token_epoch = private.claim('epoch')::int and phase <> 'destroyed'
    for no key update;
  if not found then
    perform private.refuse(401, 'token_revoked', 'The machine''s token is no longer valid.', 'Exchange the machine secret for a new token.');
  end if;
  return v_machine;
end $$;

-- PostgREST calls this before every request, as the request's role: a machine's token of an older epoch is refused at once.
create function public.db_pre_request() returns void
language plpgsql security definer set search_path = '' as $$
begin
  -- The claim, not current_user: inside a security definer function that is the owner.
  if private.claim('role') = 'machine' and not exists (
    select from public.machines
    where id = private.token_machine_id() and user_id = private.token_user_id()
      and token_epoch = private.claim('epoch')::int and phase <> 'destroyed'
  ) then
    perform private.refuse(401, 'token_revoked', 'The machine''s token is no longer valid.', 'Exchange the machine secret for a new token.');
  end if;
end $$;

-- Every 15 s. Stores the machine's status, follows its phase while the wish is "started" (the transitions are those of
-- MACHINE_LIFECYCLE in packages/core/machine.ts), and answers what the machine must know.
create function public.machine_beat(p_status jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
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
  return jsonb_build_object(
    'generation', v_machine.generation,
    'desired_state', v_machine.desired_state,
    'traders_etag', private.traders_etag(v_machine.user_id),
    'server_time', clock_timestamp(),
    'drain', v_machine.desired_state <> 'started');
end $$;

-- Writes the JSON rows as the machine's signals; returns how many were new.
create function private.insert_signals(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  insert into public.signals (id, user_id, machine_id, trader_id, trader_version, trader_name, symbol, "interval",
      open_time, close_time, side, price, phase, origin, conditions)
    select r.id, p_machine.user_id, p_machine.id, r.trader_id, r.trader_version, r.trader_name, r.symbol, r."interval",
      r.open_time, r.close_time, r.side, r.price, r.phase, r.origin, coalesce(r.conditions, '[]')
    from jsonb_to_recordset(p_rows) as r(id uuid, trader_id uuid, trader_version int, trader_name text, symbol text, "interval" text,
      open_time timestamptz, close_time timestamptz, side text, price numeric, phase text, origin text, conditions jsonb)
    on conflict (user_id, id) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- At most 1000 rows {id, trader_id, trader_version, trader_name, symbol, interval, open_time, close_time, side, price, phase, origin, conditions}.
-- Returns {inserted, duplicates, rejected: [{id, code, message}]}. All at once; only if one of them is bad, row by row, so
-- that a bad row is named and never blocks the others. Only what is wrong with the row itself counts as bad: a full disk
-- or a deadlock fails the call, and the caller keeps its rows.
create function public.write_signals(p_rows jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_total int;
  v_inserted int := 0;
  v_rejected jsonb := '[]';
  v_row jsonb;
begin
  if p_rows is null or jsonb_typeof(p_rows) <> 'array' then
    perform private.refuse(400, 'not_an_array', 'The rows are a JSON array.');
  end if;
  v_total := jsonb_array_length(p_rows);
  if v_total > 1000 then
    perform private.refuse(413, 'too_many_rows', format('%s rows were sent; at most 1000 are taken at once.', v_total), 'Send smaller batches.');
  end if;
  begin
    v_inserted := private.insert_signals(v_machine, p_rows);
  exception when data_exception or integrity_constraint_violation then
    v_inserted := 0;
    for v_row in select value from jsonb_array_elements(p_rows) loop
      begin
        v_inserted := v_inserted + private.insert_signals(v_machine, jsonb_build_array(v_row));
      exception when data_exception or integrity_constraint_violation then
        v_rejected := v_rejected || jsonb_build_object(
          'id', case when jsonb_typeof(v_row) = 'object' then v_row ->> 'id' end,
          'code', case sqlstate
            when '23502' then 'value_missing' when '23503' then 'trader_unknown' when '23514' then 'value_refused'
            else 'value_malformed' end,
          'message', sqlerrm);
      end;
    end loop;
  end;
  return jsonb_build_object('inserted', v_inserted, 'duplicates', v_total - v_inserted - jsonb_array_length(v_rejected), 'rejected', v_rejected);
end $$;

-- A machine's own event (crash report, settings refused …). Returns the event's id.
create function public.record_machine_event(p_kind text, p_message text, p_data jsonb default '{}') returns bigint
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_id bigint;
begin
  insert into public.machine_events (machine_id, kind, message, data)
    values (v_machine.id, p_kind, p_message, coalesce(p_data, '{}')) returning id into v_id;
  return v_id;
end $$;

grant execute on function public.machine_beat(jsonb), public.write_signals(jsonb), public.record_machine_event(text, text, jsonb) to machine;
grant execute on function public.db_pre_request() to anon, authenticated, service_role, machine;
alter role authenticator set pgrst.db_pre_request = 'public.db_pre_request';
notify pgrst, 'reload config';
notify pgrst, 'reload schema';
