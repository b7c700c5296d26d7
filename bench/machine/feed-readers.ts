// A child of the bench: clients that read a feed and keep how long each tick was under way.
import { WebSocket } from 'ws';
import type { Told } from './feed-server.ts';

export interface Heard { p50Ms: number; p99Ms: number; count: number }
export type Wish = ({ kind: 'connect' } & Told) | { kind: 'report' };

const micros = () => Number(process.hrtime.bigint()) / 1_000;
const AT_ONCE = 16;
const MARK = Buffer.from('"marketTime":');
let took: number[] = [];

function onMessage(data: Buffer): void {
  const at = data.indexOf(MARK);
  if (at === -1) return;
  const now = micros();
  let sent = 0;
  for (let i = at + MARK.length; data[i]! >= 48 && data[i]! <= 57; i += 1) sent = sent * 10 + data[i]! - 48;
  // A snapshot names a market time of the test's own.
  if (now - sent < 60e6) took.push(now - sent);
}

function connect(url: string, ticket: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, ['trademind.v1', `ticket.${ticket}`], { perMessageDeflate: false });
    socket.on('message', onMessage);
    socket.once('open', resolve);
    socket.once('error', reject);
    socket.once('close', (code) => { throw new Error(`The server closed with ${code}.`); });
  });
}

/** A few at a time: a machine lets in no crowd of strangers at once. */
async function connectAll({ url, tickets }: Told): Promise<void> {
  for (let at = 0; at < tickets.length; at += AT_ONCE) await Promise.all(tickets.slice(at, at + AT_ONCE).map((ticket) => connect(url, ticket)));
}

process.on('message', (wish: Wish) => {
  if (wish.kind === 'connect') {
    void connectAll(wish).then(() => process.send?.('connected'));
    return;
  }
  const sorted = Float64Array.from(took).sort();
  took = [];
  const at = (share: number) => (sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN) / 1_000;
  process.send?.({ p50Ms: at(0.5), p99Ms: at(0.99), count: sorted.length } satisfies Heard);
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
