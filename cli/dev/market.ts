import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { TradeMindError } from '@trademind/core';
import type { Market } from './settings.ts';

/** Public market data of Binance Spot: no account, no key. */
export const LIVE_REST = 'https://data-api.binance.vision';
export const LIVE_STREAM = 'wss://data-stream.binance.vision';
const PROBE_MS = 2_000;
export const DEFAULT_SPEED = 60;

export interface MarketChoice { market: Market; speed: number; why: string }

/** Reads `--market`. A path must exist. Throws `usage`. */
export function parseMarket(option: string, cwd: string): Market {
  if (option === 'live' || option === 'simulated') return { kind: option };
  const path = resolve(cwd, option);
  if (existsSync(path)) return { kind: 'recorded', path };
  throw new TradeMindError({
    code: 'usage', field: '--market',
    message: `--market ${option}: there is no such file or folder.`,
    nextStep: 'Give `live`, `simulated`, or a folder or file of candles (openTime,open,high,low,close,volume).',
  });
}

/** True when Binance answers a ping and tells its time within two seconds in all. */
export async function liveAnswers(fetch: (url: string, init: RequestInit) => Promise<Response>): Promise<boolean> {
  const signal = AbortSignal.timeout(PROBE_MS);
  try {
    const [ping, time] = await Promise.all([fetch(`${LIVE_REST}/api/v3/ping`, { signal }), fetch(`${LIVE_REST}/api/v3/time`, { signal })]);
    if (!ping.ok || !time.ok) return false;
    const { serverTime } = (await time.json()) as { serverTime?: unknown };
    return typeof serverTime === 'number';
  } catch {
    return false;
  }
}

/**
 * Which market, at which speed, and why. A market chosen once stays: candles and signals in the data folder are of that market, so another
 * one is refused (`market_changed`).
 */
export async function chooseMarket(
  wish: { market: Market | undefined; speed: number | undefined }, remembered: { market?: Market | undefined; speed?: number | undefined },
  probe: () => Promise<boolean>,
): Promise<MarketChoice> {
  const kept = remembered.market;
  if (wish.market && kept && !sameMarket(wish.market, kept)) {
    throw new TradeMindError({
      code: 'market_changed', field: '--market',
      message: `This data folder holds another market: ${marketName(kept)}.`,
      nextStep: 'Leave --market out to go on with it, use another folder with --data DIR, or delete this one with --reset.',
    });
  }
  if (kept?.kind === 'recorded' && !existsSync(kept.path)) {
    throw new TradeMindError({
      code: 'market_missing', message: `The candles of this data folder's market are gone: ${kept.path}.`,
      nextStep: 'Put them back, or start over with --reset.',
    });
  }
  const chosen = wish.market ?? kept;
  const market: Market = chosen ?? ((await probe()) ? { kind: 'live' } : { kind: 'simulated' });
  const why = wish.market ? 'as asked' : kept ? 'as last time' : market.kind === 'live' ? 'Binance answers' : 'Binance did not answer within 2 s';
  if (market.kind === 'live') {
    if (wish.speed !== undefined && wish.speed !== 1) {
      throw new TradeMindError({ code: 'usage', field: '--speed', message: 'The live market runs at speed 1.', nextStep: 'Leave --speed out, or choose --market simulated.' });
    }
    return { market, speed: 1, why };
  }
  return { market, speed: wish.speed ?? remembered.speed ?? DEFAULT_SPEED, why };
}

function sameMarket(a: Market, b: Market): boolean {
  return a.kind === b.kind && (a.kind !== 'recorded' || b.kind !== 'recorded' || a.path === b.path);
}

/** What the exchange stand-in is told: `simulated` or the path. */
export function marketArgument(market: Market): string {
  return market.kind === 'recorded' ? market.path : market.kind;
}

/** The market in words. */
export function marketName(market: Market, cwd = ''): string {
  if (market.kind === 'live') return 'live Binance Spot';
  if (market.kind === 'simulated') return 'a simulated market';
  const shown = cwd ? relative(cwd, market.path) : market.path;
  return `recorded candles of ${shown.length < market.path.length ? shown : market.path}`;
}
