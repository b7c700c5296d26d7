import { randomUUID } from 'node:crypto';
import { NotificationChannel } from '@trademind/core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asRole, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addTrader, addUser, deploy, machineClaims, refusalOf, signalRow } from './fixtures.ts';
import { analysisRow, decisionRow, eventRow, metricRow, noDecisionRow, notificationRow } from './fixtures-facts.ts';

let database: TestDatabase;
let user: string;
let machine: string;
let trader: string;
beforeAll(async () => { database = await createTestDatabase(); });
afterAll(async () => { await database.close(); });
beforeEach(async () => {
  user = await addUser(database.pool);
  machine = (await deploy(database.pool, user)).machine.id;
  trader = await addTrader(database.pool, user);
});

interface Written { written: number; duplicates: number; rejected: { kind: string; index: number; id: string | null; code: string; message: string }[] }
const write = async (facts: unknown, claims = machineClaims(machine, user)) =>
  (await asRole<{ a: Written }>(database.pool, 'machine', claims, 'select public.write_facts($1) as a', [JSON.stringify(facts)]))[0]?.a as Written;
const sql = async <T extends object>(text: string, values: unknown[] = []) => (await database.pool.query<T>(text, values)).rows;
const count = async (relation: string) => (await sql<{ n: number }>(`select count(*)::int as n from public.${relation} where user_id = $1`, [user]))[0]?.n;
const codes = ({ rejected }: Written) => rejected.map(({ kind, index, code }) => `${kind} ${index} ${code}`);

describe('writing facts', () => {
  test('one call takes every kind, a decision with its signal whatever the order of the keys; a repeat changes nothing', async () => {
    const signal = signalRow(trader);
    const facts = {
      metric: [metricRow(new Date())], notification: [notificationRow()], event: [eventRow()], analysis: [analysisRow({ signal_id: signal['id'] })], decision: [decisionRow(signal['id'])], signal: [signal],
    };
    expect(await write(facts)).toEqual({ written: 6, duplicates: 0, rejected: [] });
    expect(await write(facts)).toEqual({ written: 0, duplicates: 6, rejected: [] });
    for (const relation of ['signals', 'decisions', 'analyses', 'notifications']) expect(`${relation} ${await count(relation)}`).toBe(`${relation} 1`);
    expect(await sql('select kind, message, data, user_id, fact_id from public.machine_events where machine_id = $1 and fact_id is not null', [machine]))
      .toEqual([{ kind: 'crash', message: 'It crashed.', data: { code: 'oom' }, user_id: user, fact_id: facts.event[0]!['id'] }]);
  });

  test('each kind has rows that it refuses, each named by its place and code; the others are written', async () => {
    const signal = signalRow(trader);
    const written = await write({
      signal: [signal, signalRow(trader, { price: -1 })],
      decision: [noDecisionRow(randomUUID()), decisionRow(signal['id'], { document: null }), noDecisionRow(signal['id'])],
      analysis: [analysisRow({ nano_usd: -1 }), analysisRow({ prompt_hash: 'short' }), analysisRow()],
      event: [eventRow({ kind: 'Not A Kind' }), eventRow({ message: null }), eventRow({ data: { text: 'x'.repeat(3_000_000) } }), eventRow()],
      notification: [notificationRow({ outcome: 'maybe' }), notificationRow({ at: 'yesterday-ish' })],
      metric: [metricRow(new Date(Date.now() + 3_600_000)), metricRow(new Date(), { seconds: null }), metricRow(new Date(), { at: null }), metricRow(new Date())],
      order: [{ id: randomUUID() }, null],
    });
    expect(written).toMatchObject({ written: 5, duplicates: 0 });
    expect(codes(written)).toEqual([
      'signal 1 value_refused', 'decision 0 signal_unknown', 'decision 1 value_refused', 'analysis 0 value_refused', 'analysis 1 value_refused',
      'event 0 value_refused', 'event 1 value_missing', 'event 2 value_refused', 'notification 0 value_refused', 'notification 1 value_malformed',
      'metric 0 clock_ahead', 'metric 1 value_missing', 'metric 2 value_missing', 'order 0 kind_unknown', 'order 1 kind_unknown',
    ]);
    expect(written.rejected.every(({ message }) => message.length > 0)).toBe(true);
  });

  test('what is no such object, too much, or from a machine whose token ended, is refused as a whole', async () => {
    expect(await refusalOf(write([1]))).toBe('400 not_an_object');
    expect(await refusalOf(write({ signal: {} }))).toBe('400 not_an_array');
    expect(await refusalOf(write({ signal: Array(600).fill(signalRow(trader)), event: Array(401).fill(eventRow()) }))).toBe('413 too_many_rows');
    expect(await refusalOf(write({}, machineClaims(machine, user, 2)))).toBe('401 token_revoked');
    expect(await write({})).toEqual({ written: 0, duplicates: 0, rejected: [] });
  });

  test('whose fact it is comes from the token, and nobody can occupy the id of another user\'s fact', async () => {
    const thief = await addUser(database.pool);
    const thiefMachine = machineClaims((await deploy(database.pool, thief)).machine.id, thief);
    const [call, note, happened] = [analysisRow({ user_id: user, machine_id: machine }), notificationRow({ user_id: user }), eventRow({ machine_id: machine })];
    await write({ analysis: [call], notification: [note], event: [happened] }, thiefMachine);
    expect([await count('analyses'), await count('notifications')]).toEqual([0, 0]);
    expect(await write({ analysis: [call], notification: [note], event: [happened] })).toMatchObject({ written: 3 });
    const signal = signalRow(trader);
    await write({ signal: [signal] });
    expect(codes(await write({ decision: [decisionRow(signal['id'])] }, thiefMachine))).toEqual(['decision 0 signal_unknown']);
  });

  test('a notification names its channel and its rule by what the settings take for an id, no more and no less', async () => {
    const ids = ['phone', '2', '9-lives', 'a'.repeat(40), 'a'.repeat(41), '', '-a', 'my_phone', 'Phone', 'phöne', 'a\n', 'a b', '7-'];
    const taken = (id: string) => NotificationChannel.safeParse({ id, name: 'Mine', kind: 'telegram', botToken: `123456789:${'A'.repeat(35)}`, chatId: '42' }).success;
    const rows = ids.map((channel) => notificationRow({ channel }));
    const { rejected } = await write({ notification: rows });
    expect(rejected.map(({ code }) => code)).toEqual(rejected.map(() => 'value_refused'));
    const refused = new Set(rejected.map(({ index }) => index));
    expect(ids.filter((_, index) => !refused.has(index))).toEqual(ids.filter(taken));
    expect(ids.filter(taken)).toHaveLength(5);
  });

  test('a delivery that is told twice, alone or among others, is one row, and its user alone reads it', async () => {
    const [once, again] = [notificationRow({ outcome: 'failed', code: 'telegram_message_refused', message: 'It was refused for good.' }), notificationRow()];
    await write({ notification: [once] });
    expect(await write({ notification: [once, again, { ...once, outcome: 'sent', code: null, message: null }] })).toEqual({ written: 1, duplicates: 2, rejected: [] });
    const read = (sub: string) => asRole<{ outcome: string; code: string | null }>(database.pool, 'authenticated', { sub }, 'select outcome, code from public.notifications order by outcome');
    expect(await read(user)).toEqual([{ outcome: 'failed', code: 'telegram_message_refused' }, { outcome: 'sent', code: null }]);
    expect(await read(await addUser(database.pool))).toEqual([]);
    for (const change of [`update public.notifications set outcome = 'sent'`, 'delete from public.notifications', `insert into public.notifications (user_id) values (gen_random_uuid())`]) {
      for (const role of ['authenticated', 'machine', 'anon'] as const) expect(await refusalOf(asRole(database.pool, role, role === 'machine' ? machineClaims(machine, user) : { sub: user }, change))).toBe('42501');
    }
  });

  test('an event never comes from the future, and those of one batch are numbered in their order', async () => {
    const events = Array.from({ length: 20 }, (_, index) => eventRow({ kind: `step${index}`, at: '2999-01-01T00:00:00Z' }));
    await write({ event: events });
    const rows = await sql<{ kind: string; early: boolean }>('select kind, at <= clock_timestamp() as early from public.machine_events where machine_id = $1 and fact_id is not null order by id', [machine]);
    expect(rows.map(({ kind }) => kind)).toEqual(events.map(({ kind }) => kind));
    expect(rows.every(({ early }) => early)).toBe(true);
  });
});

describe('usage', () => {
  const usage = () => sql(`select day::text, model, calls, tokens_in::int, tokens_out::int, nano_usd::int from public.usage where user_id = $1 order by day, model`, [user]);

  test('adds up each call once, by day (UTC) and model, whoever sends it again', async () => {
    const calls = [
      analysisRow({ started_at: '2026-11-25T23:59:59Z' }), analysisRow({ started_at: '2026-11-26T00:00:00Z' }), analysisRow({ started_at: '2026-11-26T01:00:00+02:00', model: 'other' }),
    ];
    await write({ analysis: calls });
    await write({ analysis: [...calls, analysisRow({ started_at: '2026-11-26T05:00:00Z', tokens_in: 1, tokens_out: 2, nano_usd: 3 })] });
    expect(await usage()).toEqual([
      { day: '2026-11-25', model: 'gemini-3.5-flash-lite', calls: 1, tokens_in: 1_200, tokens_out: 300, nano_usd: 1_110_000 },
      { day: '2026-11-25', model: 'other', calls: 1, tokens_in: 1_200, tokens_out: 300, nano_usd: 1_110_000 },
      { day: '2026-11-26', model: 'gemini-3.5-flash-lite', calls: 2, tokens_in: 1_201, tokens_out: 302, nano_usd: 1_110_003 },
    ]);
  });

  test('of two machines that write at once is the sum of both', async () => {
    const second = (await deploy(database.pool, user, 'production')).machine.id;
    const many = () => Array.from({ length: 50 }, () => analysisRow({ started_at: '2026-11-26T00:00:00Z' }));
    await Promise.all(Array.from({ length: 8 }, (_, index) => write({ analysis: many() }, machineClaims(index % 2 ? machine : second, user))));
    expect(await usage()).toMatchObject([{ calls: 400, nano_usd: 400 * 1_110_000 }]);
  });

  test('of a day (UTC) is read back call by call, newest first and page by page, by the user\'s machines alone', async () => {
    const second = machineClaims((await deploy(database.pool, user, 'production')).machine.id, user);
    const thief = await addUser(database.pool);
    const thiefMachine = machineClaims((await deploy(database.pool, thief)).machine.id, thief);
    const calls = Array.from({ length: 7 }, (_, n) => analysisRow({ started_at: `2026-11-26T0${Math.floor(n / 3)}:00:00.123Z`, tokens_in: n }));
    await write({ analysis: [...calls, analysisRow({ started_at: '2026-11-25T23:59:59.999Z' }), analysisRow({ started_at: '2026-11-27T00:00:00Z' })] });
    await write({ analysis: [analysisRow({ started_at: '2026-11-26T01:00:00Z' })] }, thiefMachine);
    const read = async (claims: Record<string, unknown>, limit: number, last?: Record<string, unknown>) => (await asRole<{ a: Record<string, unknown>[] }>(
      database.pool, 'machine', claims, 'select public.analyses_of_day($1, $2, $3, $4) as a', ['2026-11-26', limit, last?.['started_at'] ?? null, last?.['id'] ?? null]))[0]!.a;
    const order = (rows: Record<string, unknown>[]) => rows.map(({ id }) => id);
    const expected = calls.toSorted((a, b) => String(b['started_at']).localeCompare(String(a['started_at'])) || String(a['id']).localeCompare(String(b['id'])));
    expect(order(await read(second, 1_000))).toEqual(order(expected));
    const pages: Record<string, unknown>[][] = [await read(second, 2)];
    while (pages.at(-1)!.length === 2) pages.push(await read(second, 2, pages.at(-1)!.at(-1)));
    expect(order(pages.flat())).toEqual(order(expected));
    expect(pages[0]![0]).toEqual({ ...expected[0], started_at: expect.stringContaining('2026-11-26T02:00:00.123') });
    expect((await read(thiefMachine, 1_000)).length).toBe(1);
    expect(await read(second, -1)).toEqual([]);
    expect(await refusalOf(read(machineClaims(machine, user, 2), 1))).toBe('401 token_revoked');
  });

  test('outlives the signal that the call was for', async () => {
    const signal = signalRow(trader);
    await write({ signal: [signal], decision: [decisionRow(signal['id'])], analysis: [analysisRow({ signal_id: signal['id'] })] });
    await sql('delete from public.signals where user_id = $1', [user]);
    expect([await count('decisions'), await count('analyses'), await count('usage')]).toEqual([0, 1, 1]);
  });
});

describe('metrics', () => {
  const rows = (resolution: string) => sql<{ at: Date; seconds: number; cpu_percent: number; cpu_percent_max: number; candles: string; outbox_rows_max: number }>(
    'select at, seconds, cpu_percent, cpu_percent_max, candles, outbox_rows_max from public.machine_metrics where machine_id = $1 and resolution = $2 order by at', [machine, resolution]);
  const hour = () => new Date(Math.floor(Date.now() / 3_600_000) * 3_600_000);

  test('minutes add up to hours and days as they arrive, in any order and batch, each once', async () => {
    const start = hour().getTime() - 7_200_000;
    const minutes = Array.from({ length: 120 }, (_, index) => metricRow(new Date(start + index * 60_000), {
      cpu_percent: index, cpu_percent_max: 100 + index, seconds: index % 2 ? 60 : 30, candles: 2, outbox_rows_max: index,
    }));
    for (const batch of [minutes.slice(60), minutes.slice(0, 70), minutes]) await write({ metric: batch });
    expect(await rows('minute')).toHaveLength(120);
    const hours = await rows('hour');
    expect(hours).toHaveLength(2);
    for (const [index, one] of hours.entries()) {
      const own = minutes.slice(index * 60, index * 60 + 60);
      const seconds = own.reduce((sum, row) => sum + Number(row['seconds']), 0);
      expect(one).toMatchObject({ seconds, candles: '120', cpu_percent_max: 159 + index * 60, outbox_rows_max: 59 + index * 60 });
      expect(one.cpu_percent).toBeCloseTo(own.reduce((sum, row) => sum + Number(row['cpu_percent']) * Number(row['seconds']), 0) / seconds, 3);
    }
    const days = await rows('day');
    expect(days.reduce((sum, { candles }) => sum + Number(candles), 0)).toBe(240);
    expect(days.reduce((sum, { seconds }) => sum + seconds, 0)).toBe(120 * 45);
  });

  test('minutes older than two days are not taken, those older than three are swept, and their hours stay', async () => {
    const old = new Date(Date.now() - 50 * 3_600_000);
    expect(await write({ metric: [metricRow(old)] })).toEqual({ written: 0, duplicates: 1, rejected: [] });
    await write({ metric: [metricRow(hour())] });
    await sql(`update public.machine_metrics set at = at - interval '4 days' where machine_id = $1`, [machine]);
    await write({ metric: [metricRow(hour())] });
    expect([(await rows('minute')).length, (await rows('hour')).length]).toEqual([1, 2]);
  });
});

describe('what is too old', () => {
  test('is swept by whoever writes of the same kind, and nobody else\'s', async () => {
    const other = await addUser(database.pool);
    const otherMachine = (await deploy(database.pool, other)).machine.id;
    const otherTrader = await addTrader(database.pool, other);
    for (const [who, whose, traderId] of [[machine, user, trader], [otherMachine, other, otherTrader]] as const) {
      const signal = signalRow(traderId, { open_time: '2020-01-01T00:00:00Z', close_time: '2020-01-01T00:01:00Z' });
      await write({ signal: [signal], decision: [decisionRow(signal['id'])], analysis: [analysisRow({ started_at: '2020-01-01T00:00:00Z' })], notification: [notificationRow({ at: '2020-01-01T00:00:00Z' })] }, machineClaims(who, whose));
    }
    const left = async (whose: string) => (await sql<{ n: string }>(`select concat_ws(' ', (select count(*) from public.signals where user_id = $1), (select count(*) from public.decisions where user_id = $1),
      (select count(*) from public.analyses where user_id = $1), (select count(*) from public.notifications where user_id = $1)) as n`, [whose]))[0]?.n;
    // Market time may be shifted: a signal that was written today stays, however old its candle. A call says its own, true time.
    expect(await left(user)).toBe('1 1 0 0');
    await sql(`update public.signals set created_at = '2020-01-01'`);
    const fresh = signalRow(trader);
    await write({ signal: [fresh] });
    expect([await left(user), await left(other)]).toEqual(['1 0 0 0', '1 1 0 0']);
    expect(await count('usage')).toBe(1);
  });

  test('events stay for 400 days whoever asks, and are swept after that', async () => {
    await write({ event: [eventRow({ at: '2020-01-01T00:00:00Z' }), eventRow({ kind: 'fresh' })] });
    expect((await sql<{ kind: string }>('select kind from public.machine_events where machine_id = $1 and fact_id is not null', [machine])).map(({ kind }) => kind)).toEqual(['fresh']);
    expect(await refusalOf(sql('delete from public.machine_events where machine_id = $1', [machine]))).toBe('403 append_only');
    expect(await refusalOf(sql(`update public.machine_events set message = 'x' where machine_id = $1`, [machine]))).toBe('403 append_only');
    expect(await refusalOf(sql('truncate public.machine_events cascade'))).toBe('403 append_only');
  });
});
