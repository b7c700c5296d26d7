import type { HttpFetch } from '../http-fetch.ts';
import type { StreamTap } from './stream-connection.ts';
import type { OpenStreamSocket } from './stream-socket.ts';

/**
 * Where and how an exchange is reached. Hosts are configuration: Binance itself, its market-data-only hosts, Binance US, the testnet, or a
 * stand-in. The transports are real ones unless a recording or a replay gives others.
 */
export interface ExchangeAccess {
  /** e.g. `https://data-api.binance.vision` */
  restUrl: string;
  /** e.g. `wss://data-stream.binance.vision` */
  streamUrl: string;
  fetch?: HttpFetch | undefined;
  openSocket?: OpenStreamSocket | undefined;
  tap?: StreamTap | undefined;
}
