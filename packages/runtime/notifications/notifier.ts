import type { lookup } from 'node:dns';
import { codeOf, notificationSecrets, redact, type NotificationEvent, type NotificationRule, type NotificationSettings } from '@trademind/core';
import type { Log } from '../log.ts';
import { every, type Wall } from '../time.ts';
import { deliver } from './deliver.ts';
import { sentenceOfDelivery, type DeliveryContext } from './delivery.ts';
import { Lane } from './lane.ts';
import { MessageQueue, type Ended } from './message-queue.ts';
import { ruleWants } from './rules.ts';

const TIDY_MS = 60_000;
const HOUR_MS = 3_600_000;
/** What a rule gives in an hour at most, unless it says otherwise. */
const USUAL_PER_HOUR = 60;
const TEST_GAP_MS = 5_000;
const GRACE_MS = 3_000;
const RECORD_AT_ONCE = 100;
/** The rule of a message that its user asked for. */
const TEST_RULE = 'test';

export interface NotifierOptions {
  dataDir: string;
  machineId: string;
  wall: Wall;
  log: Log;
  /** Keeps how messages ended. After a kill or an error it hears of the same ones again; it may throw. */
  record: (ended: readonly Ended[]) => void;
  /** Webhooks may go to private addresses and by plain http: for receivers in one's own network. */
  allowPrivate?: boolean;
  /** Telegram's Bot API. */
  telegramUrl?: string;
  /** How names are looked up; the system's way unless given. */
  resolver?: typeof lookup;
}

export interface TestAnswer { ok: boolean; code: string; message: string }

/**
 * Tells a user what matters, by their own rules, on their own channels: Telegram and webhooks. What is to be told goes to disk first, is paced and
 * retried, and is sent once. The settings hold secrets: they stay in memory and are in no log, no error and no file.
 */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #queue: MessageQueue;
  readonly #context: Omit<DeliveryContext, 'signal'>;
  readonly #lanes = new Map<string, Lane>();
  readonly #testedAt = new Map<string, number>();
  readonly #endTidying: () => void;
  readonly #limited = new Set<string>();
  #settings: NotificationSettings = { channels: [], rules: [] };
  #secrets: readonly string[] = [];
  #stopping: Promise<unknown>[] = [];
  #stopped: Promise<void> | undefined;
  #diskProblem: { code: string; message: string } | null = null;
  #unrecorded = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    const { wall, log, dataDir } = options;
    const { queue, trouble } = MessageQueue.open(dataDir);
    this.#queue = queue;
    if (trouble?.kind === 'moved aside') log('warn', 'notification_queue_broken', `The queue of messages could not be read (${trouble.reason}); it was moved aside and begun anew.`);
    if (trouble?.kind === 'in memory') log('error', 'notification_not_kept', `The queue of messages cannot be opened (${trouble.reason}): until the next start messages are kept in memory alone. Free some space in the data folder.`);
    this.#context = { machineId: options.machineId, epoch: wall.epoch, allowPrivate: options.allowPrivate ?? false, telegramUrl: options.telegramUrl ?? 'https://api.telegram.org', ...(options.resolver && { resolver: options.resolver }) };
    this.#endTidying = every(TIDY_MS, wall, () => this.#guard(() => this.#tidy()));
  }

  /** The user's channels and rules from now on. A channel that is as it was goes on undisturbed; what waits for one that is gone is dropped. */
  set(settings: NotificationSettings): void {
    if (this.#stopped) return;
    this.#settings = settings;
    // Those of before may still be in a text that is under way.
    this.#secrets = [...new Set([...notificationSecrets(settings), ...this.#secrets])].slice(0, 100);
    for (const [id, lane] of this.#lanes) {
      if (settings.channels.some((channel) => same(channel, lane.channel))) continue;
      this.#lanes.delete(id);
      this.#stopping.push(lane.stop(0));
    }
    this.#guard(() => {
      const dropped = this.#queue.keepOnly(settings.channels.map(({ id }) => id), this.#options.wall.epoch());
      if (dropped > 0) this.#options.log('info', 'notification_dropped', `${dropped} messages waited for channels that are no more: they go nowhere.`);
      this.#record();
    });
    for (const channel of settings.channels) {
      if (this.#lanes.has(channel.id)) continue;
      const lane = new Lane({ channel, queue: this.#queue, wall: this.#options.wall, log: this.#options.log, secrets: this.#secrets, context: this.#context, onEnded: () => this.#record() });
      this.#lanes.set(channel.id, lane);
      lane.start();
    }
  }

  /** Something happened: who wants to be told is told. An event that is told again changes nothing. Never throws. */
  notify(event: NotificationEvent): void {
    if (this.#stopped) return;
    this.#guard(() => {
      const now = this.#options.wall.epoch();
      for (const rule of this.#settings.rules.filter((one) => ruleWants(one, event))) {
        const limited = this.#queue.ofRule(rule.id, now - HOUR_MS) >= (rule.atMostPerHour ?? USUAL_PER_HOUR) * rule.to.length;
        this.#sayLimited(rule, limited);
        for (const channel of rule.to) {
          if (this.#queue.add({ event, channel, rule: rule.id, limited, now }) && !limited) this.#lanes.get(channel)?.nudge();
        }
      }
      this.#diskProblem = null;
    });
  }

  /** Sends a test message now, past the queue, and says how that went. */
  async test(channelId: string): Promise<TestAnswer> {
    const { wall } = this.#options;
    const channel = this.#settings.channels.find(({ id }) => id === channelId);
    if (!channel) return { ok: false, code: 'channel_unknown', message: 'There is no such channel.' };
    if (wall.now() - (this.#testedAt.get(channelId) ?? -Infinity) < TEST_GAP_MS) return { ok: false, code: 'too_soon', message: 'A test was just sent: wait a few seconds.' };
    this.#testedAt.set(channelId, wall.now());
    const at = wall.epoch();
    const event = { kind: 'test', id: `test:${channelId}:${at}`, at } as const;
    const delivery = await deliver(channel, [event], 0, { ...this.#context, signal: AbortSignal.timeout(GRACE_MS * 4) });
    this.#keep([{ id: event.id, channel: channelId, rule: TEST_RULE, attempts: 1, at: wall.epoch(), event, ...(delivery.kind === 'sent' ? { outcome: 'sent', problem: null } : { outcome: 'refused', problem: delivery.code }) }]);
    if (delivery.kind !== 'sent') return { ok: false, code: delivery.code, message: redact(sentenceOfDelivery(delivery), this.#secrets) };
    // What held it back may be mended.
    this.#lanes.get(channelId)?.mended();
    return { ok: true, code: 'sent', message: `The test message has reached ${channel.kind === 'telegram' ? 'Telegram' : new URL(channel.url).host}.` };
  }

  /** Messages that wait, the age of the oldest, and how each channel fares. For health and metrics. */
  stats(): { waiting: number; oldestMs: number; channels: { id: string; name: string; problem: { code: string; message: string } | null }[] } {
    const { waiting, oldestAt } = this.#stopped ? { waiting: 0, oldestAt: null } : this.#queue.stats();
    return { waiting, oldestMs: oldestAt === null ? 0 : Math.max(0, this.#options.wall.epoch() - oldestAt), channels: [...this.#lanes.values()].map(({ channel: { id, name }, problem }) => ({ id, name, problem })) };
  }

  problems(): { code: string; message: string }[] {
    return [...(this.#diskProblem ? [this.#diskProblem] : []), ...[...this.#lanes.values()].flatMap(({ channel, problem }) => (problem ? [{ code: problem.code, message: `${channel.name}: ${problem.message}` }] : []))];
  }

  /** Ends everything; requests under way may still end, for three seconds. What waits, waits on disk. */
  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#endTidying();
      await Promise.all([...this.#stopping, ...[...this.#lanes.values()].map((lane) => lane.stop(GRACE_MS))]);
      this.#queue.close();
    })();
    return this.#stopped;
  }

  #tidy(): void {
    for (const [channel, count] of this.#queue.tidy(this.#options.wall.epoch())) {
      this.#options.log('warn', 'notification_missed', `${count} messages for ${this.#lanes.get(channel)?.channel.name ?? channel} could not be delivered in time and are given up; the next one says so.`);
    }
    this.#record();
  }

  /** How messages ended goes to whoever keeps that. What fails is done again with the next one, or within a minute. */
  #record(): void {
    let ended: Ended[];
    do {
      ended = this.#queue.ended(RECORD_AT_ONCE);
      if (ended.length === 0 || !this.#keep(ended)) return;
      this.#queue.recorded(ended);
    } while (ended.length === RECORD_AT_ONCE);
  }

  #keep(ended: readonly Ended[]): boolean {
    try {
      this.#options.record(ended);
      this.#unrecorded = false;
      return true;
    } catch (error) {
      if (!this.#unrecorded) this.#options.log('warn', 'notification_unrecorded', `How messages ended cannot be kept (${codeOf(error)}); it is tried again.`);
      this.#unrecorded = true;
      return false;
    }
  }

  #sayLimited(rule: NotificationRule, limited: boolean): void {
    if (!limited) {
      this.#limited.delete(rule.id);
      return;
    }
    if (this.#limited.has(rule.id)) return;
    this.#limited.add(rule.id);
    this.#options.log('warn', 'notification_limited', `The rule ${rule.id} has given ${rule.atMostPerHour ?? USUAL_PER_HOUR} messages within an hour: further ones are left out, and the next message says how many.`);
  }

  /** A disk that cannot be written must not disturb whoever tells something. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (this.#diskProblem === null) this.#options.log('error', 'notification_not_kept', `A message could not be kept on disk (${codeOf(error)}): it is not sent. Free some space in the data folder.`);
      this.#diskProblem = { code: 'notification_not_kept', message: `Messages cannot be kept on disk (${codeOf(error)}).` };
    }
  }
}

const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b);
