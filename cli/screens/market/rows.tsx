import type { Signal } from '@trademind/core';
import { Box, Text } from 'ink';
import type { ReactNode } from 'react';
import { fit, number, utc, utcClock } from '../../output/format.ts';
import { marketRows, windowOf, type MarketState } from './market-state.ts';

interface RowsProps { state: MarketState; height: number; width: number }

/** A list under its column names, in which the selected row is always visible. */
function Rows<T>({ rows, selected, height, head, empty, keyOf, children }: { rows: readonly T[]; selected: number; height: number; head: string; empty: string; keyOf: (row: T, index: number) => string; children: (row: T, selected: boolean) => ReactNode }): ReactNode {
  if (rows.length === 0) return <Text dimColor>{empty}</Text>;
  const { from, to } = windowOf(rows.length, selected, height - 1);
  return [
    <Text key="head" dimColor wrap="truncate">{head}</Text>,
    ...rows.slice(from, to).map((row, index) => <Box key={keyOf(row, from + index)}>{children(row, from + index === selected)}</Box>),
  ];
}

const mark = (selected: boolean) => (selected ? '▸ ' : '  ');
const sideColor = (side: Signal['side']) => (side === 'long' ? 'green' : 'red');

export function SignalRows({ state, height }: RowsProps): ReactNode {
  return (
    <Rows rows={state.signals} selected={state.selected.signals} height={height} keyOf={({ id }) => id} head={`  ${'candle closed'.padEnd(18)}${'symbol'.padEnd(12)}${'side'.padEnd(6)}${'price'.padStart(12)}  trader`} empty="No signals yet: a signal is given when a trader's conditions begin to hold on a closed candle.">
      {(signal, selected) => (
        <Text wrap="truncate" bold={selected} dimColor={signal.origin === 'history' && !selected}>
          {mark(selected)}{utc(signal.closeTime)}  {signal.symbol.padEnd(12)}<Text color={sideColor(signal.side)}>{signal.side.padEnd(6)}</Text>{number(signal.price).padStart(12)}  {signal.traderName}{signal.origin === 'history' ? '  history' : ''}
        </Text>
      )}
    </Rows>
  );
}

export function MarketRows({ state, height }: RowsProps): ReactNode {
  return (
    <Rows rows={marketRows(state)} selected={state.selected.markets} height={height} keyOf={({ symbol }) => symbol} head={`  ${'symbol'.padEnd(12)}${'price'.padStart(12)}${'24 h'.padStart(11)}${'volume'.padStart(11)}  matches`} empty="No markets yet.">
      {(row, selected) => (
        <Text wrap="truncate" bold={selected}>
          {mark(selected)}{row.symbol.padEnd(12)}{number(row.price).padStart(12)}<Text color={row.change24h === null ? 'gray' : row.change24h >= 0 ? 'green' : 'red'}>{(row.change24h === null ? '' : `${row.change24h >= 0 ? '+' : ''}${row.change24h.toFixed(2)} %`).padStart(11)}</Text>{volume(row.quoteVolume24h).padStart(11)}  {row.halted ? <Text color="yellow">halted  </Text> : null}<Text color="yellow">{row.matches.join(', ')}</Text>
        </Text>
      )}
    </Rows>
  );
}

function volume(value: number | null): string {
  if (value === null) return '';
  const [size, unit] = value >= 1e9 ? [1e9, 'B'] : value >= 1e6 ? [1e6, 'M'] : value >= 1e3 ? [1e3, 'k'] : [1, ''];
  return `${(value / size).toFixed(size === 1 ? 0 : 1)}${unit}`;
}

export function TraderRows({ state, height, width }: RowsProps): ReactNode {
  return (
    <Rows rows={state.status?.traders ?? []} selected={state.selected.traders} height={height} keyOf={({ id }) => id} head={`  ${'trader'.padEnd(Math.floor(width / 3))} how it fares`} empty="No traders: `npx trademind traders templates` offers some.">
      {(trader, selected) => (
        <Text wrap="truncate" bold={selected}>
          {mark(selected)}{fit(trader.name, Math.floor(width / 3)).padEnd(Math.floor(width / 3))} {trader.interval.padEnd(4)} {trader.state === 'running' ? `ready ${trader.ready}/${trader.symbols}  matching ${trader.matching}  live ${trader.signals.live}  history ${trader.signals.history}` : <Text color="red">{trader.error ?? trader.state}</Text>}
        </Text>
      )}
    </Rows>
  );
}

const LEVEL_COLOR = { info: 'gray', warn: 'yellow', error: 'red' } as const;

export function LogRows({ state, height }: RowsProps): ReactNode {
  return (
    <Rows rows={state.log} selected={state.selected.log} height={height} keyOf={(entry, index) => `${entry.at} ${index}`} head="  UTC      level message" empty="Nothing logged yet.">
      {(entry, selected) => <Text wrap="truncate" bold={selected}>{mark(selected)}<Text dimColor>{utcClock(entry.at)}</Text> <Text color={LEVEL_COLOR[entry.level]}>{entry.level.padEnd(5)}</Text> {entry.message}</Text>}
    </Rows>
  );
}

/** The selected signal in full: each condition with the numbers it compared. */
export function SignalDetail({ signal, height, width }: { signal: Signal | undefined; height: number; width: number }): ReactNode {
  const lines = signal?.conditions.slice(0, height - 3) ?? [];
  return (
    <Box flexDirection="column" height={height}>
      <Text dimColor>{'─'.repeat(width)}</Text>
      {signal ? (
        <Text wrap="truncate"><Text bold>{signal.symbol}</Text> <Text color={sideColor(signal.side)}>{signal.side}</Text> at {number(signal.price)}, {signal.interval} candle closed {utc(signal.closeTime, true)} UTC</Text>
      ) : <Text> </Text>}
      {lines.map((condition) => (
        <Text key={condition.name} wrap="truncate">
          <Text color={condition.holds ? 'green' : 'gray'}>{condition.holds === true ? '✔' : condition.holds === false ? '✘' : '·'}</Text> {condition.name}: {condition.expression}  <Text dimColor>{condition.values.map(({ expression, value }) => `${expression} = ${number(value)}`).join(', ')}</Text>
        </Text>
      ))}
    </Box>
  );
}
