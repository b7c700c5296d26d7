// What the tests of this room share: an exchange in the test's own process, a wall clock that the test moves, clients over real sockets.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { WebSocket } from 'ws';
import { startExchange, type Exchange, type ExchangeOptions } from './start.ts';

/** What the running test has begun, ended in reverse order after it. */
export const ends: (() => Promise<unknown> | void)[] = [];
afterEach(async () => { for (const end of ends.splice(0).toReversed()) await end(); });

export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'exchange-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Patient enough for a machine under load. */
export const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000, interval: 10 });

export interface World { exchange: Exchange; wall: { now: number }; lines: Record<string, unknown>[]; dataDir: string }

export async function start(options: Partial<ExchangeOptions> = {}, wall = { now: Date.UTC(2026, 4, 6, 10, 0, 30) }): Promise<World> {
  const lines: Record<string, unknown>[] = [];
  const dataDir = options.dataDir ?? scratch();
  const exchange = await startExchange({ port: 0, market: 'simulated', speed: 60, seed: 'test', now: () => wall.now, log: (line) => { lines.push(line); }, ...options, dataDir });
  ends.push(() => exchange.close());
  return { exchange, wall, lines, dataDir };
}

export type Body = Record<string, unknown> & { code?: number; msg?: string };

export async function get(exchange: Exchange, path: string, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: Body }> {
  const response = await fetch(exchange.url + path, { headers });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
}

export const rows = async (exchange: Exchange, query: string) => (await get(exchange, `/api/v3/klines?${query}`)).body as unknown as (string | number)[][];
export const marketTime = async (exchange: Exchange) => (await get(exchange, '/api/v3/time')).body['serverTime'] as number;

/** A call to the admin port; the parsed answer, or undefined for an empty one. */
export async function admin(exchange: Exchange, method: string, path: string, body?: unknown): Promise<Record<string, unknown> & { status: number }> {
  const response = await fetch(exchange.admin + path, { method, ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }) });
  const text = await response.text();
  return { status: response.status, ...(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)) };
}

/** Moves a stepped market on, as a test does that wants every frame at its time. */
export const step = (exchange: Exchange, ms: number, by = ms) => admin(exchange, 'POST', '/clock', { step: ms, by });

export interface Client { socket: WebSocket; texts: string[]; frames: Record<string, unknown>[]; errors: string[]; closed: Promise<number> }

/** A client that keeps what it gets: `texts` as they came, `frames` those that are JSON. */
export async function connectTo(exchange: Exchange, path: string, options = {}): Promise<Client> {
  const socket = new WebSocket(`${exchange.streams}${path}`, options);
  const client: Omit<Client, 'closed'> = { socket, texts: [], frames: [], errors: [] };
  socket.on('message', (data: Buffer) => {
    const text = data.toString('utf8');
    client.texts.push(text);
    try {
      client.frames.push(JSON.parse(text) as Record<string, unknown>);
    } catch {
      // A fault may have spoiled it: it stays among the texts.
    }
  });
  ends.push(() => socket.terminate());
  const closed = new Promise<number>((resolve) => { socket.on('close', resolve); });
  await once(socket, 'open');
  socket.on('error', (error) => client.errors.push(error.message));
  return { ...client, closed };
}

/** Waits until the client has everything that was sent to it before now. */
export async function settled(client: Client): Promise<void> {
  const id = `settled-${client.texts.length}`;
  client.socket.send(JSON.stringify({ method: 'LIST_SUBSCRIPTIONS', id }));
  await eventually(() => client.frames.some((frame) => frame['id'] === id)).toBe(true);
}
