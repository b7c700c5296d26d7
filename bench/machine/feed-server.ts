// A child of the bench: one server, ours or a bare `ws` one, that tells its clients ticks when it is told to. `feed-server.ts ours|bare`.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MarketRow } from '@trademind/core';
import { WebSocketServer } from 'ws';
import { startTestFeed, TestSource } from '../../tests/support/feed.ts';

export interface Told { url: string; tickets: string[] }
export interface Ticked { cpuMs: number; wallMs: number; ticks: number }
export type Order = { kind: 'tick'; ticks: number; perSecond: number } | { kind: 'tickets'; count: number };

/** CLOCK_MONOTONIC in µs: the same for every process of this computer. */
const micros = () => Math.floor(Number(process.hrtime.bigint()) / 1_000);
const row = (price: number): MarketRow => ({ symbol: 'BTCUSDT', price, change24h: 1.2345, quoteVolume24h: 1_234_567_890.12, matches: ['RSI dip'], halted: false });

const servers = {
  async ours() {
    const source = new TestSource();
    const feed = await startTestFeed({ source, limits: { connections: 200 } });
    return {
      url: feed.feed,
      ticket: () => feed.ticket(),
      tick: (price: number) => source.emit({ type: 'metrics', data: { marketTime: micros(), markets: [row(price)] } }),
    };
  },
  async bare() {
    const server = createServer();
    const sockets = new WebSocketServer({ server, perMessageDeflate: false, handleProtocols: () => 'trademind.v1' });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const epoch = randomUUID();
    let seq = 0;
    return {
      url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ticket: () => Promise.resolve(randomBytes(100).toString('base64url')),
      tick: (price: number) => {
        const bytes = Buffer.from(JSON.stringify({ v: 1, epoch, seq: (seq += 1), type: 'metrics', data: { marketTime: micros(), markets: [row(price)] } }));
        for (const client of sockets.clients) client.send(bytes, { binary: false });
      },
    };
  },
};

const server = await servers[process.argv[2] as keyof typeof servers]();

/** Ticks at an even pace; answers what the CPU was busy meanwhile. */
function tick(ticks: number, perSecond: number): Promise<Ticked> {
  return new Promise((resolve) => {
    const [began, cpu] = [performance.now(), process.cpuUsage()];
    let told = 0;
    const timer = setInterval(() => {
      const due = Math.min(ticks, Math.floor(((performance.now() - began) / 1_000) * perSecond));
      while (told < due) server.tick(60_000 + (told += 1) / 100);
      if (told < ticks) return;
      clearInterval(timer);
      setTimeout(() => {
        const { user, system } = process.cpuUsage(cpu);
        resolve({ cpuMs: (user + system) / 1_000, wallMs: performance.now() - began, ticks });
      }, 100);
    }, 1);
  });
}

process.on('message', (order: Order) => {
  if (order.kind === 'tick') void tick(order.ticks, order.perSecond).then((ticked) => process.send?.(ticked));
  else void Promise.all(Array.from({ length: order.count }, () => server.ticket())).then((tickets) => process.send?.({ url: server.url, tickets } satisfies Told));
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
