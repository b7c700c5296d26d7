// A machine's real process, born with secrets that are known here; everything it says is collected and searched for them.
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, request as callHttp, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectRaw } from '../support/feed.ts';
import { until } from '../runtime/world.ts';
import { startWorkingMachine, type WorkingMachine } from './working-machine.ts';

const fresh = () => randomBytes(20).toString('hex');
/** What only the machine's environment holds. */
const given = { GEMINI_API_KEY: `AIza${fresh()}`, BINANCE_API_KEY: fresh(), BINANCE_SECRET_KEY: fresh() };
/** What its user has entrusted to the control plane: it comes to the machine over its token, after its birth. */
const entrusted = { USERS_GEMINI_KEY: `AIza${fresh()}`, USERS_BINANCE_KEY: fresh(), USERS_BINANCE_SECRET: fresh(), BOT_TOKEN: `123456789:${fresh()}`, WEBHOOK: fresh(), WEBHOOK_SECRET: `whsec_${fresh()}` };
const keys = {
  binance: { apiKey: entrusted.USERS_BINANCE_KEY, secretKey: entrusted.USERS_BINANCE_SECRET }, gemini: { source: 'user' as const, apiKey: entrusted.USERS_GEMINI_KEY },
  notifications: { rules: [], channels: [
    { id: 'bot', name: 'Bot', kind: 'telegram' as const, botToken: entrusted.BOT_TOKEN, chatId: '1' },
    // an address that the machine refuses to call, and says so
    { id: 'hook', name: 'Hook', kind: 'webhook' as const, form: 'json' as const, url: `https://127.0.0.1:9/${entrusted.WEBHOOK}`, secret: entrusted.WEBHOOK_SECRET },
  ] },
};
/** A token of any kind: a ticket, a session, a database token. */
const TOKEN = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+/;

let at: WorkingMachine;
/** What was heard from the machine, by where. Sessions are handed out in `hello` alone, so that is kept apart. */
const heard: Record<string, string> = {};
const sessions: string[] = [];

/** A server that answers every request with an error in which it repeats the whole request, as a careless proxy does. */
async function startParrot(target: string, parrot: () => boolean): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    if (parrot()) {
      const { apikey, authorization, ...others } = request.headers;
      const words = JSON.stringify({ apikey, authorization, ...others });
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ type: 'about:blank', title: words, status: 400, detail: words, code: 'parrot', message: words, details: words, hint: words }));
      return;
    }
    const { host: _, ...headers } = request.headers;
    const onward = callHttp(`${target}${request.url}`, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

/** The first letter of its signature is another one: the last may stand for the same bytes. */
const otherSignature = (jwt: string): string => jwt.replace(/\.(.)([\w-]+)$/, (_, first: string, rest: string) => `.${first === 'A' ? 'B' : 'A'}${rest}`);
const PATIENCE_MS = 20_000;
const textOf = async (url: string, headers: Record<string, string> = {}): Promise<string> => (await fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) })).text();

/** How a connection with this ticket ends: it must end. */
async function closingOf(jwt: string): Promise<unknown> {
  const { closed } = connectRaw(at, jwt);
  return Promise.race([closed, new Promise((_, reject) => { setTimeout(() => reject(new Error('A refused connection stays open.')), PATIENCE_MS).unref(); })]);
}

/** Listens to the feed for a while, and asks it what ends in errors. */
async function listen(name: string): Promise<void> {
  const owner = connectRaw(at, await at.ticket());
  const { data: { session } } = await owner.next('hello');
  sessions.push(session);
  await owner.next('snapshot');
  owner.send({ type: 'pause', id: '1' });
  await owner.next('reply');
  owner.send({ type: 'resume', id: '2' });
  await owner.next('reply', 1);
  owner.send({ type: 'close-position', id: '3', position: 'p' });
  await owner.next('error');
  owner.send({ type: 'test-notification', id: '4', channel: 'phone' });
  expect((await owner.next('error', 1)).data).toMatchObject({ id: '4', code: 'channel_unknown', field: 'channel' });
  owner.send({ type: 'test-notification', id: '5', channel: 'hook' });
  expect((await owner.next('error', 2)).data).toMatchObject({ id: '5', field: 'channel' });
  await new Promise((resolve) => { setTimeout(resolve, 1_000); });
  heard[`${name}: frames`] = owner.frames.filter(({ type }) => type !== 'hello').map((frame) => JSON.stringify(frame)).join('\n');
  const headers = { authorization: `Bearer ${session}` };
  for (const path of ['status', 'markets', 'traders', 'signals', 'logs', 'positions', 'explain?trader=x&symbol=y', 'candles?symbol=BTCUSDT&interval=1m', 'nothing']) {
    heard[`${name}: /v1/${path}`] = await textOf(`${at.url}/v1/${path}`, headers);
  }
  for (const url of [`${at.url}/health`, `${at.url}/ready`, `${at.privateUrl}/ready`, `${at.privateUrl}/metrics`]) heard[`${name}: ${url}`] = await textOf(url);
  const refused = [await at.ticket({ issuedAt: 0 }), await at.ticket({ sub: '11111111-1111-4111-8111-111111111111' }), otherSignature(session), given.GEMINI_API_KEY];
  for (const jwt of refused) {
    heard[`${name}: refusal of ${refused.indexOf(jwt)}`] = JSON.stringify(await closingOf(jwt)) + await textOf(`${at.url}/v1/status`, { authorization: `Bearer ${jwt}` });
  }
  owner.socket.terminate();
}

beforeAll(async () => {
  at = await startWorkingMachine({ ...given, LOG_LEVEL: 'trace' }, keys);
  await until('what the user entrusted is there', () => at.said().includes('"code":"keys_fetched"'));
  let repeats = false;
  const parrots = await Promise.all([at.env['SUPABASE_URL']!, at.env['CONTROL_PLANE_URL']!].map((url) => startParrot(url, () => repeats)));
  try {
    await listen('at work');
    const { rows } = await at.cloud.supabase.database.pool.query<{ text: string }>(
      'select to_jsonb(m)::text as text from machines m union all select to_jsonb(e)::text from machine_events e union all (select to_jsonb(s)::text from signals s limit 100)');
    heard['the database'] = rows.map(({ text }) => text).join('\n');
    // Both clouds answer with what they were asked; then an error of a library's, which holds the request, ends the process.
    await at.restart({ SUPABASE_URL: parrots[0]!.url, CONTROL_PLANE_URL: parrots[1]!.url });
    repeats = true;
    await until('the machine has said that its database refuses', () => at.said().includes('"code":"database_refused"'), 120_000);
    await listen('among parrots');
    const crash = 'process.on("SIGUSR2", () => { throw Object.assign(new Error("request failed: " + JSON.stringify(process.env)), { headers: { authorization: "Bearer " + process.env.MACHINE_SECRET } }); })';
    await at.restart({ NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(crash)}` });
    at.child().kill('SIGUSR2');
    await until('it has crashed', () => at.child().exitCode !== null || at.child().signalCode !== null);
    expect([at.child().exitCode, at.child().signalCode]).toEqual([1, null]);
    heard['the crash report'] = readFileSync(join(at.dataDir, 'last-words.json'), 'utf8');
    await at.restart();
    await listen('after the crash');
    heard['stdout and stderr'] = at.said();
  } finally {
    await Promise.all(parrots.map((parrot) => parrot.close()));
  }
}, 300_000);
afterAll(async () => { await at.close(); });

const secrets = () => ({ MACHINE_SECRET: at.machine.secret, SUPABASE_PUBLISHABLE_KEY: at.env['SUPABASE_PUBLISHABLE_KEY']!, ...given, ...entrusted });
/** As it is, and as it looks inside JSON, base64 or an address. */
const forms = (secret: string) => [secret, Buffer.from(secret).toString('base64'), Buffer.from(secret).toString('base64url'), Buffer.from(secret).toString('hex'), secret.slice(0, 16)];

test('what was collected is not empty: the search would find something', () => {
  expect(Object.keys(heard).length).toBeGreaterThan(40);
  for (const text of Object.values(heard)) expect(text.length).toBeGreaterThan(0);
  expect(heard['stdout and stderr']).toContain('request failed');
  expect(heard['stdout and stderr']).toContain('database_refused');
  expect(heard['the crash report']).toContain('[redacted]');
  expect(heard['among parrots: /v1/status']).toContain('database_refused');
});

test.each(['MACHINE_SECRET', 'SUPABASE_PUBLISHABLE_KEY', 'GEMINI_API_KEY', 'BINANCE_API_KEY', 'BINANCE_SECRET_KEY', ...Object.keys(entrusted) as (keyof typeof entrusted)[]] as const)('%s is in nothing that the machine says, whole or in part, plain or encoded', (name) => {
  for (const [where, text] of Object.entries(heard)) for (const form of forms(secrets()[name])) expect(text.includes(form), `${name} in ${where}`).toBe(false);
});

test('no ticket, session or database token is in anything but the hello that hands it out', () => {
  for (const [where, text] of Object.entries(heard)) {
    expect(TOKEN.test(text), `a token in ${where}: ${TOKEN.exec(text)?.[0].slice(0, 20)}`).toBe(false);
    for (const session of sessions) expect(text.includes(session.split('.')[2]!), `a session in ${where}`).toBe(false);
  }
});

test('the process shows none in its arguments, and keeps its files for itself', () => {
  const argv = readFileSync(`/proc/${at.child().pid}/cmdline`, 'utf8');
  for (const secret of Object.values(secrets())) expect(argv).not.toContain(secret);
  for (const file of readdirSync(at.dataDir)) {
    const path = join(at.dataDir, file);
    if (file === 'session.key') expect(statSync(path).mode & 0o077).toBe(0);
    else if (statSync(path).isFile()) for (const [name, secret] of Object.entries(secrets())) expect(readFileSync(path).includes(secret), `${name} in ${file}`).toBe(false);
  }
});
