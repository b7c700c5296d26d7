-- What is measured of the fleet: sweeps and rollouts, as figures that any replica shows.

-- When a sweep was last completed; one that broke off says nothing.
alter table public.fleet_sweep add column succeeded_at timestamptz;

create or replace function public.end_sweep(p_fence bigint, p_figures jsonb) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
  update public.fleet_sweep set lease_owner = null, lease_expires_at = null, last = p_figures || jsonb_build_object('at', clock_timestamp()),
      succeeded_at = case when p_figures ->> 'outcome' = 'done' then clock_timestamp() else succeeded_at end
    where fence = p_fence and lease_expires_at > clock_timestamp();
  return found;
end $$;

-- {sweep: {succeededAt (seconds since 1970, 0: never), listed, known (of the last completed one, as far as it is the last), halted, halts}, findings: {kind: n}, abandoned,
-- rollouts: {state: n}, underWay: [{environment, state, wave, machines: {state: n}}]}
create function public.fleet_figures() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'sweep', (select jsonb_build_object('succeededAt', coalesce(extract(epoch from succeeded_at), 0), 'listed', last -> 'listed', 'known', last -> 'known', 'halted', halted is not null,
      'halts', (select count(*) from public.fleet_events where kind = 'halted')) from public.fleet_sweep),
    'findings', (select coalesce(jsonb_object_agg(kind, n), '{}') from (select kind, count(*) as n from public.fleet_findings group by kind) f),
    'abandoned', (select count(*) from public.fleet_findings where abandoned_at is not null),
    'rollouts', (select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from public.rollouts group by state) r),
    'underWay', (select coalesce(jsonb_agg(jsonb_build_object('environment', coalesce(r.environment, '*'), 'state', r.state, 'wave', r.wave, 'machines', public.rollout_counts(r.id))), '[]')
      from public.rollouts r where r.finished_at is null))
$$;
create index fleet_events_halted on public.fleet_events (id) where kind = 'halted';

grant execute on function public.fleet_figures() to service_role;
notify pgrst, 'reload schema';
