import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { NotificationEvent, type NotificationKind } from '@trademind/core';
import { makeFolder } from '../make-folder.ts';
import { isDiskFull } from '../state/database-file.ts';

export const QUEUE_FILE = 'notifications.db';
/** What was sent is remembered for so long, so that a fact that is told again is not sent again. */
const REMEMBERED_MS = 7 * 86_400_000;
/** Messages that wait for one channel at most; beyond it the least important and oldest go first. */
const MOST_WAITING = 500;
/** What is told first when several wait, and for how long a message is worth telling. */
const KINDS: Readonly<Record<NotificationKind, { priority: number; worthMs: number }>> = {
  position: { priority: 4, worthMs: 86_400_000 }, health: { priority: 3, worthMs: 86_400_000 }, trader: { priority: 2, worthMs: 86_400_000 },
  decision: { priority: 1, worthMs: 3_600_000 }, signal: { priority: 0, worthMs: 3_600_000 }, test: { priority: 0, worthMs: 0 },
};
const SCHEMA = `create table if not exists messages (
    id text not null, channel text not null, rule text not null, priority integer not null, event text not null, queued_at integer not null, expires_at integer not null,
    state text not null check (state in ('waiting', 'sent', 'refused', 'expired', 'dropped', 'limited')), attempts integer not null default 0, problem text, missed integer not null default 0,
    primary key (id, channel)) strict, without rowid;
  create index if not exists messages_waiting on messages (channel, priority desc, queued_at) where state = 'waiting';
  create index if not exists messages_of_rule on messages (rule, queued_at);
  create index if not exists messages_missed on messages (channel) where missed = 1;`;
/** Each brings the file of the version before it forward. Before the second one nobody knew when a message ended: those are not recorded. */
const MIGRATIONS = [
  SCHEMA,
  `alter table messages add column ended_at integer;
   alter table messages add column recorded integer not null default 0;
   update messages set recorded = 1 where state <> 'waiting';
   create index messages_ended on messages (ended_at) where recorded = 0 and ended_at is not null;`,
];

export type Outcome = 'sent' | 'refused' | 'expired' | 'dropped' | 'limited';
export interface Waiting { readonly id: string; readonly event: NotificationEvent; readonly attempts: number }
/**
 * How a message for a channel ended. `expired`: no longer worth telling; `dropped`: too many waited (`too_many_waiting`) or the channel is gone (`channel_gone`); `limited`: its rule had
 * given its share. `attempts`: requests made for it; `problem`: a stable code, of the last failure where it was sent after all; `event` is absent when it cannot be read; `at`: wall time, ms.
 */
export interface Ended { readonly id: string; readonly channel: string; readonly rule: string; readonly outcome: Outcome; readonly attempts: number; readonly problem: string | null; readonly at: number; readonly event?: NotificationEvent }

/**
 * Messages that wait, on disk: a restart forgets none and sends none twice. Each is in exactly one state. One that is not delivered in time
 * is marked as missed until the channel's user has been told so. Holds no secret: channels are named by their ids. All is synchronous.
 */
export class MessageQueue {
  readonly #db: DatabaseSync;

  /**
   * Opens or makes the queue. Messages are not worth a machine that does not start: a file that cannot be read is moved aside; on a full disk the file stays as it is for the next start,
   * and until then the queue is in memory alone. `trouble` says which.
   */
  static open(dataDir: string): { queue: MessageQueue; trouble?: { kind: 'moved aside' | 'in memory'; reason: string } } {
    const path = join(dataDir, QUEUE_FILE);
    try {
      makeFolder(dataDir, 0o700);
      return { queue: new MessageQueue(path) };
    } catch (error) {
      const reason = (error as Error).message;
      const inMemory = () => ({ queue: new MessageQueue(':memory:'), trouble: { kind: 'in memory' as const, reason } });
      if (isDiskFull(error)) return inMemory();
      for (const end of ['', '-wal', '-shm']) {
        try {
          renameSync(`${path}${end}`, `${path}${end}.broken`);
        } catch {
          // There is none.
        }
      }
      try {
        return { queue: new MessageQueue(path), trouble: { kind: 'moved aside', reason } };
      } catch {
        return inMemory();
      }
    }
  }

  private constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 5_000 });
    try {
      this.#db.exec('pragma journal_mode = wal; pragma synchronous = normal');
      const { user_version: version } = this.#all<{ user_version: number }>('pragma user_version')[0]!;
      if (version < MIGRATIONS.length) this.#db.exec(`begin immediate; ${MIGRATIONS.slice(version).join('\n')} pragma user_version = ${MIGRATIONS.length}; commit`);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Queues an event for a channel, or keeps it as left out when its rule has had its share. False when it is known already. */
  add({ event, channel, rule, limited, now }: { event: NotificationEvent; channel: string; rule: string; limited: boolean; now: number }): boolean {
    const { priority, worthMs } = KINDS[event.kind];
    return this.#run('insert into messages (id, channel, rule, priority, event, queued_at, expires_at, state, missed, ended_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing',
      event.id, channel, rule, priority, JSON.stringify(event), Math.floor(now), Math.floor(now) + worthMs, limited ? 'limited' : 'waiting', limited ? 1 : 0, limited ? Math.floor(now) : null) > 0;
  }

  /** The next that wait for a channel, the most important and then the oldest first. What a former version wrote and this one cannot read is set aside. */
  waiting(channel: string, limit: number, now: number): Waiting[] {
    const rows = this.#all<{ id: string; event: string; attempts: number }>("select id, event, attempts from messages where channel = ? and state = 'waiting' order by priority desc, queued_at, id limit ?", channel, limit);
    return rows.flatMap(({ id, event: text, attempts }) => {
      const event = readEvent(text);
      if (event === undefined) this.#end(channel, id, { outcome: 'refused', problem: 'unreadable', now, tried: 0 });
      return event === undefined ? [] : [{ id, event, attempts }];
    });
  }

  /** A request for these has ended: they went out, or the receiver will never take them. */
  settle(channel: string, ids: readonly string[], end: { outcome: 'sent' | 'refused'; problem: string | null; now: number }): void {
    for (const id of ids) this.#end(channel, id, { ...end, tried: 1 });
  }

  #end(channel: string, id: string, { outcome, problem, now, tried }: { outcome: Outcome; problem: string | null; now: number; tried: number }): void {
    this.#run("update messages set state = ?, problem = ?, missed = ?, attempts = attempts + ?, ended_at = ? where id = ? and channel = ? and state = 'waiting'",
      outcome, problem, outcome === 'sent' ? 0 : 1, tried, Math.floor(now), id, channel);
  }

  attempted(channel: string, ids: readonly string[], problem: string): void {
    for (const id of ids) this.#run('update messages set attempts = attempts + 1, problem = ? where id = ? and channel = ?', problem, id, channel);
  }

  /** Takes out what is no longer worth telling, and what is too much; forgets what is long done. Answers how many of each channel were missed by it. */
  tidy(at: number): Map<string, number> {
    const now = Math.floor(at);
    const missed = new Map<string, number>();
    const count = (rows: { channel: string }[]): void => { for (const { channel } of rows) missed.set(channel, (missed.get(channel) ?? 0) + 1); };
    count(this.#all("update messages set state = 'expired', missed = 1, ended_at = ? where state = 'waiting' and expires_at <= ? returning channel", now, now));
    for (const { channel, waiting } of this.#all<{ channel: string; waiting: number }>("select channel, count(*) as waiting from messages where state = 'waiting' group by channel")) {
      if (waiting > MOST_WAITING) {
        count(this.#all(`update messages set state = 'dropped', problem = 'too_many_waiting', missed = 1, ended_at = ? where channel = ? and id in
          (select id from messages where channel = ? and state = 'waiting' order by priority, queued_at limit ?) returning channel`, now, channel, channel, waiting - MOST_WAITING));
      }
    }
    this.#run("delete from messages where state <> 'waiting' and queued_at < ?", now - REMEMBERED_MS);
    return missed;
  }

  /** How many of a channel's messages never came, of which its user has not been told. */
  missed(channel: string): number {
    return this.#all<{ count: number }>('select count(*) as count from messages where channel = ? and missed = 1', channel)[0]?.count ?? 0;
  }

  toldMissed(channel: string): void {
    this.#run('update messages set missed = 0 where channel = ? and missed = 1', channel);
  }

  /** Messages that a rule gave since then. Of one event for several channels each counts. */
  ofRule(rule: string, since: number): number {
    return this.#all<{ count: number }>("select count(*) as count from messages where rule = ? and queued_at > ? and state <> 'limited'", rule, Math.floor(since))[0]?.count ?? 0;
  }

  /** Channels that are no more: what waits for them goes nowhere, and what they missed is told to nobody. Answers how many waited. */
  keepOnly(channels: readonly string[], now: number): number {
    const others = JSON.stringify(channels);
    this.#run('update messages set missed = 0 where missed = 1 and channel not in (select value from json_each(?))', others);
    return this.#run("update messages set state = 'dropped', problem = 'channel_gone', ended_at = ? where state = 'waiting' and channel not in (select value from json_each(?))", Math.floor(now), others);
  }

  /** How messages ended, oldest first, as far as nobody has kept it yet. */
  ended(limit: number): Ended[] {
    const rows = this.#all<Omit<Ended, 'event'> & { event: string }>(`select id, channel, rule, state as outcome, attempts, problem, ended_at as at, event from messages
      where recorded = 0 and ended_at is not null order by ended_at, id, channel limit ?`, limit);
    return rows.map(({ event: text, ...ended }) => {
      const event = readEvent(text);
      return { ...ended, ...(event && { event }) };
    });
  }

  /** Somebody keeps how these ended. */
  recorded(ended: readonly Pick<Ended, 'id' | 'channel'>[]): void {
    for (const { id, channel } of ended) this.#run('update messages set recorded = 1 where id = ? and channel = ?', id, channel);
  }

  stats(): { waiting: number; oldestAt: number | null } {
    return this.#all<{ waiting: number; oldestAt: number | null }>("select count(*) as waiting, min(queued_at) as oldestAt from messages where state = 'waiting'")[0]!;
  }

  #run(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#db.prepare(sql).run(...values).changes);
  }

  #all<T>(sql: string, ...values: SQLInputValue[]): T[] {
    return this.#db.prepare(sql).all(...values) as T[];
  }
}

function readEvent(text: string): NotificationEvent | undefined {
  try {
    const parsed = NotificationEvent.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
