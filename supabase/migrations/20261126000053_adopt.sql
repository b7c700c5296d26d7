-- An app belongs to one machine. Taking one over is safe to repeat, and of two who want the same app one gets it.

drop index public.machines_fly_app;
create unique index machines_fly_app on public.machines (fly_app) where fly_app is not null and phase <> 'destroyed';

-- Takes over an app that stands at Fly without a row (made by hand, or by an older system): the reconciler brings its machine to the wish. The same again answers with the
-- machine that has it. Raises machine_exists, app_taken, machine_being_destroyed, and what a deploy raises.
create or replace function public.adopt_machine(
  p_user_id uuid, p_environment text, p_fly_app text, p_fly_machine_id text, p_region text, p_cpu_kind text, p_cpus int, p_memory_mb int, p_image text
) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_deployed jsonb := public.deploy_machine(p_user_id, p_environment, p_region, p_cpu_kind, p_cpus, p_memory_mb, p_image);
  v_machine public.machines;
begin
  if not (v_deployed ->> 'created')::boolean then
    select * into v_machine from public.machines where id = (v_deployed #>> '{machine,id}')::uuid;
    if v_machine.fly_app is distinct from p_fly_app then
      perform private.refuse(409, 'machine_exists', 'The user has a machine in this environment.', 'Destroy it first, or adopt into another environment.');
    end if;
    return v_machine;
  end if;
  update public.machines set fly_app = p_fly_app, fly_machine_id = p_fly_machine_id
    where id = (v_deployed #>> '{machine,id}')::uuid returning * into v_machine;
  insert into public.machine_events (machine_id, kind, message, data)
    values (v_machine.id, 'adopted', format('The app %s was taken over as it stands.', p_fly_app), jsonb_build_object('app', p_fly_app, 'machine', p_fly_machine_id));
  return v_machine;
exception when unique_violation then
  perform private.refuse(409, 'app_taken', 'Another machine has this app.', 'Find it with GET /v1/fleet, or at Fly by its metadata.');
  return null;
end $$;
notify pgrst, 'reload schema';
