import { TradeMindError, type Candle, type Interval, type SymbolInfo } from '@trademind/core';
import type { Wall } from '../time.ts';
import { exchangeRefusal, exchangeUnreachable } from './exchange-error.ts';
import { WeightBudget } from './weight-budget.ts';

/** One look at the exchange's clock: its time lies between `sentAt` and `receivedAt` (wall, monotonic ms). */
export interface TimeSample {
  serverTime: number;
  /** Seconds of market time in a second of wall time; 1 unless a stand-in says otherwise. */
  rate: number;
  sentAt: number;
  receivedAt: number;
}

/** Most rows that the exchange gives in one answer. */
export const KLINES_PER_CALL = 1_000;
const TIMEOUT_MS = 10_000;
const WEIGHT = { time: 1, exchangeInfo: 20, klines: 2, tickers: 80 } as const;

export interface BinanceRestOptions {
  /** e.g. `https://data-api.binance.vision` */
  baseUrl: string;
  wall: Wall;
  /** Ends every call, also those that wait for the weight budget. */
  signal: AbortSignal;
  fetch?: typeof fetch;
}

/**
 * The exchange's public REST API over Node's own fetch. All calls share one weight budget; each has a time limit. Throws TradeMindErrors
 * (`exchange_unreachable`, `exchange_limited`, `exchange_location_refused`, …); it does not retry: callers know what is worth it.
 */
export class BinanceRest {
  readonly budget: WeightBudget;
  readonly #options: BinanceRestOptions;
  readonly #host: string;

  constructor(options: BinanceRestOptions) {
    this.#options = options;
    this.#host = new URL(options.baseUrl).host;
    this.budget = new WeightBudget(options.wall);
  }

  async time(): Promise<TimeSample> {
    const { wall } = this.#options;
    let sentAt = 0;
    const { body, headers } = await this.#get('/api/v3/time', WEIGHT.time, () => { sentAt = wall.now(); });
    const receivedAt = wall.now();
    const rate = Number(headers.get('x-market-clock-rate') ?? 1);
    const { serverTime } = body as { serverTime?: unknown };
    if (typeof serverTime !== 'number' || !Number.isFinite(rate) || rate < 0) throw malformed('time');
    return { serverTime, rate, sentAt, receivedAt };
  }

  /** All symbols, with their status. Leveraged tokens are told by the exchange's own permission, old form or new. */
  async exchangeInfo(): Promise<SymbolInfo[]> {
    const { body } = await this.#get('/api/v3/exchangeInfo', WEIGHT.exchangeInfo);
    const { symbols } = body as { symbols?: unknown };
    if (!Array.isArray(symbols)) throw malformed('exchangeInfo');
    return (symbols as RawSymbol[]).map((raw) => ({
      symbol: String(raw.symbol),
      baseAsset: String(raw.baseAsset),
      quoteAsset: String(raw.quoteAsset),
      status: String(raw.status),
      leveraged: [...(raw.permissions ?? []), ...(raw.permissionSets ?? []).flat()].includes('LEVERAGED'),
    }));
  }

  /** At most 1,000 candles from the one that opens at `startTime` on, oldest first. The last may still be forming. */
  async klines(symbol: string, interval: Interval, startTime: number, limit = KLINES_PER_CALL): Promise<Candle[]> {
    const query = new URLSearchParams({ symbol, interval, startTime: String(startTime), limit: String(limit) });
    const { body } = await this.#get(`/api/v3/klines?${query.toString()}`, WEIGHT.klines);
    if (!Array.isArray(body)) throw malformed('klines');
    return body.map(candleOfRow);
  }

  /** Quote volume of the last 24 h by symbol, of all symbols. */
  async quoteVolumes(): Promise<Map<string, number>> {
    const { body } = await this.#get('/api/v3/ticker/24hr?type=MINI', WEIGHT.tickers);
    if (!Array.isArray(body)) throw malformed('ticker/24hr');
    return new Map((body as { symbol: string; quoteVolume: string }[]).map((row) => [row.symbol, Number(row.quoteVolume)]));
  }

  async #get(path: string, weight: number, onSend?: () => void): Promise<{ body: unknown; headers: Headers }> {
    await this.budget.spend(weight, this.#options.signal);
    onSend?.();
    const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    let response: Response;
    let text: string;
    try {
      response = await (this.#options.fetch ?? fetch)(this.#options.baseUrl + path, { signal });
      text = await response.text();
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw exchangeUnreachable(this.#host, error);
    }
    this.budget.counted(Number(response.headers.get('x-mbx-used-weight-1m') ?? Number.NaN));
    if (response.ok) {
      try {
        return { body: JSON.parse(text) as unknown, headers: response.headers };
      } catch {
        throw malformed(path.split('?')[0] ?? path);
      }
    }
    if (response.status === 429 || response.status === 418) {
      const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
      this.budget.close(Number.isFinite(seconds) ? Math.max(1, seconds) * 1_000 : 60_000);
    }
    throw exchangeRefusal(response.status, messageOf(text));
  }
}

interface RawSymbol { symbol: unknown; baseAsset: unknown; quoteAsset: unknown; status: unknown; permissions?: string[]; permissionSets?: string[][] }

/** A row of `/api/v3/klines`: [openTime, o, h, l, c, v, closeTime, quoteVolume, trades, takerBase, takerQuote, "0"]. */
export function candleOfRow(row: unknown): Candle {
  const [openTime, open, high, low, close, volume, , quoteVolume, trades, takerBuy] = (Array.isArray(row) ? row : []).map(Number);
  const candle = { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy };
  if (!Object.values(candle).every(Number.isFinite)) throw malformed('klines');
  return candle as Candle;
}

function malformed(what: string): TradeMindError {
  return new TradeMindError({ code: 'exchange_malformed', message: `The exchange's answer to ${what} cannot be read.`, nextStep: 'Check that the host is a Binance Spot API.' });
}

/** Binance's `{code, msg}`, shortened; an HTML page of a proxy says nothing. */
function messageOf(text: string): string {
  try {
    const { code, msg } = JSON.parse(text) as { code?: unknown; msg?: unknown };
    return typeof msg === 'string' ? `${msg.slice(0, 200)}${typeof code === 'number' ? ` (${code})` : ''}` : '';
  } catch {
    return '';
  }
}
