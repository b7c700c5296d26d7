import { intervalClose, type ConditionReading, type Interval, type Side, type Signal } from '@trademind/core';
import { v5 as uuidV5 } from 'uuid';
import type { CompiledCondition } from '../language/compile-trader.ts';
import type { LinkedTrader } from './screening-graph.ts';

/** A trader's verdict on a closed candle: it holds there and did not on the candle before. Times in ms of market time. */
export interface Match {
  traderId: string;
  traderVersion: number;
  traderName: string;
  side: Side;
  symbol: string;
  interval: Interval;
  openTime: number;
  /** The next candle's open time. */
  closeTime: number;
  /** The candle's close; of a forming candle the price now. */
  price: number;
  /** `forming`: the candle is still under way, and whether it holds is known at its close. */
  phase: 'closed' | 'forming';
  conditions: ConditionReading[];
  /** Symbols whose candle was not there in time, of a trader that looks at the whole market. */
  missing?: readonly string[];
}

/** Oldest first; of one instant by symbol, then by name. */
export const byTime = (a: Match, b: Match): number => a.closeTime - b.closeTime || compare(a.symbol, b.symbol) || compare(a.traderName, b.traderName);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What most candles give: one list for all of them, so that nothing is allocated. */
export const NO_MATCHES: readonly Match[] = Object.freeze([]);

/** Namespace of all signal ids. Never change it: an id says that two signals are the same fact. */
const SIGNAL_NAMESPACE = '6f0e7f5e-54c1-4d0c-9a55-7d1f6c2f6b8e';

/** The signal of a match. Its id follows from {trader, version, symbol, interval, close time, phase} alone: a repeat is the same fact. */
export function signalOf({ missing, ...match }: Match, origin: 'live' | 'history'): Signal {
  return { id: idOf(match, match.phase), ...match, origin, ...(missing && { missing: [...missing] }) };
}

/** The fact that takes back a signal of a forming candle, which closed without it. */
export const withdrawalOf = (signal: Signal): Signal => ({ ...signal, id: idOf(signal, 'withdrawn'), phase: 'withdrawn' });

const idOf = ({ traderId, traderVersion, symbol, interval, closeTime }: Pick<Match, 'traderId' | 'traderVersion' | 'symbol' | 'interval' | 'closeTime'>, phase: Signal['phase']): string =>
  uuidV5(`${traderId}:${traderVersion}:${symbol}:${interval}:${closeTime}:${phase}`, SIGNAL_NAMESPACE);

/** Reads the match of a linked trader off a block of values (slot k of candle i at k × stride + i). */
export function readMatch(linked: LinkedTrader, symbol: string, interval: Interval, openTime: number, phase: Match['phase'], v: Float64Array, stride: number, i: number): Match {
  const { id, version, compiled } = linked.trader;
  return {
    traderId: id, traderVersion: version, traderName: compiled.document.name, side: compiled.document.side,
    symbol, interval, openTime, closeTime: intervalClose(interval, openTime), price: v[3 * stride + i]!, phase,
    conditions: compiled.conditions.map((condition) => readCondition(condition, linked.slots, v, stride, i)),
  };
}

/** A condition with the numbers on both its sides; null = not ready. */
export function readCondition(condition: CompiledCondition, slots: Int32Array, v: Float64Array, stride: number, i: number): ConditionReading {
  const at = (ref: number): number => v[slots[ref]! * stride + i]!;
  const holds = at(condition.ref);
  return {
    name: condition.name,
    expression: condition.expression,
    holds: Number.isNaN(holds) ? null : holds === 1,
    values: condition.readings.map(({ expression, ref }) => ({ expression, value: Number.isFinite(at(ref)) ? at(ref) : null })),
  };
}
