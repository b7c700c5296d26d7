import { join } from 'node:path';
import { supervise } from '../dev/supervise.ts';
import type { DataFolder } from '../dev/data-folder.ts';
import { LIVE_REST, LIVE_STREAM, marketArgument, type MarketChoice } from '../dev/market.ts';
import { freePort } from '../dev/ports.ts';
import type { Io } from '../io.ts';
import { ROOT } from '../paths.ts';

export interface OpenExchange { restUrl: string; streamUrl: string; stop(): Promise<void> }

/** Where candles come from: Binance itself, or the stand-in, started (and kept running) as a process of its own. */
export async function openExchange({ market, speed }: MarketChoice, folder: DataFolder, io: Io, signal: AbortSignal): Promise<OpenExchange> {
  if (market.kind === 'live') return { restUrl: LIVE_REST, streamUrl: LIVE_STREAM, stop: () => Promise.resolve() };
  const port = await freePort();
  const exchange = await supervise({
    name: 'exchange',
    args: [join(ROOT, 'local-cloud/main.ts'), 'exchange', '--port', String(port), '--market', marketArgument(market), '--speed', String(speed), '--data', folder.exchange],
    env: { ...io.environment.inherited }, logFile: join(folder.logs, 'exchange.log'), readyTimeoutMs: 30_000,
  }, { cwd: ROOT, now: io.now, signal, onEvent: () => undefined });
  return {
    restUrl: `http://127.0.0.1:${port}`, streamUrl: `ws://127.0.0.1:${port}`,
    stop: async () => {
      await exchange.stop(5_000);
    },
  };
}
