import { INTERVALS, intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';

/** A frame of the exchange, as far as we take notice of it. */
export type StreamFrame =
  | { kind: 'kline'; symbol: string; interval: Interval; eventTime: number; closed: boolean; candle: Candle }
  | { kind: 'answer'; id: number; error: string | null }
  | { kind: 'shutdown' }
  | { kind: 'other' }
  | { kind: 'malformed' };

const KNOWN: ReadonlySet<unknown> = new Set(INTERVALS);
const MALFORMED = { kind: 'malformed' } as const;
const OTHER = { kind: 'other' } as const;

interface RawKline { t: number; T: number; s: string; i: Interval; o: string; h: string; l: string; c: string; v: string; q: string; n: number; x: boolean; V: string }
interface RawFrame {
  stream?: string; data?: { e?: string; E?: number; s?: string; k?: RawKline };
  id?: number; result?: unknown; error?: { code?: number; msg?: string }; code?: number; msg?: string;
}

/** Reads one text frame of a combined stream. Never throws: what cannot be read is `malformed`, what we did not ask for is `other`. */
export function parseStreamFrame(text: string): StreamFrame {
  let raw: RawFrame | null;
  try {
    raw = JSON.parse(text) as RawFrame | null;
  } catch {
    return MALFORMED;
  }
  if (typeof raw !== 'object' || raw === null) return MALFORMED;
  const { data } = raw;
  if (data === undefined) {
    if (typeof raw.id !== 'number') return 'e' in raw && raw.e === 'serverShutdown' ? { kind: 'shutdown' } : OTHER;
    const error = raw.error ?? (typeof raw.code === 'number' ? raw : undefined);
    return { kind: 'answer', id: raw.id, error: error ? `${error.msg ?? 'refused'} (${error.code ?? '?'})` : null };
  }
  if (typeof data !== 'object' || data === null) return MALFORMED;
  if (data.e === 'serverShutdown') return { kind: 'shutdown' };
  if (data.e !== 'kline') return OTHER;
  return klineOf(data.s, data.E, data.k);
}

function klineOf(symbol: unknown, eventTime: unknown, k: RawKline | undefined): StreamFrame {
  if (typeof symbol !== 'string' || typeof eventTime !== 'number' || !Number.isFinite(eventTime) || typeof k !== 'object' || k === null) return MALFORMED;
  if (!KNOWN.has(k.i) || typeof k.t !== 'number' || typeof k.x !== 'boolean' || k.s !== symbol) return MALFORMED;
  const candle: Candle = {
    openTime: k.t, open: Number(k.o), high: Number(k.h), low: Number(k.l), close: Number(k.c),
    volume: Number(k.v), quoteVolume: Number(k.q), trades: k.n, takerBuy: Number(k.V),
  };
  const sum = candle.open + candle.high + candle.low + candle.close + candle.volume + candle.quoteVolume + candle.trades + candle.takerBuy;
  // One comparison finds any NaN or infinity; a candle that does not stand on its interval's grid, or whose bounds contradict, is no candle.
  if (!Number.isFinite(sum) || candle.low > candle.high || candle.low <= 0) return MALFORMED;
  if (intervalOpen(k.i, k.t) !== k.t || intervalClose(k.i, k.t) !== k.T + 1) return MALFORMED;
  if (k.x && eventTime < k.T) return MALFORMED;
  return { kind: 'kline', symbol, interval: k.i, eventTime, closed: k.x, candle };
}
