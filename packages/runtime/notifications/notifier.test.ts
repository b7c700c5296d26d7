import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { channelView, NotificationSettings, notificationSecrets, type NotificationChannel, type NotificationEvent, type NotificationRule } from '@trademind/core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testSignal } from '../../../tests/support/feed.ts';
import { systemWall, type Wall } from '../time.ts';
import { QUEUE_FILE, type Ended } from './message-queue.ts';
import { Notifier, type NotifierOptions } from './notifier.ts';
import { ruleWants } from './rules.ts';
import { signed } from './signing.ts';

const SPEED = 40;
/** So much earlier than asked a timer may fire. */
const TICK = 2 * SPEED;
/** A wall on which all waits are short; its times fit to them. */
const fastWall: Wall = { epoch: () => 1_700_000_000_000 + performance.now() * SPEED, now: () => performance.now() * SPEED, random: () => 0.5, after: (ms, work) => systemWall.after(ms / SPEED, work) };
const TOKEN = '123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw7';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G';

interface Seen { path: string; headers: IncomingHttpHeaders; body: Record<string, unknown>; text: string; at: number }
let server: Server;
let base: string;
let seen: Seen[];
/** What the stand-in answers; by default what Telegram, Discord and Slack say when all is well. */
let respond: (request: Seen) => { status: number; body?: unknown; headers?: Record<string, string>; never?: boolean };
let dataDir: string;
let notifiers: Notifier[];
let logged: { code: string; message: string }[];
/** How messages ended, as it was told. */
let kept: Ended[];

beforeEach(async () => {
  [seen, notifiers, logged, kept] = [[], [], [], []];
  respond = () => ({ status: 200, body: { ok: true } });
  dataDir = mkdtempSync(join(tmpdir(), 'tm-notify-'));
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const one: Seen = { path: request.url!, headers: request.headers, body: JSON.parse(text) as Record<string, unknown>, text, at: performance.now() * SPEED };
      seen.push(one);
      const { status, body, headers, never } = respond(one);
      if (!never) response.writeHead(status, headers).end(JSON.stringify(body ?? {}));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await Promise.all(notifiers.map((notifier) => notifier.stop()));
  server.closeAllConnections();
  server.close();
  rmSync(dataDir, { recursive: true });
});

const telegram = (over: Partial<Extract<NotificationChannel, { kind: 'telegram' }>> = {}): NotificationChannel => ({ id: 'me', name: 'My phone', kind: 'telegram', botToken: TOKEN, chatId: '42', ...over });
const webhook = (over: Partial<Extract<NotificationChannel, { kind: 'webhook' }>> = {}): NotificationChannel => ({ id: 'hook', name: 'My server', kind: 'webhook', form: 'json', url: `${base}/hook/aVerySecretPath`, secret: SECRET, ...over });
const settings = (channels: NotificationChannel[], rules: NotificationRule[] = [{ id: 'all', on: 'signal', to: channels.map(({ id }) => id) }]): NotificationSettings => NotificationSettings.parse({ channels, rules });

function start(to: NotificationSettings, over: Partial<NotifierOptions> = {}): Notifier {
  const notifier = new Notifier({ dataDir, machineId: 'm1', wall: fastWall, log: (_level, code, message) => logged.push({ code, message }), record: (ended) => { kept.push(...ended); }, allowPrivate: true, telegramUrl: base, ...over });
  notifiers.push(notifier);
  notifier.set(to);
  return notifier;
}
let made = 0;
const signal = (over: Parameters<typeof testSignal>[0] = {}): NotificationEvent => { const one = testSignal(over); made += 1; return { kind: 'signal', id: `signal:${one.id}`, at: made, signal: one }; };
async function until(what: string, holds: () => boolean, ms = 40_000): Promise<void> {
  for (const end = performance.now() + ms; !holds();) {
    if (performance.now() > end) throw new Error(`waited in vain: ${what}; ${JSON.stringify(logged)}; ${seen.length} requests`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}
const rest = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 150); });

describe('a message goes out', () => {
  test('to Telegram as its Bot API takes it, and to a webhook signed, with its id and time', async () => {
    const event = signal({ traderName: 'Dip <b>', symbol: 'BTCUSDT' });
    const began = fastWall.epoch();
    start(settings([telegram(), webhook()])).notify(event);
    await until('both have it', () => seen.length === 2);
    const [toTelegram, toHook] = ['/bot', '/hook'].map((path) => seen.find((one) => one.path.startsWith(path))!) as [Seen, Seen];
    expect(toTelegram.path).toBe(`/bot${TOKEN}/sendMessage`);
    expect(toTelegram.body).toMatchObject({ chat_id: '42', parse_mode: 'HTML', text: expect.stringContaining('Dip &lt;b&gt;') as string });
    expect(toHook.body).toMatchObject({ type: 'trademind.signal', id: event.id, machine: 'm1', data: { signal: { symbol: 'BTCUSDT' } } });
    expect(toHook.headers).toMatchObject(signed(event.id, Number(toHook.headers['webhook-timestamp']) * 1_000, toHook.text, SECRET));
    const told = Number(toHook.headers['webhook-timestamp']) * 1_000;
    expect([told > began - 1_000, told <= fastWall.epoch()]).toEqual([true, true]);
  });

  test('once, however often it is told, and not again after a restart', async () => {
    const event = signal();
    const first = start(settings([telegram()]));
    first.notify(event);
    first.notify(event);
    await until('it went out', () => seen.length === 1 && first.stats().waiting === 0);
    await first.stop();
    const second = start(settings([telegram()]));
    second.notify(event);
    await rest();
    expect(seen).toHaveLength(1);
  });

  test('in the forms of Discord and Slack', async () => {
    start(settings([webhook({ id: 'd', form: 'discord', url: `${base}/discord` }), webhook({ id: 's', form: 'slack', url: `${base}/slack` })])).notify(signal());
    await until('both have it', () => seen.length === 2);
    expect(seen.find(({ path }) => path === '/discord')?.body).toMatchObject({ allowed_mentions: { parse: [] }, embeds: [{ title: 'Long BTCUSDT at 64,250.5' }] });
    expect(seen.find(({ path }) => path === '/slack')?.body).toMatchObject({ text: 'Long BTCUSDT at 64,250.5', blocks: [{ type: 'header' }, { type: 'section' }] });
  });

  test('many at once become one for people, and stay each its own for programs; the pace is kept', async () => {
    const notifier = start(settings([telegram({ chatId: '-100' }), webhook()]));
    for (let index = 0; index < 12; index++) notifier.notify(signal());
    await until('all went out', () => notifier.stats().waiting === 0);
    const toTelegram = seen.filter(({ path }) => path.startsWith('/bot'));
    expect(toTelegram.length).toBeLessThanOrEqual(3);
    expect(toTelegram.at(-1)?.body['text']).toMatch(/^<b>\d+ messages<\/b>\n\d\d:\d\d Long BTCUSDT/);
    const toHook = seen.filter(({ path }) => path.startsWith('/hook'));
    expect(new Set(toHook.map(({ body }) => body['id'])).size).toBe(12);
    for (const [list, gap] of [[toTelegram, 3_200], [toHook, 200]] as const) for (const [index, one] of list.slice(1).entries()) expect(one.at - list[index]!.at).toBeGreaterThanOrEqual(gap * 0.7);
  });
});

describe('a message that cannot go out', () => {
  test('is tried again with longer waits until it does, and outlives a restart', async () => {
    respond = () => ({ status: 502 });
    const event = signal();
    const waits: number[] = [];
    const first = start(settings([telegram()]), { wall: { ...fastWall, after: (ms, work) => { waits.push(ms); return fastWall.after(ms, work); } } });
    first.notify(event);
    await until('it was tried', () => seen.length >= 3);
    // Beside the second between any two requests and the minute in which all is tidied.
    expect(waits.filter((ms) => ms > 1_100 && ms < 60_000).slice(0, 2)).toEqual([1_500, 3_000]);
    expect(first.problems()).toEqual([{ code: 'telegram_failing', message: 'My phone: Telegram answered HTTP 502.' }]);
    await first.stop();
    respond = () => ({ status: 200, body: { ok: true } });
    seen = [];
    const second = start(settings([telegram()]));
    await until('it went out', () => second.stats().waiting === 0);
    expect(seen).toHaveLength(1);
    expect(logged.filter(({ code }) => code === 'telegram_failing')).toHaveLength(1);
  });

  test('waits as long as the receiver says', async () => {
    respond = () => (seen.length === 1 ? { status: 429, body: { ok: false, parameters: { retry_after: 20 } } } : { status: 200, body: { ok: true } });
    const notifier = start(settings([telegram()]));
    notifier.notify(signal());
    await until('it went out', () => notifier.stats().waiting === 0 && seen.length === 2);
    expect(seen[1]!.at - seen[0]!.at).toBeGreaterThanOrEqual(20_000 - TICK);
    seen = [];
    respond = ({ path }) => (seen.length === 1 ? (path === '/d' ? { status: 429, body: { retry_after: 8.5 } } : { status: 429, headers: { 'retry-after': '8' } }) : { status: 204 });
    const other = start(settings([webhook({ form: 'discord', url: `${base}/d` })]), { dataDir: join(dataDir, 'discord') });
    other.notify(signal());
    await until('it went out', () => other.stats().waiting === 0 && seen.length === 2);
    expect(seen[1]!.at - seen[0]!.at).toBeGreaterThanOrEqual(8_500 - TICK);
  });

  test('because the receiver hangs holds up no other channel', async () => {
    respond = ({ path }) => (path.startsWith('/bot') ? { status: 200, never: true } : { status: 200 });
    const notifier = start(settings([telegram(), webhook()]));
    for (let index = 0; index < 5; index++) notifier.notify(signal());
    await until('the webhook has all', () => seen.filter(({ path }) => path.startsWith('/hook')).length === 5);
    const began = performance.now();
    await notifier.stop();
    // A receiver that hangs is given up after ten.
    expect(performance.now() - began).toBeLessThan(9_500);
  });

  test('because the channel is refused waits for someone to mend it, and goes at once when a test comes through', async () => {
    respond = () => ({ status: 403, body: { ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' } });
    const notifier = start(settings([telegram()]));
    notifier.notify(signal());
    await until('it was tried', () => notifier.problems().length === 1);
    expect(notifier.problems()[0]).toMatchObject({ code: 'telegram_chat_refused', message: expect.stringContaining('press Start') as string });
    await rest();
    expect(seen).toHaveLength(1);
    expect(await notifier.test('me')).toMatchObject({ ok: false, code: 'telegram_chat_refused' });
    await rest();
    respond = () => ({ status: 200, body: { ok: true } });
    expect(await notifier.test('me')).toEqual({ ok: true, code: 'sent', message: 'The test message has reached Telegram.' });
    await until('what waited went out', () => notifier.stats().waiting === 0);
    expect(notifier.problems()).toEqual([]);
  });

  test('because the message itself is refused is given up and said with the next one', async () => {
    respond = () => (seen.length === 1 ? { status: 400, body: { ok: false, description: "Bad Request: can't parse entities" } } : { status: 200, body: { ok: true } });
    const notifier = start(settings([telegram()]));
    notifier.notify(signal());
    await until('it was given up', () => notifier.stats().waiting === 0);
    expect(logged).toMatchObject([{ code: 'telegram_message_refused' }]);
    notifier.notify(signal());
    await until('the next went out', () => seen.length === 2);
    expect(seen[1]?.body['text']).toContain('(1 earlier message was left out: too many, or too late.)');
  });

  test('a moved group, an unknown token and a redirect say what to set', async () => {
    const answers: [string, { status: number; body?: unknown; headers?: Record<string, string> }, RegExp][] = [
      ['me', { status: 400, body: { ok: false, parameters: { migrate_to_chat_id: -100_777 } } }, /chat id is now -100777/], ['me', { status: 401, body: { ok: false } }, /@BotFather/],
      ['hook', { status: 301, headers: { location: 'http://127.0.0.1/else' } }, /redirect, which is not followed/], ['hook', { status: 410 }, /may have been deleted/],
    ];
    for (const [index, [channel, answer, words]] of answers.entries()) {
      respond = () => answer;
      const notifier = start(settings([telegram(), webhook()]), { dataDir: join(dataDir, String(index)) });
      expect(await notifier.test(channel)).toMatchObject({ ok: false, message: expect.stringMatching(words) as string });
    }
  });
});

describe('rules', () => {
  test('a rule gives so many messages an hour; what it leaves out is said', async () => {
    const notifier = start(settings([webhook()], [{ id: 'few', on: 'signal', to: ['hook'], atMostPerHour: 3 }]));
    for (let index = 0; index < 10; index++) notifier.notify(signal());
    await until('three went out', () => seen.length === 3);
    await rest();
    expect(seen).toHaveLength(3);
    expect(logged.filter(({ code }) => code === 'notification_limited')).toHaveLength(1);
  });

  test('only what is live, closed and acted upon is told of signals', () => {
    const all: NotificationRule = { id: 'r', on: 'signal', to: ['x'] };
    const wants = (rule: NotificationRule, over: Parameters<typeof testSignal>[0]): boolean => ruleWants(rule, signal(over));
    expect(wants(all, {})).toBe(true);
    expect([wants(all, { origin: 'history' }), wants(all, { phase: 'forming' }), wants(all, { suppressed: { code: 'cooldown', message: '' } })]).toEqual([false, false, false]);
    const { traderId } = testSignal();
    expect([wants({ ...all, traders: [traderId] }, { traderId }), wants({ ...all, traders: [traderId] }, {}), wants({ ...all, symbols: ['ETHUSDT'] }, {}), wants({ ...all, sides: ['short'] }, { side: 'short' })]).toEqual([true, false, false, true]);
  });

  test('decisions by verdict and sureness; health from a state on and when it is over; traders and positions by what happened', () => {
    const decision: NotificationEvent = { kind: 'decision', id: 'd', at: 1, traderId: 'a', traderName: 'T', signalId: 'b', symbol: 'X', interval: '5m', side: 'long', decision: 'enter_trade', confidence: 70, reasoning: '' };
    expect([{}, { minConfidence: 71 }, { decisions: ['wait' as const] }].map((over) => ruleWants({ id: 'r', on: 'decision', to: ['x'], ...over }, decision))).toEqual([true, false, false]);
    const health = (before: 'healthy' | 'degraded' | 'failing', state: 'healthy' | 'degraded' | 'failing'): NotificationEvent => ({ kind: 'health', id: 'h', at: 1, component: 'disk', title: 'Disk', before, state, sentence: '' });
    const onlyFailing: NotificationRule = { id: 'r', on: 'health', to: ['x'], from: 'failing' };
    expect([ruleWants(onlyFailing, health('healthy', 'degraded')), ruleWants(onlyFailing, health('degraded', 'failing')), ruleWants(onlyFailing, health('failing', 'healthy')), ruleWants({ ...onlyFailing, components: ['memory'] }, health('degraded', 'failing'))]).toEqual([false, true, true, false]);
    const traderEvent: NotificationEvent = { kind: 'trader', id: 't', at: 1, traderId: 'a', traderName: 'T', state: 'paused', sentence: '' };
    expect([ruleWants({ id: 'r', on: 'trader', to: ['x'], states: ['paused'] }, traderEvent), ruleWants({ id: 'r', on: 'trader', to: ['x'], states: ['invalid'] }, traderEvent), ruleWants(onlyFailing, traderEvent)]).toEqual([true, false, false]);
    expect(ruleWants({ id: 'r', on: 'position', to: ['x'], events: ['stop'] }, { kind: 'position', id: 'p', at: 1, traderId: 'a', traderName: 'T', symbol: 'X', side: 'long', event: 'stop', paper: true, price: '1', quantity: '1' })).toBe(true);
  });

  test('settings that do not fit together are refused with the field', () => {
    const parsed = (value: unknown): string | undefined => JSON.stringify(NotificationSettings.safeParse(value).error?.issues.map(({ path, message }) => [path, message]));
    expect(parsed({ channels: [], rules: [{ id: 'r', on: 'signal', to: ['nowhere'] }] })).toContain('every rule names channels that exist');
    expect(parsed({ channels: [{ ...telegram(), botToken: 'no' }], rules: [] })).toContain('BotFather');
    expect(parsed({ channels: [webhook({ url: 'ftp://x' })], rules: [] })).toContain('begins with https://');
    expect(parsed({ channels: [webhook({ url: 'https://me:pw@x.example/' })], rules: [] })).toContain('without a user name');
    const { secret: _, ...bare } = webhook() as Extract<NotificationChannel, { kind: 'webhook' }>;
    expect(parsed({ channels: [bare], rules: [] })).toContain('secret');
    expect(parsed({ channels: [{ ...bare, form: 'slack' }], rules: [] })).toBeUndefined();
  });
});

describe('channels', () => {
  test('a changed channel goes on with what waited; one that is gone takes its messages with it', async () => {
    // Neither is tried again meanwhile.
    respond = () => ({ status: 429, body: { ok: false, parameters: { retry_after: 3_000 } }, headers: { 'retry-after': '3000' } });
    const notifier = start(settings([telegram(), webhook()]));
    notifier.notify(signal());
    await until('both were tried', () => seen.length === 2);
    respond = () => ({ status: 200, body: { ok: true } });
    seen = [];
    notifier.set(settings([telegram({ chatId: '43' })]));
    await until('it went out', () => notifier.stats().waiting === 0);
    await rest();
    expect(seen.map(({ path, body }) => [path.slice(0, 4), body['chat_id']])).toEqual([['/bot', '43']]);
    expect(logged.map(({ code }) => code)).toContain('notification_dropped');
  });

  test('a test of an unknown channel, and two at once, are answered in words', async () => {
    const notifier = start(settings([telegram()]));
    expect(await notifier.test('nobody')).toMatchObject({ ok: false, code: 'channel_unknown' });
    const [first, second] = await Promise.all([notifier.test('me'), notifier.test('me')]);
    expect([first.ok, second.code]).toEqual([true, 'too_soon']);
  });

  test('a private address is refused unless it is allowed, and nothing reaches it', async () => {
    const notifier = start(settings([webhook()]), { allowPrivate: false });
    expect(await notifier.test('hook')).toMatchObject({ ok: false, code: 'address_refused', message: expect.stringContaining('https://') as string });
    notifier.notify(signal());
    await until('it says so', () => notifier.problems().length === 1);
    expect(seen).toEqual([]);
  });
});

describe('how a message ended', () => {
  const ends = (): string[] => kept.map(({ id, channel, rule, outcome, attempts, problem }) => [id, channel, rule, outcome, attempts, problem].join(' ')).toSorted();

  test('is told once for each channel: sent, refused for good, too old, left out, or without its channel', async () => {
    respond = ({ path }) => (path.startsWith('/bot') ? { status: 200, body: { ok: true } } : { status: 418 });
    const [one, two] = [signal(), signal()];
    const notifier = start(settings([telegram(), webhook()], [{ id: 'few', on: 'signal', to: ['me', 'hook'], atMostPerHour: 1 }]));
    notifier.notify(one);
    notifier.notify(one);
    notifier.notify(two);
    await until('all have ended', () => kept.length === 4);
    expect(ends()).toEqual([`${one.id} hook few refused 1 receiver_message_refused`, `${one.id} me few sent 1 `, `${two.id} hook few limited 0 `, `${two.id} me few limited 0 `].toSorted());
    respond = () => ({ status: 502 });
    const three = signal();
    kept = [];
    const failing = start(settings([telegram()]), { dataDir: join(dataDir, 'failing') });
    failing.notify(three);
    await until('it was tried', () => failing.problems().length === 1);
    failing.set(settings([webhook()]));
    expect(ends()).toEqual([expect.stringMatching(`^${three.id} me all dropped [1-9] channel_gone$`)]);
  });

  test('is told again until it is kept, a restart included, and disturbs no message', async () => {
    let fails = true;
    const record = (ended: readonly Ended[]): void => { if (fails) throw new Error('disk is full'); kept.push(...ended); };
    const first = start(settings([telegram()]), { record });
    first.notify(signal());
    first.notify(signal());
    await until('both went out', () => seen.length === 2 && first.stats().waiting === 0);
    await first.stop();
    expect([logged.map(({ code }) => code), first.problems(), kept]).toEqual([['notification_unrecorded'], [], []]);
    fails = false;
    const second = start(settings([telegram()]), { record });
    await until('both are kept', () => kept.length === 2);
    await second.stop();
    expect([seen.length, new Set(kept.map(({ id }) => id)).size]).toEqual([2, 2]);
  });

  test('a test message has its end too', async () => {
    const notifier = start(settings([telegram()]));
    await notifier.test('me');
    respond = () => ({ status: 401, body: { ok: false } });
    const other = start(settings([telegram()]), { dataDir: join(dataDir, 'other') });
    await other.test('me');
    expect(kept.map(({ channel, rule, outcome, attempts, problem, event }) => [channel, rule, outcome, attempts, problem, event?.kind])).toEqual([['me', 'test', 'sent', 1, null, 'test'], ['me', 'test', 'refused', 1, 'telegram_token_refused', 'test']]);
  });
});

describe('a disk that cannot be written', () => {
  const sabotage = (statement: string): void => {
    const other = new DatabaseSync(join(dataDir, QUEUE_FILE));
    other.exec(statement);
    other.close();
  };

  test('makes nobody send a message twice that went out already', async () => {
    const notifier = start(settings([webhook()]));
    sabotage("create trigger full before update on messages begin select raise(abort, 'disk is full'); end");
    notifier.notify(signal());
    await until('it says so', () => notifier.problems().some(({ code }) => code === 'notification_not_kept'));
    await rest();
    expect([seen.length, notifier.stats().waiting]).toEqual([1, 1]);
    sabotage('drop trigger full');
    await until('it is written down', () => notifier.stats().waiting === 0);
    expect(seen).toHaveLength(1);
    notifier.notify(signal());
    await until('the next goes out', () => seen.length === 2 && notifier.problems().length === 0);
  });

  test('disturbs nobody who tells something, and is said once', async () => {
    const notifier = start(settings([webhook()]));
    sabotage("create trigger full before insert on messages begin select raise(abort, 'disk is full'); end");
    notifier.notify(signal());
    notifier.notify(signal());
    expect(logged.map(({ code }) => code)).toEqual(['notification_not_kept']);
    expect(notifier.problems()).toMatchObject([{ code: 'notification_not_kept' }]);
    sabotage('drop trigger full');
    notifier.notify(signal());
    await until('it goes out', () => seen.length === 1);
    expect(notifier.problems()).toEqual([]);
  });
});

describe('secrets', () => {
  test('are in no log, no problem, no answer, no file and no view, whatever goes wrong', async () => {
    const channels = [telegram(), webhook(), webhook({ id: 'd', form: 'discord', url: `${base}/api/webhooks/77/discordSecret` })];
    const secrets = notificationSecrets({ channels });
    const answers: unknown[] = [];
    const faults: (typeof respond)[] = [
      () => ({ status: 500, body: { description: `broken ${TOKEN} ${base}/hook/aVerySecretPath` } }), () => ({ status: 401, body: { ok: false, description: `no ${TOKEN}` } }), () => ({ status: 400, body: { ok: false, description: `bad /bot${TOKEN}/ chat not found ${SECRET}` } }),
      () => ({ status: 403, body: { ok: false, description: `Forbidden ${TOKEN}` } }), () => ({ status: 200, never: true }),
    ];
    for (const [index, fault] of faults.entries()) {
      respond = fault;
      const notifier = start(settings(channels), { dataDir: join(dataDir, String(index)) });
      notifier.notify(signal());
      await rest();
      if (index < faults.length - 1) answers.push(...await Promise.all(channels.map(({ id }) => notifier.test(id))));
      answers.push(notifier.problems(), notifier.stats());
      await notifier.stop();
    }
    server.closeAllConnections();
    const away = start(settings(channels), { dataDir: join(dataDir, 'away'), telegramUrl: 'http://127.0.0.1:9' });
    answers.push(await away.test('me'));
    await away.stop();
    answers.push(channels.map(channelView));
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()).map((one) => readFileSync(join(one.parentPath, one.name), 'latin1'));
    expect(files.length).toBeGreaterThan(5);
    const everything = [JSON.stringify(logged), JSON.stringify(answers), JSON.stringify(kept), ...files].join('\n');
    for (const secret of secrets) expect(everything.includes(secret), secret.slice(0, 12)).toBe(false);
    expect(logged.length).toBeGreaterThan(3);
  });

  test('a view says only that they are there', () => {
    expect([telegram(), webhook()].map(channelView)).toEqual([
      { id: 'me', name: 'My phone', kind: 'telegram', chatId: '42', hasToken: true }, { id: 'hook', name: 'My server', kind: 'webhook', form: 'json', host: new URL(base).host, hasSecret: true },
    ]);
  });
});
