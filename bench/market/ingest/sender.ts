// Sends the frames of a measurement over loopback, in bulk or paced. `GET /plan?mode=bulk` and `GET /plan?mode=paced&rate=5000&seconds=8` tell what
// will be sent, `/go` with the same begins.
import { framed, startMadeExchange } from '../made-exchange.ts';
import { BASE, makeFrames, symbolName, SYMBOLS } from '../made-frames.ts';

const BLOCK = 128 * 1024;
const KLINES = 330_000;
/** Market time runs as fast as the frames in bulk do. */
const RATE = 1_000;
/** A moment after the minute in which the frames begin: what is before them is settled. */
const NOW = BASE + 3_000;
const LAST_SYMBOL = `"${symbolName(SYMBOLS - 1)}"`;

const frames = makeFrames(KLINES);
const packets = frames.map(framed);

interface Plan { mode: string | null; rate: number; seconds: number }

/** How many frames a measurement has: it ends with a kline that closes. */
function countOf({ mode, rate, seconds }: Plan): number {
  if (mode !== 'paced') return frames.length;
  return frames.findIndex((frame, index) => index >= rate * seconds && frame.includes('"x":true') && frame.includes(LAST_SYMBOL)) + 1 || frames.length;
}

/** What a measurement will send; its first fifth warms up, and the frames after it count. */
function describe(plan: Plan): unknown {
  const sent = frames.slice(0, countOf(plan));
  const klines = sent.filter((frame) => frame.includes('@kline_'));
  const warm = Math.floor(klines.length / 5);
  return { warm, klines: klines.length, frames: sent.length - sent.indexOf(klines[warm]!), closed: klines.filter((frame) => frame.includes('"x":true')).length };
}

async function bulk(): Promise<void> {
  let block: Buffer[] = [];
  let size = 0;
  const send = async () => {
    const bytes = Buffer.concat(block);
    block = [];
    size = 0;
    for (const socket of exchange.connections.keys()) if (!socket.write(bytes)) await new Promise((resolve) => { socket.once('drain', resolve); });
  };
  for (const packet of packets) {
    block.push(packet);
    size += packet.length;
    if (size >= BLOCK) await send();
  }
  await send();
}

/** Every frame in a write of its own, at its time. */
async function paced(plan: Plan): Promise<void> {
  const began = performance.now();
  const count = countOf(plan);
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1_000) * plan.rate));
    for (; sent < due; sent++) for (const socket of exchange.connections.keys()) socket.write(packets[sent]!);
    await new Promise((resolve) => { setTimeout(resolve, 1); });
  }
}

const exchange = await startMadeExchange({
  symbols: ['BTCUSDT', 'ETHUSDT', ...Array.from({ length: SYMBOLS }, (_, index) => symbolName(index))], now: () => NOW, rate: RATE,
  more: ({ pathname, searchParams }) => {
    const plan: Plan = { mode: searchParams.get('mode'), rate: Number(searchParams.get('rate')), seconds: Number(searchParams.get('seconds')) };
    if (pathname === '/plan') return Promise.resolve(describe(plan));
    return pathname === '/go' ? (plan.mode === 'paced' ? paced(plan) : bulk()).then(() => ({})) : undefined;
  },
});
process.stdout.write(`${exchange.port}\n`);
