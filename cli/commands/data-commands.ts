import type { Command } from 'commander';
import type { Io } from '../io.ts';

/** A command below another, with its options common to all; and an action that is loaded when it is called. */
type Sub = (name: string, description: string, examples: string, parent: Command) => Command;
type Act = (load: () => Promise<(options: never, io: Io, ...rest: string[]) => Promise<number>>) => (...given: unknown[]) => Promise<void>;

const EXCHANGE = 'REST URL of another exchange host (BINANCE_REST_URL; default: Binance\'s public market data)';
const INTERVALS = '1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w 1M';

/** `trademind data …`: the local history of candles. */
export function addDataCommands(program: Command, sub: Sub, act: Act): void {
  const data = program.command('data').description('candles on this computer: an archive to fill, check and export from');

  sub('download', 'fetches candles from the exchange; may be ended and called again at any time', `npx trademind data download --symbols BTCUSDT,ETHUSDT --interval 1m --from 2025-01-01
npx trademind data download --quote USDT --largest 100 --interval 1m,1h --from 2025-01-01 --to 2026-01-01
npx trademind data download --symbols BTCUSDT --interval 1d --from 2017-08-17 --exchange https://api.binance.us --json`, data)
    .option('--symbols <list>', 'symbols, with commas in between')
    .option('--quote <asset>', 'all symbols of a quote asset, the largest by 24 h volume')
    .option('--largest <n>', 'how many of --quote', '100')
    .requiredOption('--interval <list>', `one or more of ${INTERVALS}`)
    .requiredOption('--from <date>', 'first open time, UTC: 2025-01-31 or 2025-01-31T16:00')
    .option('--to <date>', 'end, not part of it (default: the last candle that has closed)')
    .option('--exchange <url>', EXCHANGE)
    .action(act(async () => (await import('./data/download.ts')).downloadCandles));

  sub('import', 'takes candles from files, all or none: Binance\'s dumps (zip or CSV, ms or µs), or any CSV with a header; gzip too', `npx trademind data import BTCUSDT-1m-2025-01.zip BTCUSDT-1m-2025-02.zip
npx trademind data import candles.csv.gz --symbol BTCUSDT --interval 1h`, data)
    .argument('<file...>', 'CSV with openTime (or date),open,high,low,close,volume and, if you have them, quoteVolume,trades,takerBuy')
    .option('--symbol <symbol>', 'whose candles they are (default: as the file is named, BTCUSDT-1m-….csv)')
    .option('--interval <interval>', `one of ${INTERVALS} (default: as the file is named)`)
    .option('--replace', 'take the files\' values where the archive has others')
    .action(act(async () => (await import('./data/import.ts')).importCandles));

  sub('verify', 'checks every byte and every candle: checksums, order, repeats, what is missing', `npx trademind data verify
npx trademind data verify --symbols BTCUSDT --interval 1m --repair`, data)
    .option('--symbols <list>', 'only these symbols')
    .option('--interval <list>', 'only these intervals')
    .option('--repair', 'fetch what is damaged, missing or impossible from the exchange, and mark what it never had')
    .option('--complete', 'also fetch quote volumes, trades and taker volumes that a source did not have')
    .option('--exchange <url>', EXCHANGE)
    .action(act(async () => (await import('./data/verify.ts')).verifyCandles));

  sub('list', 'what is there', 'npx trademind data list\nnpx trademind data list --interval 1m --json', data)
    .option('--symbols <list>', 'only these symbols')
    .option('--interval <list>', 'only these intervals')
    .action(act(async () => (await import('./data/list.ts')).listCandles));

  sub('export', 'writes candles as CSV', `npx trademind data export --symbol BTCUSDT --interval 1m --from 2025-01-01 --to 2025-02-01 --out btc.csv.gz
npx trademind data export --symbol BTCUSDT --interval 1d > btc.csv
npx trademind data export --symbol BTCUSDT --interval 1h --json | jq .close`, data)
    .requiredOption('--symbol <symbol>', 'whose candles')
    .requiredOption('--interval <interval>', `one of ${INTERVALS}`)
    .option('--from <date>', 'first open time, UTC (default: the first there is)')
    .option('--to <date>', 'end, not part of it (default: the last there is)')
    .option('--out <file>', 'CSV file to write, gzipped if its name ends in .gz (default: stdout)')
    .action(act(async () => (await import('./data/export.ts')).exportCandles));
}
