-- What all machines are given (the control plane's contract with them) changes for all at once. Each that works takes it when its turn comes: so many within ten minutes, twice as many under way after
-- each that is ready with it, and none while those that took it do not become ready.

-- `contract_turn`: the contract that it is this machine's turn to take. What it was last ready with is `good ->> 'contract'`.
alter table public.machines
  add column contract_turn text check (length(contract_turn) <= 64),
  add column contract_turn_at timestamptz;

-- One row: what the youngest replicas give, since when, and how far it is.
create table public.fleet_contract (
  only_one boolean primary key default true check (only_one),
  contract text not null default '' check (length(contract) <= 64),
  since timestamptz not null default now(),
  next_at timestamptz not null default now(),
  -- When nobody waited for it any more: what happens to a machine later says nothing of it.
  taken_at timestamptz,
  waiting int not null default 0,
  under_way int not null default 0,
  -- Given it, and not ready with it: broken, or for too long.
  late int not null default 0,
  ready int not null default 0,
  -- Set while nobody's turn comes. {code, message, machines: some of the late, at}
  halted jsonb
);
insert into public.fleet_contract default values;
alter table public.fleet_contract enable row level security;
alter table public.fleet_contract force row level security;
grant select on public.fleet_contract to service_role;

-- Gives turns for what replicas give now; answers how many. p_share of the running machines (and five, if there are any) within ten minutes; 0: none. Called by every replica that
-- looks after machines; one at a time does it.
create function public.give_contract_turns(p_contract text, p_share numeric) returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_now timestamptz := clock_timestamp();
  v_before public.fleet_contract;
  v_since timestamptz;
  v_taken_at timestamptz;
  v_running int; v_ready int; v_waiting int; v_taking int; v_late int; v_recent int;
  v_lates jsonb;
  v_limit int;
  v_given int := 0;
  v_halted jsonb;
begin
  select * into v_before from public.fleet_contract for update skip locked;
  if not found or (v_before.contract = p_contract and v_before.next_at > v_now) then
    return 0;
  end if;
  v_since := case when v_before.contract = p_contract then v_before.since else v_now end;
  v_taken_at := case when v_before.contract = p_contract then v_before.taken_at end;
  if v_before.contract <> p_contract then
    -- a turn of the last time that this was given has passed
    update public.machines set contract_turn = null where contract_turn = p_contract;
  end if;

  with fleet as (
    select id, phase, contract_turn_at, coalesce(good ->> 'contract' = p_contract, false) as has, coalesce(contract_turn = p_contract, false) as turned,
      observed_generation = generation and phase = 'screening' as works,
      -- one that beat before is to beat again: with a wrong address or key of the database it may well say that it is ready
      phase = 'screening' and coalesce(beat_at > phase_since and beat_at > v_now - interval '150 seconds', true) as heard
    from public.machines where phase <> 'destroyed' and desired_state = 'started'
  ), judged as (
    -- a drain takes five minutes, a boot ten
    select *, has and heard as ready, turned and v_taken_at is null and not (has and heard) as taking,
      turned and v_taken_at is null and (phase = 'failed' or (not (has and heard) and contract_turn_at < v_now - interval '20 minutes')) as late from fleet)
  select count(*), count(*) filter (where ready), count(*) filter (where works and not has and not turned), count(*) filter (where taking), count(*) filter (where late),
      count(*) filter (where contract_turn_at > v_now - interval '10 minutes'), to_jsonb((array_agg(id order by contract_turn_at) filter (where late))[1:10])
    into v_running, v_ready, v_waiting, v_taking, v_late, v_recent, v_lates from judged;
  v_limit := case when p_share > 0 then greatest(5, ceil(p_share * v_running)) else 0 end;

  if v_late > 0.05 * v_ready and v_waiting > 0 then
    v_halted := jsonb_build_object('code', 'contract_harms', 'at', coalesce(case when v_before.contract = p_contract then v_before.halted ->> 'at' end, to_char(v_now at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')),
      'message', format('%s of the machines that were given what all are to get now did not become ready with it, and %s did: %s wait until they are, or until something else is given.', v_late, v_ready, v_waiting),
      'machines', v_lates);
  else
    with given as (
      update public.machines m set contract_turn = p_contract, contract_turn_at = v_now, next_look_at = least(m.next_look_at, v_now)
      from (select id from public.machines
        where phase = 'screening' and desired_state = 'started' and observed_generation = generation and good ->> 'contract' is distinct from p_contract
          and contract_turn is distinct from p_contract
        -- not always the same ones first
        order by md5(id::text || p_contract)
        limit greatest(0, least(v_limit - v_recent, 1 + v_ready - (v_taking - v_late))) for update skip locked) next
      where m.id = next.id returning m.id)
    select count(*) into v_given from given;
  end if;

  if v_before.contract not in ('', p_contract) then
    insert into public.fleet_events (kind, message, data) values ('contract.changed', format('All machines are given something else from now on: %s take it in turns, at most %s within ten minutes.', v_waiting, v_limit), jsonb_build_object('waiting', v_waiting, 'limit', v_limit));
  end if;
  if v_halted is not null and (v_before.halted is null or v_before.contract <> p_contract) then
    insert into public.fleet_events (kind, message, data) values ('contract.halted', v_halted ->> 'message', v_halted);
  elsif v_before.contract = p_contract and v_taken_at is null and v_waiting + v_taking = v_late then
    insert into public.fleet_events (kind, message, data) values ('contract.taken', format('Every machine that runs has what all are given; %s of them did not become ready with it.', case v_late when 0 then 'none' else v_late::text end),
      jsonb_build_object('ready', v_ready, 'late', coalesce(v_lates, '[]')));
  end if;
  update public.fleet_contract set contract = p_contract, since = v_since, taken_at = case when v_waiting + v_taking = v_late then coalesce(v_taken_at, v_now) end, halted = v_halted, waiting = v_waiting - v_given, under_way = v_taking - v_late + v_given, late = v_late, ready = v_ready,
    -- it reads the whole fleet: never more than a twentieth of the time
    next_at = v_now + greatest(case when v_waiting + v_taking > v_late then interval '2 seconds' else interval '10 seconds' end, 20 * (clock_timestamp() - v_now));
  return v_given;
end $$;

-- As before, and {contract: {waiting, underWay, late, ready, halted}}.
create or replace function public.fleet_figures() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'sweep', (select jsonb_build_object('succeededAt', coalesce(extract(epoch from succeeded_at), 0), 'listed', last -> 'listed', 'known', last -> 'known', 'halted', halted is not null,
      'halts', (select count(*) from public.fleet_events where kind = 'halted')) from public.fleet_sweep),
    'findings', (select coalesce(jsonb_object_agg(kind, n), '{}') from (select kind, count(*) as n from public.fleet_findings group by kind) f),
    'abandoned', (select count(*) from public.fleet_findings where abandoned_at is not null),
    'contract', (select jsonb_build_object('waiting', waiting, 'underWay', under_way, 'late', late, 'ready', ready, 'halted', halted is not null) from public.fleet_contract),
    'rollouts', (select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from public.rollouts group by state) r),
    'underWay', (select coalesce(jsonb_agg(jsonb_build_object('environment', coalesce(r.environment, '*'), 'state', r.state, 'wave', r.wave, 'machines', public.rollout_counts(r.id))), '[]')
      from public.rollouts r where r.finished_at is null))
$$;

grant execute on function public.give_contract_turns(text, numeric) to service_role;
notify pgrst, 'reload schema';
