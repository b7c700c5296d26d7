-- The role of a user's machine, and the helpers that every later migration stands on.
-- Applies to a real Supabase project as it is: schema auth and the roles anon, authenticated, service_role, authenticator exist there.

do $$
begin
  if not exists (select from pg_catalog.pg_roles where rolname = 'machine') then
    create role machine nologin noinherit;
  end if;
  if not pg_has_role('authenticator', 'machine', 'member') then
    grant machine to authenticator;
  end if;
end $$;
grant usage on schema public to machine;

-- Nothing is executable or readable unless it is granted by name.
alter default privileges revoke execute on functions from public;
alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role;

-- Helpers live where PostgREST does not look.
create schema private;
revoke all on schema private from public;
grant usage on schema private to machine;

-- A claim of the request's token, or null.
create function private.claim(p_name text) returns text
language sql stable set search_path = '' as $$
  select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> p_name
$$;

create function private.token_user_id() returns uuid
language sql stable set search_path = '' as $$ select private.claim('sub')::uuid $$;

create function private.token_machine_id() returns uuid
language sql stable set search_path = '' as $$ select private.claim('machine_id')::uuid $$;

grant execute on function private.claim(text), private.token_user_id(), private.token_machine_id() to machine;

-- Ends the statement with an answer that PostgREST turns into HTTP `p_status`:
-- {code: 'PT<status>', message: <stable code>, details: <sentence>, hint: <next step>}.
create function private.refuse(p_status int, p_code text, p_sentence text, p_next_step text default null) returns void
language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'PT' || p_status, message = p_code, detail = p_sentence, hint = coalesce(p_next_step, '');
end $$;
