-- What a Supabase project provides before its first migration: roles, the auth schema, default privileges.
-- Runs at every start (each statement may be repeated); a real project never sees this file.

do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('anon', 'nologin noinherit'),
      ('authenticated', 'nologin noinherit'),
      ('service_role', 'nologin noinherit bypassrls'),
      ('authenticator', 'login noinherit')
    ) as roles(name, options)
  loop
    if not exists (select from pg_catalog.pg_roles where rolname = wanted.name) then
      execute format('create role %I %s', wanted.name, wanted.options);
    end if;
  end loop;
end $$;

do $$
begin
  if not pg_has_role('authenticator', 'service_role', 'member') then
    grant anon, authenticated, service_role to authenticator;
    alter role authenticator set statement_timeout = '8s';
    alter role authenticator set idle_in_transaction_session_timeout = '30s';
  end if;
end $$;

revoke create on schema public from public;
grant usage on schema public to anon, authenticated, service_role;
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;

create schema if not exists auth;
grant usage on schema auth to anon, authenticated, service_role;

create or replace function auth.jwt() returns jsonb language sql stable set search_path = '' as $$
  select coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb
$$;
create or replace function auth.uid() returns uuid language sql stable set search_path = '' as $$
  select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;
create or replace function auth.role() returns text language sql stable set search_path = '' as $$
  select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
$$;

create table if not exists auth.users (
  id uuid primary key default gen_random_uuid(),
  aud text not null default 'authenticated',
  role text not null default 'authenticated',
  email text unique,
  encrypted_password text,
  email_confirmed_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb not null default '{"provider":"email","providers":["email"]}',
  raw_user_meta_data jsonb not null default '{}',
  banned_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

alter table auth.users
  add column if not exists invited_at timestamptz,
  add column if not exists confirmation_sent_at timestamptz,
  add column if not exists recovery_sent_at timestamptz,
  add column if not exists reauthentication_sent_at timestamptz,
  add column if not exists email_change text,
  add column if not exists email_change_sent_at timestamptz,
  add column if not exists deleted_at timestamptz;

create table if not exists auth.sessions (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  created_at timestamptz not null default now(),
  refreshed_at timestamptz
);
-- How the user signed in: the claim "amr" of each token of the session.
alter table auth.sessions add column if not exists amr jsonb not null default '[]';
create index if not exists sessions_user on auth.sessions (user_id);

-- Refresh tokens are kept as SHA-256 hashes; a token that was used once stays, so that its second use is recognised. Its successor is
-- HMAC(token, successor_salt): whoever holds the parent of the active token gets that token again, and no token can be read from a row.
create table if not exists auth.refresh_tokens (
  token_hash text primary key,
  session_id uuid not null references auth.sessions on delete cascade,
  used_at timestamptz,
  created_at timestamptz not null default now()
);
alter table auth.refresh_tokens add column if not exists successor_salt text;
create index if not exists refresh_tokens_session on auth.refresh_tokens (session_id);

create table if not exists auth.one_time_tokens (
  token_hash text primary key,
  user_id uuid not null references auth.users on delete cascade,
  token_type text not null,
  expires_at timestamptz not null
);
create index if not exists one_time_tokens_user on auth.one_time_tokens (user_id);
-- `otp_hash`: the six digits of the same mail, hashed with the address they were sent to.
alter table auth.one_time_tokens add column if not exists relates_to text, add column if not exists otp_hash text;

-- PKCE: a code that only the holder of the verifier can turn into a session.
create table if not exists auth.flow_state (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users on delete cascade,
  auth_code_hash text unique,
  code_challenge text not null,
  code_challenge_method text not null check (code_challenge_method in ('s256', 'plain')),
  authentication_method text not null,
  created_at timestamptz not null default now(),
  auth_code_issued_at timestamptz
);
create index if not exists flow_state_user on auth.flow_state (user_id);

-- Keys that sign users' tokens; the private half is sealed under the project's secret key.
create table if not exists auth.signing_keys (
  id text primary key,
  status text not null check (status in ('in_use', 'standby', 'previously_used', 'revoked')),
  sealed text not null,
  public_jwk jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index if not exists signing_keys_in_use on auth.signing_keys ((true)) where status = 'in_use';

-- Keys that say which application calls, as hashes.
create table if not exists auth.api_keys (
  id uuid primary key default gen_random_uuid(),
  type text not null check (type in ('publishable', 'secret')),
  name text not null,
  prefix text not null,
  hash text not null unique,
  inserted_at timestamptz not null default now(),
  deleted_at timestamptz
);
