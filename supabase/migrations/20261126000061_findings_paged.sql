-- All findings can be read, page by page; the fleet at a glance counts them, and leaves nothing out unsaid.

alter table public.fleet_findings add column id uuid not null unique default gen_random_uuid();
create index fleet_findings_newest on public.fleet_findings (first_seen_at, id);

-- As before, with all images and troubles, how many findings there are, and how far a changed contract is.
create or replace function public.fleet_summary() returns jsonb
language sql stable security definer set search_path = '' as $$
  select jsonb_build_object(
    'machines', (select count(*) from public.machines where phase <> 'destroyed'),
    'phases', (select coalesce(jsonb_object_agg(phase, n), '{}') from (select phase, count(*) as n from public.machines where phase <> 'destroyed' group by phase) p),
    'regions', (select coalesce(jsonb_object_agg(region, n), '{}') from (select coalesce(region, desired_region) as region, count(*) as n from public.machines where phase <> 'destroyed' group by 1) r),
    'images', (select coalesce(jsonb_agg(jsonb_build_object('image', i.image, 'version', r.version, 'machines', i.n) order by i.n desc), '[]')
      from (select coalesce(image, desired_image) as image, count(*) as n from public.machines where phase <> 'destroyed' group by 1) i left join public.releases r on r.image = i.image),
    'silent', (select count(*) from public.machines where phase = 'screening' and beat_at < now() - interval '150 seconds'),
    'troubles', (select coalesce(jsonb_object_agg(code, n), '{}') from (select last_error ->> 'code' as code, count(*) as n from public.machines where phase <> 'destroyed' and last_error is not null group by 1) t where code is not null),
    'sweep', (select jsonb_build_object('last', last, 'nextAt', next_at, 'halted', halted, 'allowed', allowed) from public.fleet_sweep),
    'contract', (select jsonb_build_object('since', since, 'waiting', waiting, 'underWay', under_way, 'late', late, 'ready', ready, 'halted', halted) from public.fleet_contract),
    'found', (select coalesce(jsonb_object_agg(kind, n), '{}') from (select kind, count(*) as n from public.fleet_findings group by kind) k),
    'findings', (select coalesce(jsonb_agg(to_jsonb(f) order by f.first_seen_at), '[]') from (select * from public.fleet_findings order by (abandoned_at is null), first_seen_at limit 200) f),
    'events', (select coalesce(jsonb_agg(to_jsonb(e) order by e.id desc), '[]') from (select * from public.fleet_events order by id desc limit 50) e))
$$;
notify pgrst, 'reload schema';
