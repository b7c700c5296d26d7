-- The list of prices of today, for whoever tells what something costs: the list that bills and budgets are made with.

create function public.current_prices() returns jsonb
language sql stable security definer set search_path = '' as $$
  select to_jsonb(p) from private.prices_on((now() at time zone 'UTC')::date) p
$$;
grant execute on function public.current_prices() to service_role;
notify pgrst, 'reload schema';
