import type { CandleLies } from '../faults/candle-lies.ts';
import type { MarketClock } from '../market/clock.ts';
import type { Views } from '../market/views.ts';

/** What channels are made of. */
export interface ChannelContext { views: Views; clock: MarketClock; lies: CandleLies; symbols: readonly string[] }

export const NOTHING: readonly string[] = [];

/** One stream, shared by its subscribers. A channel is asked at every boundary of market time, and whenever an update is due. */
export interface Channel {
  /** Least time between two updates, ms: of the market, and of the receiver's wall. */
  readonly everyMarket: number;
  readonly everyWall: number;
  /** True where seconds close too, not only minutes. */
  readonly bySecond?: boolean;
  /** The payloads of what ended at `boundary`, if this stream has any; asked once per boundary, in order. `eventTime` is the present. */
  closeAt?(boundary: number, eventTime: number): readonly string[];
  /** What is told of everything before `boundary`, ahead of what closes there. */
  leadTo?(boundary: number, eventTime: number): readonly string[];
  /** What is new since the last update. */
  update(now: number): readonly string[];
}
