import { Command, InvalidArgumentError, Option } from 'commander';
import { runStandIn } from '../shared/run.ts';
import { startExchange } from './start.ts';
import { forgetState } from './market/state.ts';

interface Flags { port: number; adminPort?: number; market?: string; speed?: number; data: string; seed?: string; symbols?: number; token?: string; allowOrigin: string[]; reset?: boolean }

/** `local-cloud exchange …`: Binance Spot's public market data over a recorded or simulated market. */
export function exchangeCommand(): Command {
  return new Command('exchange')
    .description('Binance Spot stand-in: the public REST API and streams of a simulated market, or of recorded candles or frames.')
    .requiredOption('--port <number>', 'port on loopback; 0 takes a free one', number)
    .option('--admin-port <number>', 'a second port for tests: faults, the clock, what is true (default: none)', number)
    .option('--market <market>', '"simulated", a folder or file of <SYMBOL>-1m-….csv[.gz], or recorded stream frames (…stream….gz) (default: what the data folder holds, else simulated)')
    .option('--speed <factor>', 'market time per wall time (default: as before, else 60; 1 is real time, 0 waits for steps over the admin port)', number)
    .option('--data <folder>', 'where the market and its clock are kept', '.trademind/exchange')
    .option('--seed <text>', 'seed of a new simulated market')
    .option('--symbols <count>', 'size of a simulated market, 1 to 500 (default: as before, else 20)', number)
    .option('--allow-origin <origin>', 'a browser origin that may call; may be repeated', (origin: string, all: string[]) => [...all, origin], [])
    .addOption(new Option('--token <key>', 'API key that signed endpoints ask for; market data needs none').env('EXCHANGE_STAND_IN_TOKEN'))
    .option('--reset', 'forget the market of this data folder and begin a new one')
    .addHelpText('after', `
Examples:
  exchange --port 4210                                       a simulated market of 20 symbols, 60 times as fast as real
  exchange --port 4210 --market ../shared/data/klines        real recorded candles; a second start continues where it paused
  exchange --port 4210 --market btcusdt-stream.gz --speed 1  recorded frames: every trade at its time
  exchange --port 4210 --symbols 500 --seed demo --speed 1 --data /tmp/market
Then:
  curl 'http://127.0.0.1:4210/api/v3/klines?symbol=BTCUSDT&interval=5m&limit=3'
  curl http://127.0.0.1:4210/_stand-in/market
With --admin-port 4211:
  curl -X POST http://127.0.0.1:4211/faults -H 'content-type: application/json' -d '{"kind":"drop","stream":"*@kline_1m","chance":0.1,"forMs":60000}'
  curl http://127.0.0.1:4211/faults`)
    .action((flags: Flags) => runStandIn(async () => {
      if (flags.reset) forgetState(flags.data);
      return startExchange({
        port: flags.port, adminPort: flags.adminPort, market: flags.market, speed: flags.speed, dataDir: flags.data, seed: flags.seed,
        symbols: flags.symbols, token: flags.token, allowedOrigins: flags.allowOrigin,
      });
    }));
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Give a number.');
  return value;
}
