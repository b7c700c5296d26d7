-- What a user wishes: deploy a machine, change it, destroy it. Called by the control plane (service_role) alone.

-- Returns {machine: row, created: bool}. Idempotent and race-proof: the unique index decides, a destroyed machine does not block.
create function public.deploy_machine(
  p_user_id uuid, p_environment text, p_region text, p_cpu_kind text, p_cpus int, p_memory_mb int, p_image text
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines;
begin
  loop
    begin
      insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image)
      values (p_user_id, p_environment, p_region, p_cpu_kind, p_cpus, p_memory_mb, p_image)
      on conflict (user_id, environment) where phase <> 'destroyed' do nothing
      returning * into v_machine;
    exception when foreign_key_violation then
      perform private.refuse(404, 'user_not_found', 'No user has this id.', 'Sign up first.');
    end;
    if found then
      insert into public.machine_events (machine_id, kind, message, data) values (v_machine.id, 'requested',
        format('A machine was requested in %s: %s %s vCPU, %s MB.', p_region, p_cpus, p_cpu_kind, p_memory_mb),
        jsonb_build_object('region', p_region, 'cpu_kind', p_cpu_kind, 'cpus', p_cpus, 'memory_mb', p_memory_mb, 'image', p_image));
      return jsonb_build_object('machine', to_jsonb(v_machine), 'created', true);
    end if;
    select * into v_machine from public.machines
      where user_id = p_user_id and environment = p_environment and phase <> 'destroyed';
    if found then
      if v_machine.desired_state = 'destroyed' then
        perform private.refuse(409, 'machine_being_destroyed', 'The user''s machine is being destroyed.',
          'Wait until it is destroyed, then deploy again.');
      end if;
      return jsonb_build_object('machine', to_jsonb(v_machine), 'created', false);
    end if;
    -- It was destroyed between the two statements: the next turn inserts.
  end loop;
end $$;

-- p_patch: any of desired_state, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image.
-- Returns the row and makes it due at once. Raises machine_not_found, generation_mismatch, machine_being_destroyed, unknown_field.
create function public.set_machine_desired(
  p_machine_id uuid, p_user_id uuid, p_patch jsonb, p_if_generation bigint default null
) returns public.machines
language plpgsql security definer set search_path = '' as $$
declare
  v_before public.machines;
  v_wish public.machines;
  v_after public.machines;
begin
  perform private.check_keys(p_patch, array[
    'desired_state', 'desired_region', 'desired_cpu_kind', 'desired_cpus', 'desired_memory_mb', 'desired_image']);
  select * into v_before from public.machines where id = p_machine_id and user_id = p_user_id for no key update;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'The user has no machine of this id.');
  end if;
  if p_if_generation is distinct from null and p_if_generation <> v_before.generation then
    perform private.refuse(412, 'generation_mismatch',
      format('The machine is at generation %s, not %s.', v_before.generation, p_if_generation), 'Read it again, then repeat the change.');
  end if;
  v_wish := jsonb_populate_record(v_before, p_patch);
  update public.machines set
    desired_state = v_wish.desired_state, desired_region = v_wish.desired_region, desired_cpu_kind = v_wish.desired_cpu_kind,
    desired_cpus = v_wish.desired_cpus, desired_memory_mb = v_wish.desired_memory_mb, desired_image = v_wish.desired_image,
    next_look_at = clock_timestamp(), attempts = 0
  where id = p_machine_id returning * into v_after;
  if v_after.generation > v_before.generation then
    insert into public.machine_events (machine_id, kind, message, data) values (p_machine_id, 'wish',
      'The wish changed: ' || (select string_agg(format('%s is now %s', replace(substr(key, 9), '_', ' '), value #>> '{}'), ', ') from jsonb_each(p_patch)) || '.', p_patch);
  end if;
  return v_after;
end $$;

-- Refuses keys outside the list, so that a misspelt field is never silently ignored.
create function private.check_keys(p_patch jsonb, p_allowed text[]) returns void
language plpgsql set search_path = '' as $$
declare
  v_unknown text;
begin
  if p_patch is null or jsonb_typeof(p_patch) <> 'object' then
    perform private.refuse(400, 'not_an_object', 'The patch is a JSON object.');
  end if;
  select string_agg(key, ', ' order by key) into v_unknown from jsonb_object_keys(p_patch) as key where key <> all (p_allowed);
  if v_unknown is not null then
    perform private.refuse(400, 'unknown_field', 'Not known here: ' || v_unknown || '.', 'Known: ' || array_to_string(p_allowed, ', ') || '.');
  end if;
end $$;

-- Ends every token of the machine at once; returns the new epoch.
create function public.revoke_machine_tokens(p_machine_id uuid) returns int
language plpgsql security definer set search_path = '' as $$
declare
  v_epoch int;
begin
  update public.machines set token_epoch = token_epoch + 1 where id = p_machine_id returning token_epoch into v_epoch;
  if not found then
    perform private.refuse(404, 'machine_not_found', 'No machine has this id.');
  end if;
  return v_epoch;
end $$;

grant execute on function
  public.deploy_machine(uuid, text, text, text, int, int, text),
  public.set_machine_desired(uuid, uuid, jsonb, bigint),
  public.revoke_machine_tokens(uuid)
to service_role;
