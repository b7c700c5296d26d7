import type { ServerResponse } from 'node:http';
import { listen, type Listening } from '../shared/http.ts';
import { adminHandler } from './faults/admin.ts';
import { CandleLies } from './faults/candle-lies.ts';
import { Faults } from './faults/faults.ts';
import { haltWatch } from './market/halts.ts';
import { openMarket, type Market, type MarketOptions } from './market/open-market.ts';
import { viewsOf } from './market/views.ts';
import { restHandler } from './rest/handle.ts';
import { Weights } from './rest/weights.ts';
import { Broadcaster } from './streams/broadcaster.ts';
import { serveStreams } from './streams/serve.ts';
import type { StandIn } from '../shared/run.ts';

export interface ExchangeOptions extends Omit<MarketOptions, 'now' | 'log'> {
  port: number;
  /** Opens the admin port (faults, the clock, what is true); 0 takes a free one. Left out, there is none. */
  adminPort?: number | undefined;
  allowedOrigins?: readonly string[] | undefined;
  /** The API key that signed endpoints ask for. Market data is public. */
  token?: string | undefined;
  /** Wall time, ms. A step of more than a minute between two looks counts as sleep: the market stands still over it. */
  now?: (() => number) | undefined;
  /** Where warnings go; stderr as JSON lines unless given. */
  log?: MarketOptions['log'] | undefined;
}

/** `streams` and `admin` are URLs; `admin` is null without an admin port. */
export interface Exchange extends StandIn { port: number; streams: string; admin: string | null }

/** How often the streams are brought up to the market's time. */
const TICK_MS = 50;

const notReady = (_: unknown, response: ServerResponse) => { response.writeHead(503).end(); };

/**
 * Starts the exchange: Binance Spot's public REST and streams over a recorded or simulated market.
 * Rejects with an Error that carries `code` (see openMarket, or the system's for a taken port or a read-only folder).
 */
export async function startExchange(options: ExchangeOptions): Promise<Exchange> {
  const now = options.now ?? Date.now;
  const log = options.log ?? ((line) => process.stderr.write(`${JSON.stringify({ ...line, time: new Date().toISOString() })}\n`));
  const allowedOrigins = options.allowedOrigins ?? [];

  // The ports first: a start that finds one taken must not touch the market of the one that runs.
  let serve: ReturnType<typeof restHandler> = notReady;
  let administer: ReturnType<typeof adminHandler> = notReady;
  const { server, url, port, close } = await listen((request, response) => serve(request, response), options.port);
  let admin: Listening | undefined;
  let market: Market;
  try {
    if (options.adminPort !== undefined) admin = await listen((request, response) => administer(request, response), options.adminPort);
    market = openMarket({ ...options, now, log });
  } catch (error) {
    await Promise.all([close(), admin?.close()]);
    throw error;
  }

  const { clock, book, source } = market;
  const symbols = source.symbols.map((info) => info.symbol);
  const faults = new Faults(now);
  const lies = new CandleLies(faults);
  const views = viewsOf(book);
  const weights = new Weights(now);
  serve = restHandler({ market, views, weights, faults, lies, token: options.token, allowedOrigins });
  const broadcaster = new Broadcaster(now, { views, clock, lies, symbols });
  const streams = serveStreams({ server, broadcaster, faults, now, allowedOrigins, log });
  administer = adminHandler({ market, views, faults, lies, broadcaster, streams, weights });

  const watchHalts = haltWatch(market, log);
  const timer = setInterval(() => {
    faults.tick();
    watchHalts(broadcaster.tick());
    streams.keepAlive();
  }, TICK_MS);

  return {
    name: 'exchange', url, port, streams: url.replace('http', 'ws'), admin: admin?.url ?? null,
    market: market.name, speed: clock.speed, marketTime: clock.time(), symbols: symbols.length,
    close: async () => {
      clearInterval(timer);
      clock.pause();
      streams.close();
      await Promise.all([close(), admin?.close()]);
    },
  };
}
