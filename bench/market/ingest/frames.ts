import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { recordings } from '../../../tests/support/recordings.ts';
import { seeded } from '../../frame/chaos.ts';

export const SYMBOLS = 500;
/** Market time at which the made frames begin, on a minute. */
export const BASE = 1_790_000_040_000;
/** A symbol's kline comes every 2 s of market time: its 30th is a minute's last. */
const UPDATE_MS = 2_000;
const UPDATES_A_MINUTE = 30;
/** As on Binance: a frame of all tickers a second, beside 750 klines of 500 symbols × 3 intervals. */
const KLINES_A_TICKER = 750;

export const symbolName = (index: number) => `C${String(index).padStart(3, '0')}USDT`;

/**
 * The frames of a measurement, in the order in which they are sent: real recorded ones (trades, best prices, order books of BTCUSDT and
 * ETHUSDT) among klines of 500 symbols and tickers of all, so that market time runs evenly. The last one is a kline that closes.
 */
export function makeFrames(klines: number): string[] {
  const random = seeded(5);
  const real = recorded();
  const prices = Float64Array.from({ length: SYMBOLS }, () => 1 + random() * 100);
  const frames: string[] = [];
  let nextReal = 0;
  const rounds = Math.floor(klines / SYMBOLS / UPDATES_A_MINUTE) * UPDATES_A_MINUTE;
  for (let round = 0; round < rounds; round++) {
    const minute = BASE + Math.floor(round / UPDATES_A_MINUTE) * 60_000;
    const last = round % UPDATES_A_MINUTE === UPDATES_A_MINUTE - 1;
    for (let index = 0; index < SYMBOLS; index++) {
      const eventTime = BASE + round * UPDATE_MS + (last ? UPDATE_MS : 0) + index * 3;
      prices[index] = prices[index]! * (1 + (random() - 0.5) * 0.001);
      frames.push(kline(symbolName(index), minute, eventTime, prices[index]!, (round % UPDATES_A_MINUTE) + 1, last));
      const count = round * SYMBOLS + index;
      if (count % KLINES_A_TICKER === 0) frames.push(tickers(prices, eventTime));
      for (const due = ((count + 1) / (rounds * SYMBOLS)) * real.length; nextReal < due; nextReal++) frames.push(real[nextReal]!);
    }
  }
  // The last kline must be the last frame: it tells that all have come.
  const end = frames.findLastIndex((frame) => frame.includes('"x":true'));
  frames.push(...frames.splice(end, 1));
  return frames;
}

function kline(symbol: string, open: number, eventTime: number, price: number, updates: number, closed: boolean): string {
  const [o, c] = [(price * 0.999).toFixed(8), price.toFixed(8)];
  const volume = updates * 123.456;
  return `{"stream":"${symbol.toLowerCase()}@kline_1m","data":{"e":"kline","E":${eventTime},"s":"${symbol}","k":{"t":${open},"T":${open + 59_999},"s":"${symbol}","i":"1m","f":${19_862_761 + updates},"L":${19_862_790 + updates},`
    + `"o":"${o}","c":"${c}","h":"${(price * 1.001).toFixed(8)}","l":"${(price * 0.998).toFixed(8)}","v":"${volume.toFixed(8)}","n":${updates * 7},"x":${closed},"q":"${(volume * price).toFixed(8)}","V":"${(volume / 2).toFixed(8)}","Q":"${((volume * price) / 2).toFixed(8)}","B":"0"}}}`;
}

function tickers(prices: Float64Array, eventTime: number): string {
  const events = Array.from(prices, (price, index) =>
    `{"e":"24hrMiniTicker","E":${eventTime},"s":"${symbolName(index)}","c":"${price.toFixed(8)}","o":"${(price * 0.98).toFixed(8)}","h":"${(price * 1.02).toFixed(8)}","l":"${(price * 0.97).toFixed(8)}","v":"1234567.89000000","q":"${(price * 1_234_567).toFixed(8)}"}`);
  return `{"stream":"!miniTicker@arr","data":[${events.join(',')}]}`;
}

/** The frames of the two long recordings as they came, in turn; none where the recordings are absent. */
function recorded(): string[] {
  const folder = recordings('binance');
  if (folder === null) return [];
  const [btc = [], eth = []] = ['btcusdt', 'ethusdt'].map((name) => gunzipSync(readFileSync(join(folder, `${name}-spot-stream-2024-08-08.gz`))).toString('utf8').split('\n')
    .map((line) => line.slice(line.indexOf(' ') + 1)).filter((frame) => frame.startsWith('{"stream"')));
  return btc.flatMap((frame, index) => (index < eth.length ? [frame, eth[index]!] : [frame]));
}
