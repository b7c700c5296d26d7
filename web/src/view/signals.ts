import type { ConditionReading, Signal } from '@trademind/core';
import { dayTime, price, reading, time } from './format.ts';

export interface ConditionView { name: string; expression: string; holds: 'holds' | 'fails' | 'not ready'; values: { expression: string; value: string }[] }
export interface SignalView {
  id: string;
  side: 'Long' | 'Short';
  symbol: string;
  price: string;
  trader: string;
  /** `5m candle closed 10 Oct 12:35`, market time. */
  closed: string;
  /** `5m close 10 Oct 12:35`. */
  closedShort: string;
  history: boolean;
  forming: boolean;
  conditions: ConditionView[];
}

export function signalView(signal: Signal): SignalView {
  return {
    id: signal.id,
    side: signal.side === 'long' ? 'Long' : 'Short',
    symbol: signal.symbol,
    price: price(signal.price),
    trader: signal.traderName,
    closed: `${signal.interval} candle closed ${dayTime(signal.closeTime)} UTC`,
    closedShort: `${signal.interval} close ${dayTime(signal.closeTime)}`,
    history: signal.origin === 'history',
    forming: signal.phase === 'forming',
    conditions: signal.conditions.map(conditionView),
  };
}

function conditionView({ name, expression, holds, values }: ConditionReading): ConditionView {
  return {
    name: name.replaceAll('_', ' '), expression, holds: holds === null ? 'not ready' : holds ? 'holds' : 'fails',
    values: values.map((value) => ({ expression: value.expression, value: reading(value.value) })),
  };
}

/** The sentence a screen reader says for a new live signal. */
export function announcement(signal: Signal): string {
  return `${signal.side === 'long' ? 'Long' : 'Short'} ${signal.symbol} at ${price(signal.price)}, by ${signal.traderName}, candle of ${time(signal.closeTime)}.`;
}
