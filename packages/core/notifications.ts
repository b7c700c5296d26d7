import * as z from 'zod/mini';
import { Decision } from './decision.ts';
import { HEALTH_STATES } from './health-table.ts';
import { Signal } from './signal.ts';

const Name = z.string().check(z.minLength(1), z.maxLength(60));
const Id = z.string('an id of small letters, digits and dashes').check(z.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'an id of small letters, digits and dashes'));
const WebAddress = z.string('an https:// address').check(
  z.maxLength(2_000),
  z.refine((text) => URL.canParse(text) && ['https:', 'http:'].includes(new URL(text).protocol), 'an address that begins with https://'),
  z.refine((text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''), 'an address without a user name or password'),
);

/** A chat of a Telegram bot. The token comes from @BotFather; the chat is a number, or the @name of a public channel. */
const TelegramChannel = z.strictObject({
  id: Id, name: Name, kind: z.literal('telegram'),
  botToken: z.string().check(z.regex(/^\d{6,}:[\w-]{30,}$/, 'a bot token as @BotFather gives it, 123456789:AA…')),
  chatId: z.string().check(z.regex(/^(-?\d{1,20}|@\w{4,})$/, 'a chat id (a number) or the @name of a public channel')),
});

/**
 * An address that messages are posted to. `json`: the event as it is; `discord` and `slack`: what their incoming webhooks take. With a secret every
 * request is signed as Standard Webhooks says. The address is a secret itself: whoever has it can post.
 */
const WebhookChannel = z.strictObject({
  id: Id, name: Name, kind: z.literal('webhook'), url: WebAddress, form: z.enum(['json', 'discord', 'slack']),
  secret: z.optional(z.string().check(z.regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, 'a secret of the form whsec_… with at least 24 bytes in base64'))),
}).check(z.refine(({ form, secret }) => form !== 'json' || secret !== undefined, { path: ['secret'], error: 'needed for the form json, so that the receiver can tell who calls' }));

/** Where messages go. Holds secrets: it is written, never shown again. */
export const NotificationChannel = z.discriminatedUnion('kind', [TelegramChannel, WebhookChannel]);
export type NotificationChannel = z.infer<typeof NotificationChannel>;

/** When a trader runs no longer as its user thinks. */
export const TRADER_STATES = ['running', 'paused', 'invalid'] as const;
export const POSITION_EVENTS = ['opened', 'increased', 'reduced', 'closed', 'stop', 'target', 'rejected'] as const;

const rule = { id: Id, to: z.array(Id).check(z.minLength(1), z.maxLength(10)), /** More than so many an hour are left out, and that is said. */ atMostPerHour: z.optional(z.int().check(z.gte(1), z.lte(1_000))) };
const some = <T extends z.ZodMiniType>(item: T) => z.optional(z.array(item).check(z.minLength(1), z.maxLength(500)));
const about = { /** Absent: all. */ traders: some(z.uuid()), symbols: some(z.string()) };

/** What is told, and where to. What a rule does not narrow down, it takes all of. */
export const NotificationRule = z.discriminatedUnion('on', [
  z.strictObject({ ...rule, on: z.literal('signal'), ...about, sides: some(z.enum(['long', 'short'])) }),
  z.strictObject({ ...rule, on: z.literal('decision'), ...about, decisions: some(Decision.shape.decision), minConfidence: z.optional(z.number().check(z.gte(0), z.lte(100))) }),
  z.strictObject({ ...rule, on: z.literal('position'), ...about, events: some(z.enum(POSITION_EVENTS)) }),
  z.strictObject({ ...rule, on: z.literal('trader'), traders: about.traders, states: some(z.enum(TRADER_STATES)) }),
  /** From this state on, and when it is over. `degraded` unless said. */
  z.strictObject({ ...rule, on: z.literal('health'), components: some(z.string()), from: z.optional(z.enum(['degraded', 'failing'])) }),
]);
export type NotificationRule = z.infer<typeof NotificationRule>;

const unique = (values: readonly { id: string }[]): boolean => new Set(values.map(({ id }) => id)).size === values.length;

/** A user's notifications: where to, and what. */
export const NotificationSettings = z.strictObject({
  channels: z.array(NotificationChannel).check(z.maxLength(10), z.refine(unique, 'each channel has an id of its own')),
  rules: z.array(NotificationRule).check(z.maxLength(50), z.refine(unique, 'each rule has an id of its own')),
}).check(z.refine(({ channels, rules }) => rules.every(({ to }) => to.every((id) => channels.some((channel) => channel.id === id))), 'every rule names channels that exist'));
export type NotificationSettings = z.infer<typeof NotificationSettings>;

/** A channel as it may be shown: of its secrets only that they are there. */
export type ChannelView =
  | { id: string; name: string; kind: 'telegram'; chatId: string; hasToken: true }
  | { id: string; name: string; kind: 'webhook'; form: 'json' | 'discord' | 'slack'; host: string; hasSecret: boolean };

/** What may be shown of a channel: a webhook by its host alone, for its path may be the secret. */
export function channelView(channel: NotificationChannel): ChannelView {
  const { id, name, kind } = channel;
  if (kind === 'telegram') return { id, name, kind, chatId: channel.chatId, hasToken: true };
  return { id, name, kind, form: channel.form, host: new URL(channel.url).host, hasSecret: channel.secret !== undefined };
}

/** Everything in the settings that must never be seen. */
export function notificationSecrets({ channels }: Pick<NotificationSettings, 'channels'>): string[] {
  return channels.flatMap((channel) => {
    if (channel.kind === 'telegram') return [channel.botToken];
    const { pathname, search } = new URL(channel.url);
    return [channel.url, ...(pathname.length > 8 ? [pathname] : []), ...(search.length > 4 ? [search] : []), ...(channel.secret === undefined ? [] : [channel.secret])];
  });
}

const fact = { /** The same fact has the same id, however often it is told. */ id: z.string().check(z.minLength(1)), /** Wall time, ms. */ at: z.int() };
const trader = { traderId: z.uuid(), traderName: z.string() };
const side = z.enum(['long', 'short']);

/** Something that a user may want to be told. */
export const NotificationEvent = z.discriminatedUnion('kind', [
  z.object({ ...fact, kind: z.literal('signal'), signal: Signal }),
  z.object({
    ...fact, kind: z.literal('decision'), ...trader, signalId: z.uuid(), symbol: z.string(), interval: z.string(), side, decision: Decision.shape.decision, confidence: z.number(), reasoning: z.string(),
    levels: z.optional(z.object({ entry: z.number(), stopLoss: z.number(), takeProfit: z.array(z.number()) })),
  }),
  z.object({
    ...fact, kind: z.literal('position'), ...trader, symbol: z.string(), side, event: z.enum(POSITION_EVENTS), paper: z.boolean(),
    /** Decimal numbers as text: money is never a float. */
    price: z.string(), quantity: z.string(), profit: z.optional(z.string()), sentence: z.optional(z.string()),
  }),
  z.object({ ...fact, kind: z.literal('trader'), ...trader, state: z.enum(TRADER_STATES), sentence: z.string() }),
  z.object({ ...fact, kind: z.literal('health'), component: z.string(), title: z.string(), state: z.enum(HEALTH_STATES), before: z.enum(HEALTH_STATES), sentence: z.string(), nextStep: z.optional(z.string()) }),
  z.object({ ...fact, kind: z.literal('test') }),
]);
export type NotificationEvent = z.infer<typeof NotificationEvent>;
export type NotificationKind = NotificationEvent['kind'];
