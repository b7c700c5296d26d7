-- A signal never changes once it is written. Its id says what it means (UUIDv5), so a repeat is harmless.

create table public.signals (
  id uuid not null,
  user_id uuid not null references auth.users on delete cascade,
  machine_id uuid not null references public.machines on delete cascade,
  trader_id uuid not null,
  trader_version int not null check (trader_version > 0),
  trader_name text not null check (length(trader_name) between 1 and 100),
  symbol text not null check (length(symbol) between 1 and 40),
  "interval" text not null check ("interval" ~ '^[0-9]{1,3}[smhdwM]$'),
  open_time timestamptz not null,
  close_time timestamptz not null,
  side text not null check (side in ('long', 'short')),
  price numeric not null check (price > 0 and price < 'Infinity'),
  phase text not null check (phase in ('closed', 'forming')),
  origin text not null check (origin in ('live', 'history')),
  conditions jsonb not null default '[]' check (jsonb_typeof(conditions) in ('array', 'object') and pg_column_size(conditions) <= 65536),
  created_at timestamptz not null default now(),
  check (close_time > open_time),
  -- The user is part of the key: nobody can occupy another user's signal by guessing its id.
  primary key (user_id, id)
);
create index signals_user_newest on public.signals (user_id, close_time desc, id);
create index signals_machine on public.signals (machine_id);

-- A trader belongs to one user; the pair as the target makes a signal about another user's trader impossible.
alter table public.traders add constraint traders_owner unique (user_id, id);
alter table public.signals add constraint signals_trader foreign key (user_id, trader_id) references public.traders (user_id, id) on delete cascade;
create index signals_trader on public.signals (user_id, trader_id);

alter table public.signals enable row level security;
alter table public.signals force row level security;
grant select on public.signals to authenticated, machine, service_role;

create policy "a user reads own signals" on public.signals for select to authenticated
  using (user_id = (select auth.uid()));
create policy "a machine reads its user's signals" on public.signals for select to machine
  using (user_id = (select private.token_user_id()));
