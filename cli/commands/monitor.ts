import { once } from 'node:events';
import { listenForShutdown } from '../dev/shutdown.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printFacts } from '../output/facts.ts';
import { connectionText, factOf } from '../services/facts.ts';
import { machineFeed } from '../services/feed.ts';
import { findLocalCloud, findMachine } from '../services/local-cloud.ts';
import { showMarketScreen } from '../screens/market/show.ts';
import { createStore } from '../screens/market/store.ts';

/** `trademind monitor`: the machine's feed; a screen for a person, lines for everything else. */
export async function monitor(options: { data?: string; json?: boolean }, io: Io): Promise<number> {
  const { control } = findLocalCloud(options.data, io);
  const machine = await findMachine(control);
  const screen = io.interactive && !options.json;
  const store = createStore();
  const print = screen ? store.dispatch : printFacts(options.json === true, io);
  const feed = machineFeed(control, machine.id, {
    onFrame: (frame) => {
      const fact = factOf(frame);
      if (fact) print(fact);
    },
    onState: (state) => store.dispatch({ type: 'connection', text: connectionText(state) }),
  });
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  feed.connect();
  try {
    if (screen) await showMarketScreen({ store, title: 'machine', machine, io, signal: shutdown.signal });
    else if (!shutdown.signal.aborted) await once(shutdown.signal, 'abort');
  } finally {
    await feed.close();
    shutdown.dispose();
  }
  return EXIT.ok;
}
