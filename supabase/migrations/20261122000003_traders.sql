-- A trader is data: named conditions in the expression language, in `document`. Its version is part of every signal's id.

create table public.traders (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references auth.users on delete cascade,
  name text not null check (length(name) between 1 and 100),
  version int not null default 1,
  enabled boolean not null default true,
  document jsonb not null check (jsonb_typeof(document) = 'object' and pg_column_size(document) <= 65536),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create unique index traders_name on public.traders (user_id, name) where deleted_at is null;
create index traders_user on public.traders (user_id);

create function private.trader_write_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.version := old.version + (case when new.document is distinct from old.document then 1 else 0 end);
  new.user_id := old.user_id;
  new.created_at := old.created_at;
  new.updated_at := clock_timestamp();
  return new;
end $$;
create trigger trader_write_guard before update on public.traders
  for each row execute function private.trader_write_guard();

alter table public.traders enable row level security;
alter table public.traders force row level security;

-- A trader is taken away by setting deleted_at: signals keep pointing at it.
grant select on public.traders to authenticated, machine;
grant insert (id, user_id, name, enabled, document) on public.traders to authenticated;
grant update (name, enabled, document, deleted_at) on public.traders to authenticated;
grant select, insert, update, delete on public.traders to service_role;

create policy "a user reads own traders" on public.traders for select to authenticated
  using (user_id = (select auth.uid()));
create policy "a user adds own traders" on public.traders for insert to authenticated
  with check (user_id = (select auth.uid()));
create policy "a user changes own traders" on public.traders for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy "a machine reads its user's traders" on public.traders for select to machine
  using (user_id = (select private.token_user_id()));

-- Changes whenever anything a machine must know about its user's traders changes.
create function private.traders_etag(p_user_id uuid) returns text
language sql stable set search_path = '' as $$
  select md5(coalesce(string_agg(concat_ws(':', t.id, t.version, t.enabled, t.deleted_at is null, extract(epoch from t.updated_at)), ',' order by t.id), ''))
  from public.traders t where t.user_id = p_user_id
$$;
