import { spanEnd, type Interval, type Signal, type Suppressed, type TraderDocument } from '@trademind/core';

/** What a trader's document says of how many of its signals are acted upon. */
export interface SignalRules extends Pick<TraderDocument, 'cooldown' | 'limits'> { readonly interval: Interval }

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A trader that matches so many times its hourly limit within an hour has gone wrong: it is paused. */
const BREAKER = 10;

/** The closes (ms of market time) of one trader's signals in the last 24 h, in the order in which they came. */
interface Record {
  readonly acted: number[];
  readonly matched: number[];
  /** Per symbol the close of the last signal acted upon. */
  readonly lastOn: Map<string, number>;
}

/**
 * Decides which signals of closed candles are acted upon. Nothing is ever removed: what is beyond a trader's cool-down or limits is marked with the reason. All windows are of market
 * time and end with the signal's own close, so that a replay decides the same.
 */
export class SignalPolicy {
  readonly #records = new Map<string, Record>();

  /** Why this one is not acted upon; undefined: it is, if `take` follows. */
  decide({ traderId, symbol, closeTime }: Pick<Signal, 'traderId' | 'symbol' | 'closeTime'>, { cooldown, limits, interval }: SignalRules): Suppressed | undefined {
    const { acted, lastOn } = this.#record(traderId);
    const last = lastOn.get(symbol);
    if (last !== undefined && last < closeTime) {
      const until = spanEnd(cooldown, interval, last);
      if (closeTime < until) return { code: 'cooldown', message: `The trader rests on ${symbol} until ${iso(until)}, after its signal of ${iso(last)}.` };
    }
    const within = (ms: number): number => acted.filter((time) => time > closeTime - ms).length;
    if (within(HOUR_MS) >= limits.perHour) return { code: 'hourly_limit', message: `The trader has given ${limits.perHour} signals within an hour, its limit.` };
    if (within(DAY_MS) >= limits.perDay) return { code: 'daily_limit', message: `The trader has given ${limits.perDay} signals within 24 hours, its limit.` };
    return undefined;
  }

  /** A live signal of a closed candle was given, and acted upon unless suppressed. Each once. */
  take({ traderId, symbol, closeTime, suppressed }: Pick<Signal, 'traderId' | 'symbol' | 'closeTime' | 'suppressed'>): void {
    const { acted, matched, lastOn } = this.#record(traderId);
    push(matched, closeTime, HOUR_MS);
    if (suppressed !== undefined) return;
    push(acted, closeTime, DAY_MS);
    lastOn.set(symbol, Math.max(closeTime, lastOn.get(symbol) ?? 0));
  }

  /** Why a trader is to be paused; undefined while it behaves. */
  tripped(traderId: string, { limits }: SignalRules): string | undefined {
    const { matched } = this.#record(traderId);
    const most = limits.perHour * BREAKER;
    return matched.length > most ? `It matched ${matched.length} times within an hour, more than ${BREAKER} times its limit of ${limits.perHour}: it is paused until it is edited or the machine restarts.` : undefined;
  }

  /** The trader is gone, or begins anew. */
  forget(traderId: string): void {
    this.#records.delete(traderId);
  }

  #record(traderId: string): Record {
    let record = this.#records.get(traderId);
    if (record === undefined) this.#records.set(traderId, (record = { acted: [], matched: [], lastOn: new Map() }));
    return record;
  }
}

/** Adds a time, and drops what is older than the window before it. */
function push(times: number[], time: number, window: number): void {
  times.push(time);
  const oldest = time - window;
  let drop = 0;
  while (times[drop]! <= oldest) drop++;
  if (drop > 0) times.splice(0, drop);
}

const iso = (ms: number): string => new Date(ms).toISOString();
