-- A signal may be taken back when its candle closes, may be kept without being acted upon, and names the symbols whose candles were not there in time.

alter table public.signals drop constraint signals_phase_check;
alter table public.signals add constraint signals_phase_check check (phase in ('closed', 'forming', 'withdrawn'));
-- {code, message}: why it is not acted upon; null = it is.
alter table public.signals add column suppressed jsonb check (jsonb_typeof(suppressed) = 'object' and suppressed ? 'code' and pg_column_size(suppressed) <= 4096);
alter table public.signals add column missing jsonb check (jsonb_typeof(missing) = 'array' and pg_column_size(missing) <= 32768);

-- Writes the JSON rows as the machine's signals; returns how many were new.
create or replace function private.insert_signals(p_machine public.machines, p_rows jsonb) returns int
language plpgsql set search_path = '' as $$
declare
  v_count int;
begin
  insert into public.signals (id, user_id, machine_id, trader_id, trader_version, trader_name, symbol, "interval",
      open_time, close_time, side, price, phase, origin, conditions, suppressed, missing)
    select r.id, p_machine.user_id, p_machine.id, r.trader_id, r.trader_version, r.trader_name, r.symbol, r."interval",
      r.open_time, r.close_time, r.side, r.price, r.phase, r.origin, coalesce(r.conditions, '[]'), r.suppressed, r.missing
    from jsonb_to_recordset(p_rows) as r(id uuid, trader_id uuid, trader_version int, trader_name text, symbol text, "interval" text,
      open_time timestamptz, close_time timestamptz, side text, price numeric, phase text, origin text, conditions jsonb, suppressed jsonb, missing jsonb)
    on conflict (user_id, id) do nothing;
  get diagnostics v_count = row_count;
  return v_count;
end $$;
