import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { INTERVALS, parseWith, Interval, TradeMindError, type TraderInput } from '@trademind/core';
import { STARTER_TRADERS } from '@trademind/engine';
import { startLocal } from '@trademind/runtime';
import { foldersOf, openDataFolder } from '../dev/data-folder.ts';
import { takeLock } from '../dev/lock.ts';
import { chooseMarket, liveAnswers, marketName, parseMarket } from '../dev/market.ts';
import { parseSpeed } from '../dev/options.ts';
import { readSettings, writeSettings } from '../dev/settings.ts';
import { listenForShutdown } from '../dev/shutdown.ts';
import { EXIT } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printFacts } from '../output/facts.ts';
import { dataFolder } from '../paths.ts';
import { followSource } from '../services/facts.ts';
import { openExchange } from '../services/exchange.ts';
import { replaySession } from '../services/replay.ts';
import { readTraderFile } from '../services/trader-file.ts';
import { showMarketScreen } from '../screens/market/show.ts';
import { createStore } from '../screens/market/store.ts';

interface Options { data?: string; json?: boolean; market?: string; speed?: string; interval: string; traders?: string[]; record?: string; replay?: string }

/** `trademind local`: the machine's runtime in this process, with its state in a file, and no cloud. */
export async function local(options: Options, io: Io): Promise<number> {
  const interval = parseInterval(options.interval);
  const traders = tradersOf(options, io);
  if (options.replay !== undefined) return replaySession({ file: resolve(io.cwd, options.replay), speed: parseSpeed(options.speed), interval, traders: options.traders && traders, json: options.json === true }, io);
  const wish = { market: options.market === undefined ? undefined : parseMarket(options.market, io.cwd), speed: parseSpeed(options.speed) };
  const data = foldersOf(dataFolder(options.data, io.cwd));
  const folder = openDataFolder(join(data.path, 'local'));
  const lock = takeLock(folder.running, new Date(io.now()));
  const shutdown = listenForShutdown(() => process.exit(EXIT.interrupted), io.now);
  try {
    const choice = await chooseMarket(wish, readSettings(folder.settings), () => liveAnswers(fetch));
    writeSettings(folder.settings, { market: choice.market, speed: choice.speed });
    const exchange = await openExchange(choice, folder, io, shutdown.signal);
    try {
      const machine = await startLocal({ dataDir: join(folder.path, 'state'), archive: data.archive, interval, exchange, traders, record: options.record === undefined ? undefined : resolve(io.cwd, options.record) });
      try {
        await follow(machine.source, marketName(choice.market, io.cwd), options, io, shutdown.signal);
      } finally {
        await machine.stop();
      }
    } finally {
      await exchange.stop();
    }
    return EXIT.ok;
  } catch (error) {
    if (shutdown.by() === null) throw error;
    return EXIT.interrupted;
  } finally {
    lock.release();
    shutdown.dispose();
  }
}

async function follow(source: Parameters<typeof followSource>[0], market: string, options: Options, io: Io, signal: AbortSignal): Promise<void> {
  const screen = io.interactive && !options.json;
  const store = createStore();
  store.dispatch({ type: 'connection', text: null });
  const end = followSource(source, screen ? store.dispatch : printFacts(options.json === true, io));
  try {
    if (screen) await showMarketScreen({ store, title: market, io, signal });
    else if (!signal.aborted) await once(signal, 'abort');
  } finally {
    end();
  }
}

function parseInterval(text: string): Interval {
  try {
    return parseWith(Interval, text, 'usage', '--interval');
  } catch (cause) {
    throw new TradeMindError({ code: 'usage', field: '--interval', message: `--interval ${text}: there is no such interval.`, nextStep: `Choose one of ${INTERVALS.join(', ')}.`, cause });
  }
}

function tradersOf(options: Options, io: Io): readonly TraderInput[] {
  if (!options.traders) return STARTER_TRADERS;
  return options.traders.flatMap((file) => readTraderFile(file, io.cwd)).map(({ document, warnings }) => {
    for (const warning of warnings) io.stderr(`trademind: ${document.name}: ${warning}\n`);
    return document;
  });
}
