-- What came with releases, rollouts and more wishes is told in the audit log too.

drop trigger audit on public.machines;
create trigger audit after insert or delete on public.machines for each row
  execute function private.audit('environment', 'desired_state', 'desired_region', 'desired_cpu_kind', 'desired_cpus', 'desired_memory_mb', 'desired_image', 'desired_regions', 'desired_sizes');
-- Every change of a wish raises the generation: a beat costs nothing here. Of the environment only that it changed: one may hold what is nobody's business.
create trigger audit_changed after update on public.machines for each row when (new.generation <> old.generation or new.token_epoch <> old.token_epoch)
  execute function private.audit('generation', 'desired_state', 'desired_region', 'desired_cpu_kind', 'desired_cpus', 'desired_memory_mb', 'desired_image', 'desired_regions', 'desired_sizes',
    'desired_restart', 'desired_secret', 'token_epoch');

do $$
begin
  if to_regclass('public.releases') is not null then
    create trigger audit after insert or delete or update on public.releases for each row execute function private.audit('version', 'image', 'withdrawn_at', 'withdrawn_reason');
    create trigger audit after insert or delete or update on public.current_releases for each row execute function private.audit('environment', 'release_id');
    create trigger audit after insert or delete or update of state, wave, excluded_users, excluded_machines on public.rollouts for each row
      execute function private.audit('environment', 'release_id', 'settings', 'state', 'wave', 'reason', 'excluded_users', 'excluded_machines');
  end if;
end $$;
