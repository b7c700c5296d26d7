-- A release is in use as long as a machine is to run it, whatever became of the rollout that brought it there.

create or replace function public.withdraw_release(p_id uuid, p_reason text) returns public.releases
language plpgsql security definer set search_path = '' as $$
declare
  v_release public.releases;
begin
  select * into v_release from public.releases where id = p_id for update;
  if not found then
    perform private.refuse(404, 'release_not_found', 'There is no release of this id.', 'List them with GET /v1/releases.');
  end if;
  if exists (select from public.current_releases where release_id = p_id)
     or exists (select from public.rollouts where release_id = p_id and finished_at is null)
     or exists (select from public.machines where desired_image = v_release.image and phase <> 'destroyed' and desired_state <> 'destroyed') then
    perform private.refuse(409, 'release_in_use', format('Machines run version %s, or get it.', v_release.version), 'Roll out another release first: to all that have this one.');
  end if;
  update public.releases set withdrawn_at = coalesce(withdrawn_at, clock_timestamp()), withdrawn_reason = coalesce(withdrawn_reason, p_reason)
    where id = p_id returning * into v_release;
  return v_release;
end $$;
notify pgrst, 'reload schema';
