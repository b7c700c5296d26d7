import type { ServerResponse } from 'node:http';
import { listen } from '../shared/http.ts';
import { Broadcaster } from './streams/broadcaster.ts';
import { haltWatch } from './market/halts.ts';
import { openMarket, type Market, type MarketOptions } from './market/open-market.ts';
import { restHandler } from './rest/handle.ts';
import { serveStreams } from './streams/serve.ts';
import { Tickers } from './market/ticker.ts';
import { Weights } from './rest/weights.ts';
import type { StandIn } from '../shared/run.ts';

export interface ExchangeOptions extends Omit<MarketOptions, 'now' | 'log'> {
  port: number;
  allowedOrigins?: readonly string[] | undefined;
  /** The API key that signed endpoints ask for. Market data is public. */
  token?: string | undefined;
  /** Wall time, ms. A step of more than a minute between two looks counts as sleep: the market stands still over it. */
  now?: (() => number) | undefined;
  /** Where warnings go; stderr as JSON lines unless given. */
  log?: MarketOptions['log'] | undefined;
}

/** How often the streams are brought up to the market's time. */
const TICK_MS = 50;

const notReady = (_: unknown, response: ServerResponse) => { response.writeHead(503).end(); };

/**
 * Starts the exchange: Binance Spot's public REST and streams over a recorded or simulated market.
 * Rejects with an Error that carries `code` (see openMarket, or the system's for a taken port or a read-only folder).
 */
export async function startExchange(options: ExchangeOptions): Promise<StandIn> {
  const now = options.now ?? Date.now;
  const log = options.log ?? ((line) => process.stderr.write(`${JSON.stringify({ ...line, time: new Date().toISOString() })}\n`));
  const allowedOrigins = options.allowedOrigins ?? [];

  // The port first: a start that finds it taken must not touch the market of the one that runs.
  let serve: ReturnType<typeof restHandler> = notReady;
  const { server, url, port, close } = await listen((request, response) => serve(request, response), options.port);
  let market: Market;
  try {
    market = openMarket({ ...options, now, log });
  } catch (error) {
    await close();
    throw error;
  }
  const tickers = new Tickers(market.book);
  serve = restHandler({ market, tickers, weights: new Weights(now), token: options.token, allowedOrigins });

  const { clock, book, source } = market;
  const symbols = source.symbols.map((info) => info.symbol);
  const broadcaster = new Broadcaster(clock, now, { book, tickers, speed: clock.speed, symbols });
  const streams = serveStreams({ server, broadcaster, now, allowedOrigins, log });
  const watchHalts = haltWatch(market, log);
  const timer = setInterval(() => {
    watchHalts(broadcaster.tick());
    streams.keepAlive();
  }, TICK_MS);

  return {
    name: 'exchange', url, port, streams: url.replace('http', 'ws'),
    market: market.name, speed: clock.speed, marketTime: clock.time(), symbols: symbols.length,
    close: async () => {
      clearInterval(timer);
      clock.pause();
      streams.close();
      await close();
    },
  };
}
