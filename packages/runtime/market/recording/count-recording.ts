import { createHash } from 'node:crypto';
import { BinanceWebSocketClient } from '../binance-websocket-client.ts';
import type { FrameKind } from '../stream-frames.ts';
import { openReplay, type ReplayOptions, type ReplayReport } from './replay.ts';

/** Kinds that are no reading of a frame; `answer` is the replay's own to a subscription. */
const NOT_PARSED: ReadonlySet<string> = new Set<FrameKind>(['answer', 'unknown', 'malformed', 'unasked']);

/** What a machine always asks for: so there is a connection also where no frame names its stream. */
const ALL_TICKERS = '!miniTicker@arr';

export interface RecordingCounts extends ReplayReport {
  /** Frames that were read as what they are. */
  parsed: number;
  /** Frames by type, those that were not parsed among them; none that is zero. */
  byType: Partial<Record<FrameKind, number>>;
  /** SHA-256 (hex) of all that the client told of the frames, with its times: the same of every run, at any speed. */
  digest: string;
}

/**
 * Plays the frames of a recording through the client that live frames go through, subscribed to every stream that is in it, and counts what it makes of
 * them. No answers of the exchange are needed. Throws `recording_unreadable`.
 */
export async function countRecording(path: string, options: ReplayOptions = {}, signal?: AbortSignal): Promise<RecordingCounts> {
  const replay = await openReplay(path, options);
  const hash = createHash('sha256');
  const tell = (...what: unknown[]) => void hash.update(JSON.stringify([replay.wall.now(), ...what]));
  const client = new BinanceWebSocketClient({
    url: replay.exchange.streamUrl, wall: replay.wall, log: () => undefined, open: replay.exchange.openSocket,
    events: {
      onClosed: (series, candle, eventTime) => tell('closed', series.symbol, series.interval, candle, eventTime), onForming: (series, close, eventTime) => tell('forming', series.symbol, close, eventTime),
      onPrice: (...price) => tell('price', ...price), onBook: (...book) => tell('book', ...book), onSubscribed: (series) => tell('subscribed', series.length), onState: ({ connected }) => tell('state', connected),
    },
  });
  const { series, others } = replay.streams;
  client.want(series, [...new Set([ALL_TICKERS, ...others])]);
  const report = await replay.run(signal);
  const byType = Object.fromEntries(Object.entries(client.counts).filter(([kind, count]) => count > 0 && kind !== 'answer'));
  await client.stop();
  const parsed = Object.entries(byType).reduce((sum, [kind, count]) => (NOT_PARSED.has(kind) ? sum : sum + count), 0);
  return { ...report, parsed, byType, digest: hash.digest('hex') };
}
