import * as z from 'zod/mini';
import { LogEntry } from './log.ts';
import { Signal } from './signal.ts';
import { MachineStatus } from './status.ts';

export const FEED_PROTOCOL = 'trademind.v1';
/** A client offers its ticket (or session token) as a second WebSocket subprotocol: `ticket.<jwt>`; the server echoes only the first. */
export const TICKET_PROTOCOL_PREFIX = 'ticket.';

/** WebSocket close codes of the feed. */
export const FEED_CLOSE = {
  ticket: 4401, // no, expired, used or foreign ticket
  scope: 4403, // the session may not do that
  silence: 4408, // no pong
  superseded: 4409, // a newer connection of the same client
  tooFast: 4429, // too many messages
  restart: 1012, // the machine restarts
} as const;

/** A market row as the feed shows it. */
export const MarketRow = z.object({
  symbol: z.string(),
  price: z.number(),
  /** Change over 24 h in points (5 = 5 %); null until 24 h of candles are there. */
  change24h: z.nullable(z.number()),
  quoteVolume24h: z.nullable(z.number()),
  /** Names of the traders that hold on the last closed candle. */
  matches: z.array(z.string()),
  halted: z.boolean(),
});
export type MarketRow = z.infer<typeof MarketRow>;

const data = {
  hello: z.object({
    machineId: z.string(), userId: z.string(), scopes: z.array(z.string()), session: z.string(), expiresAt: z.int(),
    /** True when the client's {epoch, seq} was still in the ring and only what it missed follows; false: a snapshot follows. */
    resumed: z.boolean(),
  }),
  snapshot: z.object({ status: MachineStatus, markets: z.array(MarketRow), signals: z.array(Signal), log: z.array(LogEntry) }),
  status: MachineStatus,
  /** Rows that changed since the last `metrics` frame. */
  metrics: z.object({ marketTime: z.int(), markets: z.array(MarketRow) }),
  signal: Signal,
  log: LogEntry,
  /** Frames up to `seq` were dropped for this client: ask for a snapshot with `sync`. */
  gap: z.object({ from: z.int(), to: z.int() }),
  error: z.object({ code: z.string(), message: z.string() }),
  /** Answers a `ping` command: browsers cannot see the protocol's own pings. */
  pong: z.object({ id: z.optional(z.string()) }),
};

const frame = <T extends string, D extends z.ZodMiniType>(type: T, shape: D) =>
  z.object({ v: z.literal(1), epoch: z.string(), seq: z.int(), type: z.literal(type), data: shape });

/** Server → client. `epoch` is the boot id, `seq` counts machine-wide: holes made by filters are normal, only `gap` means loss. */
export const FeedFrame = z.discriminatedUnion('type', [
  frame('hello', data.hello), frame('snapshot', data.snapshot), frame('status', data.status), frame('metrics', data.metrics),
  frame('signal', data.signal), frame('log', data.log), frame('gap', data.gap), frame('error', data.error),
  frame('pong', data.pong),
]);
export type FeedFrame = z.infer<typeof FeedFrame>;
export type FeedFrameType = FeedFrame['type'];

/** Client → server. */
export const FeedCommand = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('subscribe'), types: z.array(z.enum(['status', 'metrics', 'signal', 'log'])) }),
  z.strictObject({ type: z.literal('renew'), ticket: z.string() }),
  z.strictObject({ type: z.literal('sync'), epoch: z.optional(z.string()), seq: z.optional(z.int()) }),
  z.strictObject({ type: z.literal('ping'), id: z.optional(z.string()) }),
]);
export type FeedCommand = z.infer<typeof FeedCommand>;
