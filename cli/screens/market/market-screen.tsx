import { sizeName, type MachineView } from '@trademind/core';
import { Box, Text, useApp, useInput, useWindowSize } from 'ink';
import { useSyncExternalStore, type ReactNode } from 'react';
import { count, utc } from '../../output/format.ts';
import { unwell } from '../../output/health.ts';
import { PANELS, rowsOf, type Input, type MarketState, type Panel } from './market-state.ts';
import { LogRows, MarketRows, SignalDetail, SignalRows, TraderRows } from './rows.tsx';

/** Where the screen's state lives; it is changed from outside (the feed) and by keys. */
export interface Store {
  get(): MarketState;
  dispatch(input: Input): void;
  subscribe(listener: () => void): () => void;
}

export interface MarketScreenProps {
  store: Store;
  /** What is watched: the machine, or this terminal. */
  title: string;
  machine?: Pick<MachineView, 'app' | 'region' | 'size'> | undefined;
}

/** Lines that are not list: header 3, tabs 2, footer 2. */
const FRAME_LINES = 7;
const DETAIL_LINES = 7;

/** The live screen: header, one of four panels, keys. Arrow keys move, tab changes the panel, q leaves. */
export function MarketScreen({ store, title, machine }: MarketScreenProps): ReactNode {
  const state = useSyncExternalStore(store.subscribe, store.get);
  const { exit } = useApp();
  const { columns, rows } = useWindowSize();
  const detail = state.panel === 'signals' && rows >= 20 ? DETAIL_LINES : 0;
  const height = Math.max(3, rows - FRAME_LINES - detail);
  useInput((input, key) => {
    if (input === 'q' || key.escape) exit();
    else if (key.tab || key.rightArrow) store.dispatch({ type: 'panel', step: key.shift ? -1 : 1 });
    else if (key.leftArrow) store.dispatch({ type: 'panel', step: -1 });
    else if (key.upArrow || input === 'k') store.dispatch({ type: 'select', step: -1 });
    else if (key.downArrow || input === 'j') store.dispatch({ type: 'select', step: 1 });
    else if (key.pageUp) store.dispatch({ type: 'select', step: -height });
    else if (key.pageDown) store.dispatch({ type: 'select', step: height });
  });
  return (
    <Box flexDirection="column" width={columns} height={rows}>
      <Header state={state} title={title} machine={machine} />
      <Tabs state={state} width={columns} />
      <Box flexDirection="column" height={height}>
        <List state={state} height={height} width={columns} />
      </Box>
      {detail > 0 ? <SignalDetail signal={state.signals[state.selected.signals]} height={detail} width={columns} /> : null}
      <Text dimColor>{'─'.repeat(columns)}</Text>
      <Text dimColor>tab ←→ panel   ↑↓ select   q quit</Text>
    </Box>
  );
}

const PHASE_COLOR = { booting: 'yellow', backfilling: 'yellow', screening: 'green', draining: 'yellow' } as const;

function Header({ state: { status, connection }, title, machine }: { state: MarketState } & Pick<MarketScreenProps, 'title' | 'machine'>): ReactNode {
  const where = machine?.app ? `${machine.app}${machine.region ? ` in ${machine.region}` : ''}${machine.size ? `, ${sizeName(machine.size)}` : ''}` : '';
  const market = status?.market;
  const facts = market ? [
    count(market.symbols, 'symbol'), count(market.candles, 'candle'), `${Math.round(status.process.rssMb)} MB`,
    ...(market.backfilled.done < market.backfilled.total ? [`backfilled ${market.backfilled.done} of ${market.backfilled.total}`] : []),
  ] : [];
  const trouble = [...(connection ? [connection] : []), ...(market && !market.connected ? ['market not connected'] : []),
    ...(market && market.halted.length > 0 ? [`${market.halted.join(', ')} halted`] : []), ...(status?.problems.map(({ message }) => message) ?? []),
    ...(status?.health ? unwell(status.health).map(({ title, sentence }) => `${title}: ${sentence}`) : [])];
  return (
    <Box flexDirection="column">
      <Box justifyContent="space-between">
        <Text wrap="truncate"><Text bold color="cyan">TradeMind</Text> {title} {status ? <Text color={status.pausedAt === undefined ? PHASE_COLOR[status.phase] : 'yellow'}>● {status.pausedAt === undefined ? status.phase : 'paused'}</Text> : null}</Text>
        <Text wrap="truncate">{market && market.time > 0 ? `${utc(market.time, true)} UTC${market.rate === 1 ? '' : ` ×${market.rate}`}` : ''}</Text>
      </Box>
      <Box justifyContent="space-between">
        <Text dimColor wrap="truncate">{[where, ...facts].filter(Boolean).join(' · ')}</Text>
        <Text color="yellow" wrap="truncate">{trouble[0] ?? ''}</Text>
      </Box>
    </Box>
  );
}

const NAMES: Readonly<Record<Panel, string>> = { signals: 'Signals', markets: 'Markets', traders: 'Traders', log: 'Log' };

function Tabs({ state, width }: { state: MarketState; width: number }): ReactNode {
  return (
    <Box flexDirection="column">
      <Text> </Text>
      <Box gap={2}>
        {PANELS.map((panel) => (
          <Text key={panel} inverse={panel === state.panel} dimColor={panel !== state.panel}>{` ${NAMES[panel]} ${rowsOf(state, panel)} `}</Text>
        ))}
      </Box>
      <Text dimColor>{'─'.repeat(width)}</Text>
    </Box>
  );
}

function List({ state, height, width }: { state: MarketState; height: number; width: number }): ReactNode {
  switch (state.panel) {
    case 'signals': return <SignalRows state={state} height={height} width={width} />;
    case 'markets': return <MarketRows state={state} height={height} width={width} />;
    case 'traders': return <TraderRows state={state} height={height} width={width} />;
    case 'log': return <LogRows state={state} height={height} width={width} />;
  }
}
