import * as z from 'zod/mini';
import { AnalysisOutcome } from './decision.ts';
import { LogEntry } from './log.ts';
import { Signal } from './signal.ts';
import { MachineStatus } from './status.ts';
import type { FeedScope } from './ticket.ts';

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
    /** Commands that this machine can carry out for this session; an older machine does not say. */
    commands: z._default(z.array(z.string()), []),
    /** True when the client's {epoch, seq} was still in the ring and only what it missed follows; false: a snapshot follows. */
    resumed: z.boolean(),
  }),
  snapshot: z.object({ status: MachineStatus, markets: z.array(MarketRow), signals: z.array(Signal), analyses: z._default(z.array(AnalysisOutcome), []), log: z.array(LogEntry) }),
  status: MachineStatus,
  /** Rows that changed since the last `metrics` frame. */
  metrics: z.object({ marketTime: z.int(), markets: z.array(MarketRow) }),
  signal: Signal,
  /** What became of a signal: a decision, or the reason why there is none. */
  analysis: AnalysisOutcome,
  log: LogEntry,
  /** Frames up to `seq` were dropped for this client: ask for a snapshot with `sync`. */
  gap: z.object({ from: z.int(), to: z.int() }),
  /** `id` and `command`: what it answers, where it answers a command. */
  error: z.object({ code: z.string(), message: z.string(), id: z.optional(z.string()), command: z.optional(z.string()), field: z.optional(z.string()), nextStep: z.optional(z.string()) }),
  /** A command has been carried out. */
  reply: z.object({ id: z.optional(z.string()), command: z.string(), result: z.unknown() }),
  /** Answers a `ping` command: browsers cannot see the protocol's own pings. All up to its `seq` has been sent to this client. */
  pong: z.object({ id: z.optional(z.string()) }),
};

const frame = <T extends string, D extends z.ZodMiniType>(type: T, shape: D) =>
  z.object({ v: z.literal(1), epoch: z.string(), seq: z.int(), type: z.literal(type), data: shape });

/** Server → client. `epoch` is the boot id, `seq` counts machine-wide: holes made by filters are normal, only `gap` means loss. */
export const FeedFrame = z.discriminatedUnion('type', [
  frame('hello', data.hello), frame('snapshot', data.snapshot), frame('status', data.status), frame('metrics', data.metrics),
  frame('signal', data.signal), frame('analysis', data.analysis), frame('log', data.log), frame('gap', data.gap), frame('error', data.error),
  frame('reply', data.reply), frame('pong', data.pong),
]);
export type FeedFrame = z.infer<typeof FeedFrame>;
export type FeedFrameType = FeedFrame['type'];

/** What a client may choose to hear; all else is told to whom it concerns. */
export const FEED_TOPICS = ['status', 'metrics', 'signal', 'analysis', 'log'] as const;
export type FeedTopic = (typeof FEED_TOPICS)[number];

const subscription = {
  types: z.optional(z.array(z.enum(FEED_TOPICS))),
  /** Market rows, signals and analyses of these symbols only. */
  symbols: z.optional(z.array(z.string().check(z.minLength(1), z.maxLength(30))).check(z.maxLength(200))),
  /** Status and market rows at most every so many ms, then the newest; all else comes at once. */
  everyMs: z.optional(z.int().check(z.gte(0), z.lte(60_000))),
};
/** What a client wants to hear; what is absent is not limited. */
export const FeedSubscription = z.strictObject(subscription);
export type FeedSubscription = z.infer<typeof FeedSubscription>;

const command = <T extends string, S extends z.core.$ZodLooseShape>(type: T, shape: S) =>
  z.strictObject({ type: z.literal(type), /** Comes back with the answer. */ id: z.optional(z.string().check(z.maxLength(64))), ...shape });

/** Client → server: what the machine itself is to do. Answered with `reply` or `error`. */
export const MachineCommand = z.discriminatedUnion('type', [
  /** No candle is screened until `resume`, also after a restart; then what closed meanwhile is caught up. */
  command('pause', {}),
  command('resume', {}),
  /** Without a list: the stored traders are looked at now instead of with the next beat. A list is taken only by a machine that keeps its traders itself. */
  command('set-traders', { traders: z.optional(z.array(z.unknown()).check(z.maxLength(200))) }),
  /** Sends a message to a channel of the user's notifications now, and says how that went. */
  command('test-notification', { channel: z.string().check(z.minLength(1), z.maxLength(40)) }),
  command('close-position', { position: z.string().check(z.minLength(1), z.maxLength(64)) }),
  /** Which conditions of a trader hold on a symbol now. */
  command('explain', { trader: z.string(), symbol: z.string() }),
  /** From and to in ms of market time. */
  command('backtest', { trader: z.string(), from: z.int(), to: z.int() }),
]);
export type MachineCommand = z.infer<typeof MachineCommand>;

/** What a session must be allowed to for each. */
export const COMMAND_SCOPES: Readonly<Record<MachineCommand['type'], FeedScope>> = {
  pause: 'feed:command', resume: 'feed:command', 'set-traders': 'feed:command', 'close-position': 'feed:command', 'test-notification': 'feed:command', backtest: 'feed:command', explain: 'feed:read',
};

/** Client → server. */
export const FeedCommand = z.discriminatedUnion('type', [
  command('subscribe', subscription),
  command('renew', { ticket: z.string() }),
  command('sync', { epoch: z.optional(z.string()), seq: z.optional(z.int()) }),
  command('ping', {}),
  ...MachineCommand.def.options,
]);
export type FeedCommand = z.infer<typeof FeedCommand>;
