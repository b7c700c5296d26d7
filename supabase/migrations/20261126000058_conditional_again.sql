-- A restart or a new secret may be wished under the condition that the machine's wish is still the one that was read.

drop function public.wish_machine_again(uuid, uuid, text);
create function public.wish_machine_again(p_machine_id uuid, p_user_id uuid, p_what text, p_if_generation bigint default null) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines;
begin
  if p_what is null or p_what not in ('restart', 'secret') then
    perform private.refuse(400, 'unknown_wish', 'What can be wished again is restart or secret.');
  end if;
  select * into v_machine from public.machines where id = p_machine_id and user_id = p_user_id for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'The user has no machine of this id.');
  end if;
  return public.set_machine_desired(p_machine_id, p_user_id, case p_what
    when 'restart' then jsonb_build_object('desired_restart', v_machine.desired_restart + 1)
    else jsonb_build_object('desired_secret', v_machine.desired_secret + 1) end, p_if_generation);
end $$;
revoke all on function public.wish_machine_again(uuid, uuid, text, bigint) from public, anon, authenticated;
grant execute on function public.wish_machine_again(uuid, uuid, text, bigint) to service_role;
