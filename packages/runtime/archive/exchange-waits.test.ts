import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemWall } from '../time.ts';
import { connectExchange } from './exchange.ts';

interface Refusal { status: number; retryAfter: number }
const SERVER_TIME = Date.UTC(2024, 1, 28);

let server: Server;
let url: string;
/** What is refused first; then it answers. */
let refusals: Refusal[];
let asked: number;
beforeEach(async () => {
  refusals = [];
  asked = 0;
  server = createServer((_, response) => {
    asked++;
    const refusal = refusals.shift();
    if (refusal) response.writeHead(refusal.status, { 'retry-after': String(refusal.retryAfter) }).end('{}');
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ serverTime: SERVER_TIME }));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise<void>((resolve) => {
  server.close(() => resolve());
  server.closeAllConnections();
}));

const quiet = new AbortController().signal;
/** A wall on which waiting takes no time, but counts. */
function quickWall() {
  let past = 0;
  return { ...systemWall, now: () => systemWall.now() + past, after: (ms: number, work: () => void) => systemWall.after(0, () => { past += ms; work(); }) };
}

test.each([418, 429])('HTTP %i is waited out for as long as the exchange says, also as the first answer', async (status) => {
  refusals = [{ status, retryAfter: 1_800 }];
  const waits: number[] = [];
  const exchange = connectExchange({ url, signal: quiet, wall: quickWall(), onWait: (_, ms) => waits.push(Math.round(ms / 10_000) * 10) });
  expect(await exchange.time()).toBe(SERVER_TIME);
  expect(waits).toEqual([1_800]);
  expect(asked).toBe(2);
});

test('a ban of many hours is not waited for: it is said how long it lasts and what to do', async () => {
  refusals = [{ status: 418, retryAfter: 86_400 }];
  const exchange = connectExchange({ url, signal: quiet, wall: quickWall() });
  await expect(exchange.time()).rejects.toMatchObject({ code: 'exchange_banned', message: expect.stringMatching(/It ends in 1440 min\.$/), nextStep: expect.stringContaining('same command again') });
  expect(asked).toBe(1);
});

test('where the location is refused, a command is told of --exchange, not of machines', async () => {
  refusals = [{ status: 451, retryAfter: 30 }];
  const refused = await connectExchange({ url, signal: quiet, wall: quickWall() }).time().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'exchange_location_refused', nextStep: expect.stringContaining('--exchange') });
  expect((refused as { nextStep: string }).nextStep).not.toMatch(/machine|STREAM/);
});
