import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { testSignal, testStatus } from '../../../tests/support/feed.ts';
import { MarketScreen } from './market-screen.tsx';
import { createStore } from './store.ts';

test('the screen shows the machine, its signals with their conditions, and another panel after tab', async () => {
  const store = createStore();
  const screen = render(<MarketScreen store={store} title="machine" machine={{ app: 'tm-1', region: 'sin', size: { cpuKind: 'shared', cpus: 1, memoryMb: 512 } }} />);
  store.dispatch({ type: 'snapshot', data: {
    status: testStatus({ phase: 'screening' }), signals: [testSignal({ symbol: 'LTCUSDT', traderName: 'Dip' })], analyses: [], log: [],
    markets: [{ symbol: 'DASHUSDT', price: 75.5, change24h: -1, quoteVolume24h: 10, matches: [], halted: false }],
  } });
  await expect.poll(() => screen.lastFrame()).toContain('LTCUSDT');
  const frame = screen.lastFrame() ?? '';
  for (const part of ['● screening', 'tm-1 in sin', 'LTCUSDT', 'Dip', 'q quit']) expect(frame).toContain(part);
  expect(frame).not.toContain('DASHUSDT');
  // It listens to keys once its effects have run.
  await expect.poll(() => screen.stdin.listenerCount('readable')).toBeGreaterThan(0);
  screen.stdin.write('\t');
  await expect.poll(() => screen.lastFrame()).toContain('DASHUSDT');
  screen.unmount();
});
