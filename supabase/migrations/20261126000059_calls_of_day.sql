-- A machine on a new disk goes on counting where the day stands: by call, so that what it knows already is not counted twice.

-- The calls of the model that the machine's user made on a day (UTC), on whatever machine and disk, newest first; at most 1000 at once: the next ones come with the last one's
-- started_at and id as p_before and p_before_id.
create function public.analyses_of_day(p_day date, p_limit int, p_before timestamptz default null, p_before_id uuid default null) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
  v_machine public.machines := private.calling_machine();
  v_from timestamptz := p_day::timestamp at time zone 'UTC';
begin
  return (select coalesce(jsonb_agg(to_jsonb(c) order by c.started_at desc, c.id), '[]') from (
    select a.id, a.signal_id, a.attempt, a.model, a.prompt_version, a.prompt_hash, a.started_at, a.latency_ms, a.tokens_in, a.tokens_out, a.nano_usd, a.estimated, a.result
    from public.analyses a
    where a.user_id = v_machine.user_id and a.started_at >= v_from and a.started_at < v_from + interval '1 day'
      and a.started_at <= coalesce(p_before, 'infinity') and (p_before is null or a.started_at < p_before or a.id > p_before_id)
    order by a.started_at desc, a.id limit least(greatest(p_limit, 0), 1000)) c);
end $$;

-- Sums cannot be told apart from what a machine has counted itself: it reads calls instead.
drop policy "a machine reads its user's usage" on public.usage;
revoke select on public.usage from machine;

grant execute on function public.analyses_of_day(date, int, timestamptz, uuid) to machine;
notify pgrst, 'reload schema';
