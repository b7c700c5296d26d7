import { NOTHING, type Channel, type ChannelContext } from './channel.ts';
import { aggregateTradePayload, bookTickerPayload, depthPayload, partialDepthPayload, tradePayload } from './payloads.ts';
import type { SymbolInfo } from '../market/source.ts';
import type { NumberedTrade } from '../market/trade-log.ts';

/** At most so many times a second of the receiver's wall. */
const EVERY_WALL = 100;

/** A stream of everything that happens, in its order: told with every tick, and up to a boundary before anything closes there. */
function happening(begin: number, tell: (from: number, to: number, eventTime: number) => readonly string[]): Channel {
  let told = begin;
  const upTo = (time: number, eventTime: number) => {
    if (time <= told) return NOTHING;
    const from = told;
    told = time;
    return tell(from, time, eventTime);
  };
  return { everyMarket: 0, everyWall: 0, leadTo: (boundary, eventTime) => upTo(boundary - 1, eventTime), update: (now) => upTo(now, now) };
}

/** `<symbol>@trade` and `<symbol>@aggTrade` */
export function trades({ symbol }: SymbolInfo, { views: { tradeLog } }: ChannelContext, now: number, aggregated: boolean): Channel {
  const payload = aggregated ? aggregateTradePayload : tradePayload;
  return happening(now, (from, to, eventTime) => [...tradeLog.between(symbol, from, to)].map((trade: NumberedTrade) => payload(symbol, trade, eventTime)));
}

/** `<symbol>@bookTicker`: first as it stands, then every change of the best prices or of what rests at them. */
export function bookTicker(info: SymbolInfo, { views: { quotes } }: ChannelContext, now: number): Channel {
  const changes = happening(now, (from, to) => [...quotes.between(info.symbol, from, to)].map((touch) => bookTickerPayload(info, touch)));
  let begun = false;
  return {
    ...changes,
    update: (time) => {
      const told = changes.update(time);
      if (begun) return told;
      begun = true;
      const touch = told.length === 0 ? quotes.at(info.symbol, time) : undefined;
      return touch ? [bookTickerPayload(info, touch)] : told;
    },
  };
}

/** `<symbol>@depth` and `<symbol>@depth@100ms`: every event begins where the one before ended (`U` = previous `u` + 1). */
export function depthChanges(info: SymbolInfo, { views: { depth } }: ChannelContext, now: number, every: number): Channel {
  let told = now;
  return {
    everyMarket: every, everyWall: EVERY_WALL,
    update: (time) => {
      const change = depth.changes(info.symbol, told, time);
      if (!change || change.bids.length + change.asks.length === 0) return NOTHING;
      told = time;
      return [depthPayload(info, change, time)];
    },
  };
}

/** `<symbol>@depth<levels>` and `<symbol>@depth<levels>@100ms` */
export function partialDepth(info: SymbolInfo, { views: { depth } }: ChannelContext, levels: number, every: number): Channel {
  return {
    everyMarket: every, everyWall: EVERY_WALL,
    update: (now) => {
      const found = depth.snapshot(info.symbol, now, levels);
      return found ? [partialDepthPayload(info, found)] : NOTHING;
    },
  };
}
