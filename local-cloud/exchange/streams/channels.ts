import { isInterval } from '../market/intervals.ts';
import { bookTicker, depthChanges, partialDepth, trades } from './book-channels.ts';
import { KlineChannel, secondsChannel } from './kline-channels.ts';
import { allMiniTickers, averagePrices, dayTicker, miniTicker, WINDOWS, windowTicker } from './ticker-channels.ts';
import type { Channel, ChannelContext } from './channel.ts';

/** The channel of a stream name; null for a name that has no data (Binance accepts such a subscription and stays silent). */
export function openChannel(stream: string, context: ChannelContext, now: number): Channel | null {
  if (stream === '!miniTicker@arr') return allMiniTickers(context);
  const [, all = ''] = /^!ticker_(\w+)@arr$/.exec(stream) ?? [];
  if (Object.hasOwn(WINDOWS, all)) return windowTicker(context.symbols, all, context, true);

  const [name = '', kind = '', pace = '', ...rest] = stream.split('@');
  const info = context.views.book.info(name.toUpperCase());
  if (!info || rest.length > 0 || name !== name.toLowerCase()) return null;
  const depth = /^depth(5|10|20)?$/.exec(kind);
  if (depth && ['', '100ms', '1000ms'].includes(pace)) {
    const every = pace === '100ms' ? 100 : 1_000;
    return depth[1] === undefined ? depthChanges(info, context, now, every) : partialDepth(info, context, Number(depth[1]), every);
  }
  if (pace !== '') return null;
  const interval = kind.startsWith('kline_') ? kind.slice('kline_'.length) : '';
  if (isInterval(interval)) return interval === '1s' ? secondsChannel(info, context) : new KlineChannel(info, interval, context, now);
  const window = kind.startsWith('ticker_') ? kind.slice('ticker_'.length) : '';
  if (Object.hasOwn(WINDOWS, window)) return windowTicker([info.symbol], window, context, false);
  switch (kind) {
    case 'miniTicker': return miniTicker(info, context);
    case 'ticker': return dayTicker(info, context);
    case 'avgPrice': return averagePrices(info, context);
    case 'bookTicker': return bookTicker(info, context, now);
    case 'trade': return trades(info, context, now, false);
    case 'aggTrade': return trades(info, context, now, true);
    default: return null;
  }
}
