import { intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { seededRandom } from '../recording/seeded-random.ts';

/** Row of `/api/v3/klines`. */
export type KlineRow = [number, string, string, string, string, string, number, string, number, string, string, string];

const MINUTE_MS = 60_000;

/** A candle in whole numbers: prices in cents, volumes in thousandths, worth in both, so that sums are exact. */
interface Whole { open: number; high: number; low: number; close: number; volume: number; worth: number; trades: number; taker: number; takerWorth: number }

/** A market that is a function of symbol and time: whoever asks, and whenever, every candle is the same, and longer ones add up the shorter. */
export class TrueMarket {
  readonly #seed: number;
  readonly #known = new Map<string, Whole>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  row(symbol: string, interval: Interval, openTime: number): KlineRow {
    const { open, high, low, close, volume, worth, trades, taker, takerWorth } = this.#whole(symbol, interval, openTime);
    const price = (cents: number) => (cents / 100).toFixed(8);
    const amount = (thousandths: number) => (thousandths / 1_000).toFixed(8);
    const sum = (value: number) => (value / 100_000).toFixed(8);
    return [openTime, price(open), price(high), price(low), price(close), amount(volume), intervalClose(interval, openTime) - 1, sum(worth), trades, amount(taker), sum(takerWorth), '0'];
  }

  candle(symbol: string, interval: Interval, openTime: number): Candle {
    const [, open, high, low, close, volume, , quoteVolume, trades, takerBuy] = this.row(symbol, interval, openTime).map(Number) as number[];
    return { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy } as Candle;
  }

  /** All candles that begin within the range, also the one under way at `now`, at most so many. */
  rows(symbol: string, interval: Interval, from: number, until: number, now: number, limit: number): KlineRow[] {
    const rows: KlineRow[] = [];
    const first = intervalOpen(interval, from);
    for (let open = first < from ? intervalClose(interval, first) : first; open <= Math.min(until, now) && rows.length < limit; open = intervalClose(interval, open)) rows.push(this.row(symbol, interval, open));
    return rows;
  }

  /** A frame of the candle's stream at `eventTime`. */
  frame(symbol: string, interval: Interval, openTime: number, eventTime: number, closed: boolean): string {
    const [, o, h, l, c, v, T, q, n, V, Q] = this.row(symbol, interval, openTime);
    return JSON.stringify({
      stream: `${symbol.toLowerCase()}@kline_${interval}`,
      data: { e: 'kline', E: eventTime, s: symbol, k: { t: openTime, T, s: symbol, i: interval, f: 100, L: 100 + n, o, c, h, l, v, n, x: closed, q, V, Q, B: '0' } },
    });
  }

  #whole(symbol: string, interval: Interval, openTime: number): Whole {
    if (interval === '1m') return this.#minute(symbol, openTime);
    const parts: Whole[] = [];
    for (let at = openTime; at < intervalClose(interval, openTime); at += MINUTE_MS) parts.push(this.#minute(symbol, at));
    const add = (name: keyof Whole) => parts.reduce((sum, part) => sum + part[name], 0);
    return {
      open: parts[0]!.open, high: Math.max(...parts.map(({ high }) => high)), low: Math.min(...parts.map(({ low }) => low)), close: parts.at(-1)!.close,
      volume: add('volume'), worth: add('worth'), trades: add('trades'), taker: add('taker'), takerWorth: add('takerWorth'),
    };
  }

  #minute(symbol: string, openTime: number): Whole {
    const key = `${symbol} ${openTime}`;
    const known = this.#known.get(key);
    if (known) return known;
    const random = seededRandom(this.#seed ^ Math.imul(openTime / MINUTE_MS, 0x9e3779b1) ^ Array.from(symbol, (letter) => letter.charCodeAt(0)).reduce((hash, code) => Math.imul(hash ^ code, 0x01000193), 7));
    const within = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));
    // Each symbol has a price range of its own, apart from all others.
    const base = 1_000 * 3 ** (symbol.charCodeAt(0) % 8);
    const low = within(base, base + base / 10);
    const high = low + within(1, Math.max(1, base / 50));
    const [open, close, mean] = [within(low, high), within(low, high), within(low, high)];
    const volume = within(1, 1_000_000);
    const taker = within(0, volume);
    const whole = { open, high, low, close, volume, worth: volume * mean, trades: within(1, 5_000), taker, takerWorth: taker * mean };
    if (this.#known.size > 500) this.#known.clear();
    this.#known.set(key, whole);
    return whole;
  }
}
