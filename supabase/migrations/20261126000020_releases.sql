-- What machines may run. A release is an image by its digest, registered by an operator after it was seen in its registry; users never choose one.

create table public.releases (
  id uuid primary key default gen_random_uuid(),
  version text not null unique check (version ~ '^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$'),
  -- A tag moves, a digest does not.
  image text not null unique check (length(image) <= 512 and image ~ '^[a-z0-9.:/_-]+@sha256:[0-9a-f]{64}$'),
  notes text check (length(notes) <= 2000),
  registered_by uuid not null,
  registered_at timestamptz not null default now(),
  -- When the registry last showed it.
  verified_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  withdrawn_reason text check (length(withdrawn_reason) between 1 and 500)
);

-- What a new machine of an environment gets; '*' is for each environment without a row of its own. Written when a rollout has succeeded.
create table public.current_releases (
  environment text primary key check (environment = '*' or environment ~ '^[a-z][a-z0-9-]{0,31}$'),
  release_id uuid not null references public.releases,
  since timestamptz not null default now()
);
create index current_releases_release on public.current_releases (release_id);

alter table public.releases enable row level security;
alter table public.releases force row level security;
alter table public.current_releases enable row level security;
alter table public.current_releases force row level security;
grant select on public.releases, public.current_releases to service_role;

-- Whoever makes a machine, its image is the environment's release where there is one.
create function private.machine_release_image() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  new.desired_image := coalesce((
    select r.image from public.current_releases c join public.releases r on r.id = c.release_id
    where c.environment in (new.environment, '*') order by (c.environment = '*') limit 1), new.desired_image);
  return new;
end $$;
create trigger machine_release_image before insert on public.machines
  for each row execute function private.machine_release_image();

-- Returns the release. The same version and image again are the same release; anything else of it that is taken is refused.
create function public.register_release(p_version text, p_image text, p_notes text, p_by uuid) returns public.releases
language plpgsql security definer set search_path = '' as $$
declare
  v_release public.releases;
begin
  insert into public.releases (version, image, notes, registered_by) values (p_version, p_image, p_notes, p_by)
    on conflict do nothing returning * into v_release;
  if found then
    return v_release;
  end if;
  update public.releases set verified_at = clock_timestamp() where version = p_version and image = p_image returning * into v_release;
  if found then
    return v_release;
  end if;
  if exists (select from public.releases where version = p_version) then
    perform private.refuse(409, 'release_version_taken', format('Version %s is another image.', p_version), 'Give the image a version of its own.');
  end if;
  perform private.refuse(409, 'release_image_taken', 'This image is registered under another version.', 'Use that version, or register another image.');
  return null;
end $$;

-- p_reason says why nobody may roll it out again. Refused while it is in use.
create function public.withdraw_release(p_id uuid, p_reason text) returns public.releases
language plpgsql security definer set search_path = '' as $$
declare
  v_release public.releases;
begin
  select * into v_release from public.releases where id = p_id for update;
  if not found then
    perform private.refuse(404, 'release_not_found', 'There is no release of this id.', 'List them with GET /v1/releases.');
  end if;
  if exists (select from public.current_releases where release_id = p_id)
     or exists (select from public.rollouts where release_id = p_id and finished_at is null) then
    perform private.refuse(409, 'release_in_use', format('Version %s is rolled out now.', v_release.version), 'Roll out another release first.');
  end if;
  update public.releases set withdrawn_at = coalesce(withdrawn_at, clock_timestamp()), withdrawn_reason = coalesce(withdrawn_reason, p_reason)
    where id = p_id returning * into v_release;
  return v_release;
end $$;

grant execute on function public.register_release(text, text, text, uuid), public.withdraw_release(uuid, text) to service_role;
