import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { ticketKeys } from '../../tests/support/feed.ts';
import { admin, wait } from '../market/exchange-process.ts';
import { HARMS, LOST_CLOSES, type Draw } from '../market/faults.ts';
import type { Account, ChaosWorld, MachineProcess } from './chaos-world.ts';

/** What stands while harm is done: the present process, and how a new one takes its place. */
export interface Victim { world: ChaosWorld; account: Account; machine(): MachineProcess; kill(): Promise<void> }

export interface MachineHarm { name: string; seconds: number; begin(victim: Victim, random: () => number): Promise<void>; end?(victim: Victim): Promise<void> }

const between = (random: () => number, from: number, to: number) => from + random() * (to - from);

const gemini = (name: string, faults: Parameters<ChaosWorld['gemini']['setFaults']>[0], seconds = 3): MachineHarm => ({
  name: `gemini-${name}`, seconds, begin: ({ world }) => world.gemini.setFaults(faults), end: ({ world }) => world.gemini.setFaults([]),
});

/** Faults of the exchange after which all candles are as they were: what is wrong or missing by its own account is another area's. */
const OF_EXCHANGE = new Set(['drop', 'delay', 'duplicate', 'reorder', 'corrupt-json', 'freeze-all', 'close', 'server-shutdown', 'rest-500', 'rest-429', 'rest-reset', 'refuse-connection']);

const exchangeHarms: readonly MachineHarm[] = HARMS.filter(({ name }) => OF_EXCHANGE.has(name)).map(({ name, seconds, orders, needsRest }) => ({
  name: `exchange-${name}`, seconds: Math.max(1, seconds),
  begin: async ({ world }, random) => {
    const draw: Draw = { random, symbol: () => '*', seed: () => String(Math.floor(random() * 1e9)) };
    if (needsRest) await admin(world.exchange, '/faults', LOST_CLOSES);
    for (const one of orders(draw)) await admin(world.exchange, '/faults', { ...one, ...(seconds > 0 && (one as { kind: string }).kind !== 'close' ? { forMs: seconds * 1_000 } : {}) });
  },
}));

export const KILL: MachineHarm = { name: 'kill-9', seconds: 0, begin: ({ kill }) => kill() };

/** All that a machine must get through. */
export function machineHarms(smallDisk: boolean): readonly MachineHarm[] {
  return [
    KILL,
    { name: 'database-restart', seconds: 0, begin: ({ world }, random) => world.restartDatabase(between(random, 500, 4_000)) },
    { name: 'database-away', seconds: 6, begin: ({ world: { line } }) => { line.down = true; line.cut(); return Promise.resolve(); }, end: ({ world: { line } }) => { line.down = false; return Promise.resolve(); } },
    { name: 'database-slow', seconds: 6, begin: ({ world: { line } }, random) => { line.slowMs = between(random, 200, 3_000); return Promise.resolve(); }, end: ({ world: { line } }) => { line.slowMs = 0; return Promise.resolve(); } },
    ...(smallDisk ? [{ name: 'disk-full', seconds: 4, begin: fillDisk, end: freeDisk }] : []),
    { name: 'clock-jump', seconds: 5, begin: ({ world }, random) => { world.shiftClock(Math.round(between(random, -90, 90) * 60_000)); return Promise.resolve(); }, end: ({ world }) => { world.shiftClock(0); return Promise.resolve(); } },
    { name: 'feed-hostile', seconds: 2, begin: attackFeed },
    { name: 'feed-slow', seconds: 5, begin: stallFeed },
    gemini('429', [{ fault: 'minute-limit', retryAfterSeconds: 3 }]), gemini('500', [{ fault: 'error', status: 500, share: 0.8 }]), gemini('503', [{ fault: 'error', status: 503 }]),
    gemini('garbage', [{ fault: 'garbage', share: 0.6 }, { fault: 'wrong-schema', share: 0.5 }]), gemini('broken', [{ fault: 'broken-body', share: 0.5 }, { fault: 'cut' }]),
    gemini('slow', [{ fault: 'slow', ms: 8_000 }]), gemini('silent', [{ fault: 'hang', times: 6 }]),
    ...exchangeHarms,
  ];
}

function fillDisk({ account }: Victim): Promise<void> {
  const path = join(account.dataDir, 'filled-up');
  try {
    for (let mb = 0; ; mb += 1) writeFileSync(path, Buffer.alloc(1_048_576), { flag: mb === 0 ? 'w' : 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  try {
    // Down to the last page.
    for (;;) writeFileSync(path, Buffer.alloc(512), { flag: 'a' });
  } catch {
    return Promise.resolve();
  }
}

function freeDisk({ account }: Victim): Promise<void> {
  rmSync(join(account.dataDir, 'filled-up'), { force: true });
  return Promise.resolve();
}

function open(port: number, protocols: string[]): WebSocket {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/feed`, protocols);
  socket.on('error', () => undefined);
  return socket;
}

/** Strangers, forged tickets, and a guest who floods and sends what is far too long. */
async function attackFeed({ world, account, machine }: Victim): Promise<void> {
  const { port } = machine();
  if (port === 0) return;
  const forged = await world.ticket(account, (await ticketKeys()).privateKey);
  const sockets = [...Array.from({ length: 15 }, () => open(port, ['trademind.v1'])), ...Array.from({ length: 15 }, () => open(port, ['trademind.v1', `ticket.${forged}`]))];
  const guest = open(port, ['trademind.v1', `ticket.${await world.ticket(account)}`]);
  guest.on('open', () => { for (let n = 0; n < 500; n += 1) guest.send('{"type":"ping"}'); });
  const loud = open(port, ['trademind.v1', `ticket.${await world.ticket(account)}`]);
  loud.on('open', () => loud.send('x'.repeat(300_000)));
  await Promise.all(Array.from({ length: 40 }, () => fetch(`http://127.0.0.1:${port}/v1/status`, { headers: { authorization: `Bearer ${forged}` } }).then((response) => response.text(), () => '')));
  await wait(500);
  for (const socket of [...sockets, guest, loud]) socket.terminate();
}

/** Guests who stop reading. */
async function stallFeed({ world, account, machine }: Victim): Promise<void> {
  const { port } = machine();
  if (port === 0) return;
  for (let n = 0; n < 5; n += 1) {
    const socket = open(port, ['trademind.v1', `ticket.${await world.ticket(account)}`]);
    socket.on('open', () => socket.pause());
    setTimeout(() => socket.terminate(), 5_000);
  }
}
