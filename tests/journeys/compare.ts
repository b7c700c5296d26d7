import type { MachineView } from '@trademind/core';
import { readRecordedCandles, recordings } from '../support/recordings.ts';
import { until, type Platform } from '../support/platform.ts';
import { expectedSignals } from './oracle.ts';

const WEEK = 7 * 86_400_000;
const MINUTE = 60_000;

interface StoredSignal { id: string; trader_name: string; symbol: string; close_time: string; price: number; side: string; origin: string; phase: string }

export interface Comparison {
  /** Compared are the signals whose candles closed after `from` and up to `to` (market time, ms). */
  from: number;
  to: number;
  expected: number;
  stored: number;
  missing: string[];
  unexpected: string[];
  /** Signals stored more than once for the same trader, symbol and candle. */
  twice: string[];
  /** Signals marked live that closed before the machine began, or the other way round. */
  mismarked: string[];
}

async function json<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(60_000) });
  if (!response.ok) throw new Error(`${response.status} ${(await response.text()).slice(0, 300)}`);
  return (await response.json()) as T;
}

/** The demo user's machine, as the control plane tells it. */
export function machineView({ ready }: Platform): Promise<MachineView> {
  return json(`${ready.controlPlane}/v1/machines/${ready.machine.id}`, { authorization: `Bearer ${ready.user.token}` });
}

export async function marketTime({ ready }: Platform): Promise<number> {
  return (await json<{ serverTime: number }>(`${ready.exchange}/api/v3/time`)).serverTime;
}

/** Every signal that the user's own token can read, in pages. */
export async function storedSignals({ ready }: Platform): Promise<StoredSignal[]> {
  const all: StoredSignal[] = [];
  for (;;) {
    const rows = await json<StoredSignal[]>(`${ready.supabase}/rest/v1/signals?select=id,trader_name,symbol,close_time,price,side,origin,phase&order=id&limit=1000&offset=${all.length}`, {
      apikey: ready.publishableKey, authorization: `Bearer ${ready.user.token}`,
    });
    all.push(...rows);
    if (rows.length < 1000) return all;
  }
}

/**
 * Holds the database against the oracle over all that has closed until now: waits until the last of it has arrived (it may still be on its
 * way), then compares the two sets.
 */
export async function compareWithOracle(platform: Platform, withinMs = 180_000): Promise<Comparison> {
  const folder = recordings('klines');
  if (folder === null) throw new Error('The oracle needs the real recordings.');
  const to = Math.floor((await marketTime(platform)) / MINUTE) * MINUTE;
  const view = await until('the machine to tell when its traders began', async () => {
    const found = await machineView(platform);
    return found.status !== null && found.status.traders.length === 3 ? found : undefined;
  }, withinMs);
  const began = new Map(view.status!.traders.map((trader) => [trader.name, trader]));
  const market = await json<{ symbols: { symbol: string; shiftWeeks: number }[] }>(`${platform.ready.exchange}/_stand-in/market`);
  const files = readRecordedCandles(folder);
  const expected = market.symbols.flatMap(({ symbol, shiftWeeks }) => expectedSignals(symbol, files.get(symbol)!)
    .map((signal) => ({ ...signal, closeTime: signal.closeTime + shiftWeeks * WEEK })))
    .filter(({ trader, closeTime }) => closeTime > began.get(trader)!.historyFrom && closeTime <= to);
  const keys = expected.map(({ trader, symbol, side, price, closeTime }) => `${trader} ${side} ${symbol} ${price} ${new Date(closeTime).toISOString()}`);
  const keyOf = (row: StoredSignal) => `${row.trader_name} ${row.side} ${row.symbol} ${Number(row.price)} ${new Date(row.close_time).toISOString()}`;
  const inWindow = (rows: StoredSignal[]) => rows.filter((row) => Date.parse(row.close_time) <= to);

  let rows: StoredSignal[] = [];
  await until('every expected signal', async () => {
    rows = inWindow(await storedSignals(platform));
    const there = new Set(rows.map(keyOf));
    return keys.every((key) => there.has(key)) || undefined;
  }, withinMs).catch(() => undefined);

  const counts = Map.groupBy(rows, keyOf);
  const wanted = new Set(keys);
  return {
    from: Math.min(...[...began.values()].map((trader) => trader.historyFrom)), to, expected: keys.length, stored: rows.length,
    missing: keys.filter((key) => !counts.has(key)),
    unexpected: [...counts.keys()].filter((key) => !wanted.has(key)),
    twice: [...counts].filter(([, same]) => same.length > 1).map(([key]) => key),
    mismarked: rows.filter((row) => (row.origin === 'live') !== (Date.parse(row.close_time) > began.get(row.trader_name)!.liveFrom)).map((row) => `${row.origin} ${keyOf(row)}`),
  };
}
