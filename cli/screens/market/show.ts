import type { MachineView } from '@trademind/core';
import type { Io } from '../../io.ts';
import { registerTsx } from '../../tsx-loader.ts';
import type { Store } from './market-screen.tsx';

export interface ShowOptions { store: Store; title: string; machine?: Pick<MachineView, 'app' | 'region' | 'size'>; io: Io; signal: AbortSignal }

/** Draws the live screen until q, Ctrl-C, or `signal` is aborted. */
export async function showMarketScreen({ store, title, machine, io, signal }: ShowOptions): Promise<void> {
  registerTsx();
  const [{ render }, { createElement }, { MarketScreen }] = await Promise.all([import('ink'), import('react'), import('./market-screen.tsx')]);
  const screen = render(createElement(MarketScreen, { store, title, machine }), {
    stdin: io.streams.stdin, stdout: io.streams.stdout, stderr: io.streams.stderr, alternateScreen: true, maxFps: 15,
  });
  const leave = () => screen.unmount();
  signal.addEventListener('abort', leave, { once: true });
  await screen.waitUntilExit();
  signal.removeEventListener('abort', leave);
}
