import { TradeMindError, type Candle, type Interval, type SymbolInfo } from '@trademind/core';
import { httpFetch, type HttpAnswer, type HttpFetch } from '../http-fetch.ts';
import type { Wall } from '../time.ts';
import { isMarketTime } from './candle-check.ts';
import { exchangeRefusal, exchangeUnreachable, LONGEST_REFUSAL_MS } from './exchange-error.ts';
import { decimalOf, klinePageOf, type KlinePage, type KlineRange } from './kline-rows.ts';
import { WeightBudget, type Priority } from './weight-budget.ts';

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
/** No stand-in plays its market faster. */
const FASTEST = 100_000;
const WEIGHT = { time: 1, exchangeInfo: 20, klines: 2, tickers: 80 } as const;
/** How long nothing is asked after a refusal that names no time, by status. */
const REFUSED_MS: Readonly<Record<number, number>> = { 403: 60_000, 418: 120_000, 429: 60_000, 451: 30_000 };

export interface BinanceRestOptions {
  /** e.g. `https://data-api.binance.vision` */
  baseUrl: string;
  wall: Wall;
  /** Ends every call, also those that wait for the weight budget. */
  signal: AbortSignal;
  fetch?: HttpFetch | undefined;
  /** The exchange has rows of a series that open where no candle can (ms): they are left out. Said each time they are met. */
  onOffGrid?: ((symbol: string, interval: Interval, openTimes: readonly number[]) => void) | undefined;
}

export interface KlinesOptions {
  /** Open time of the last candle asked for. */
  until?: number;
  limit?: number;
  priority?: Priority;
}

interface Answer { body: unknown; headers: HttpAnswer['headers'] }

/**
 * The exchange's public REST API over `httpFetch`. All calls share one weight budget; each has a time limit. Throws TradeMindErrors
 * (`exchange_unreachable`, `exchange_limited`, `exchange_location_refused`, `exchange_malformed`, …); it does not retry: callers know what is
 * worth it. What it gives has been checked row by row.
 */
export class BinanceRest {
  readonly budget: WeightBudget;
  readonly #options: BinanceRestOptions;
  readonly #host: string;
  #info: { symbols: readonly SymbolInfo[]; at: number } | undefined;
  #asking: Promise<readonly SymbolInfo[]> | undefined;

  constructor(options: BinanceRestOptions) {
    this.#options = options;
    this.#host = new URL(options.baseUrl).host;
    this.budget = new WeightBudget(options.wall);
  }

  async time(): Promise<TimeSample> {
    const { wall } = this.#options;
    let sentAt = 0;
    const answer = await this.#get('/api/v3/time', WEIGHT.time, 'repair', () => { sentAt = wall.now(); });
    const receivedAt = wall.now();
    return read('time', () => {
      const rate = decimalOf(answer.headers.get('x-market-clock-rate') ?? '1');
      const { serverTime } = answer.body as { serverTime?: unknown };
      if (!isMarketTime(serverTime) || !(rate <= FASTEST)) throw new TypeError('no time');
      return { serverTime, rate, sentAt, receivedAt };
    });
  }

  /**
   * All symbols, with their status; from what was read at most `maxAgeMs` ago, if it was. Leveraged tokens are told by the exchange's own
   * permission, old form or new. The weight limit that the answer names holds from then on.
   */
  async exchangeInfo(maxAgeMs = 0): Promise<readonly SymbolInfo[]> {
    if (this.#info && this.exchangeInfoAgeMs() <= maxAgeMs) return this.#info.symbols;
    this.#asking ??= this.#askExchangeInfo().finally(() => { this.#asking = undefined; });
    return this.#asking;
  }

  /** How long ago the symbols were read; Infinity when never. */
  exchangeInfoAgeMs(): number {
    return this.#info ? this.#options.wall.now() - this.#info.at : Infinity;
  }

  /**
   * At most 1,000 candles from the one that opens at `from` on, oldest first; fewer than `limit` only where there are no more. The last may still be forming. Rows that open off the
   * grid, as the exchange has some since its outages of 2017 and 2018, are left out once it has said them twice.
   */
  async klines(symbol: string, interval: Interval, from: number, { until, limit = KLINES_PER_CALL, priority = 'backfill' }: KlinesOptions = {}): Promise<Candle[]> {
    const candles: Candle[] = [];
    for (let next = from; ;) {
      const most = limit - candles.length;
      const ask = (): Promise<KlinePage> => this.#askKlines(symbol, interval, { from: next, until, limit: most }, priority);
      let page = await ask();
      if (page.offGrid.length > 0) page = this.#confirmed(symbol, interval, page, await ask());
      candles.push(...page.candles);
      if (page.last === undefined || page.rows < most || page.offGrid.length === 0) return candles;
      next = page.last + 1;
    }
  }

  /** Open time of the symbol's first daily candle: the exchange names no listing date. Undefined when it has none yet. */
  async firstDay(symbol: string): Promise<number | undefined> {
    const [first] = await this.klines(symbol, '1d', 0, { limit: 1 });
    return first?.openTime;
  }

  /** Quote volume of the last 24 h by symbol, of all symbols: the exchange's rolling window, which a forming candle still moves. */
  async quoteVolumes(): Promise<Map<string, number>> {
    const { body } = await this.#get('/api/v3/ticker/24hr?type=MINI', WEIGHT.tickers, 'backfill');
    return read('ticker/24hr', () => {
      const rows = (body as { symbol: unknown; quoteVolume: unknown }[]).map(({ symbol, quoteVolume }) => {
        if (typeof symbol !== 'string') throw new TypeError('no symbol');
        return [symbol, decimalOf(quoteVolume)] as const;
      });
      return new Map(rows.filter(([, volume]) => volume < Infinity));
    });
  }

  async #askKlines(symbol: string, interval: Interval, range: KlineRange, priority: Priority): Promise<KlinePage> {
    const { from, until, limit } = range;
    const query = new URLSearchParams({ symbol, interval, startTime: String(from), ...(until === undefined ? {} : { endTime: String(until) }), limit: String(limit) });
    const { body } = await this.#get(`/api/v3/klines?${query.toString()}`, WEIGHT.klines, priority);
    return read('klines', () => klinePageOf(body, interval, range));
  }

  /** A damaged time looks like one off the grid: that is believed only when the exchange says the same again. */
  #confirmed(symbol: string, interval: Interval, page: KlinePage, again: KlinePage): KlinePage {
    if (JSON.stringify(page.offGrid) !== JSON.stringify(again.offGrid)) throw malformed('klines');
    this.#options.onOffGrid?.(symbol, interval, again.offGrid.map(({ openTime }) => openTime));
    return again;
  }

  async #askExchangeInfo(): Promise<readonly SymbolInfo[]> {
    const { body } = await this.#get('/api/v3/exchangeInfo', WEIGHT.exchangeInfo, 'repair');
    const symbols = read('exchangeInfo', () => {
      const { symbols: rows, rateLimits } = body as { symbols: RawSymbol[]; rateLimits?: RawLimit[] };
      const minute = rateLimits?.find(({ rateLimitType, interval, intervalNum }) => rateLimitType === 'REQUEST_WEIGHT' && interval === 'MINUTE' && intervalNum === 1);
      if (minute) this.budget.setLimit(Number(minute.limit));
      return rows.map(symbolOf);
    });
    this.#info = { symbols, at: this.#options.wall.now() };
    return symbols;
  }

  async #get(path: string, weight: number, priority: Priority, onSend?: () => void): Promise<Answer> {
    const { signal } = this.#options;
    await this.budget.spend(weight, priority, signal);
    onSend?.();
    let response: HttpAnswer;
    let text: string;
    try {
      response = await (this.#options.fetch ?? httpFetch)(this.#options.baseUrl + path, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
      text = await response.text();
    } catch (error) {
      this.budget.answered(weight);
      signal.throwIfAborted();
      throw exchangeUnreachable(this.#host, error);
    }
    const { headers, status } = response;
    const refusal = response.ok ? undefined : exchangeRefusal(status, messageOf(text));
    const closedMs = REFUSED_MS[status];
    if (refusal && closedMs !== undefined) this.budget.close(retryAfterMs(headers, this.#options.wall) ?? closedMs, refusal);
    this.budget.answered(weight, { used: Number(headers.get('x-mbx-used-weight-1m') ?? Number.NaN), date: Date.parse(headers.get('date') ?? '') });
    if (refusal) throw refusal;
    return read(path.split('?')[0] ?? path, () => ({ body: JSON.parse(text) as unknown, headers }));
  }
}

interface RawSymbol { symbol: unknown; baseAsset: unknown; quoteAsset: unknown; status: unknown; isSpotTradingAllowed?: unknown; permissions?: string[]; permissionSets?: string[][] }
interface RawLimit { rateLimitType?: unknown; interval?: unknown; intervalNum?: unknown; limit?: unknown }

function symbolOf(raw: RawSymbol): SymbolInfo {
  const [symbol, baseAsset, quoteAsset, status] = [raw.symbol, raw.baseAsset, raw.quoteAsset, raw.status].map((field) => {
    if (typeof field !== 'string' || field === '') throw new TypeError('no symbol');
    return field;
  }) as [string, string, string, string];
  const leveraged = [...(raw.permissions ?? []), ...(raw.permissionSets ?? []).flat()].includes('LEVERAGED');
  return { symbol, baseAsset, quoteAsset, status, leveraged, ...(raw.isSpotTradingAllowed === false ? { spot: false } : {}) };
}

/** Whatever cannot be read as what it should be is an answer of no Binance. */
function read<T>(what: string, reading: () => T): T {
  try {
    return reading();
  } catch (cause) {
    throw malformed(what, cause);
  }
}

function malformed(what: string, cause?: unknown): TradeMindError {
  return new TradeMindError({ code: 'exchange_malformed', message: `The exchange's answer to ${what} cannot be read.`, nextStep: 'Check that the host is a Binance Spot API.', cause });
}

/** `Retry-After` in seconds or as a date. */
function retryAfterMs(headers: HttpAnswer['headers'], wall: Wall): number | undefined {
  const text = headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - wall.epoch();
  return Number.isFinite(ms) ? Math.min(Math.max(1_000, ms), LONGEST_REFUSAL_MS) : undefined;
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
