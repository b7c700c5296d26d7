import { constants, createDeflateRaw, type DeflateRaw } from 'node:zlib';
import type { MarketRow } from '@trademind/core';
import { seeded } from '../frame/chaos.ts';
import type { BenchRow } from '../frame/row.ts';

const FRAMES = 400;
const SYMBOLS = 100;
/** So many of all symbols change from one frame to the next. */
const CHANGED = 0.3;
const CLIENTS = 100;
/** What `permessage-deflate` uses unless told otherwise. */
const LEVEL = 3;

/** Frames as a client of all symbols gets them, one after the other. */
function metricsFrames(): Buffer[] {
  const random = seeded(17);
  const rowOf = (index: number): MarketRow => ({
    symbol: `COIN${index}USDT`, price: Number((100 + index + random()).toFixed(4)), change24h: Number((random() * 4 - 2).toFixed(2)), quoteVolume24h: Math.round(1e8 * random()), matches: index % 20 === 0 ? ['RSI dip'] : [], halted: false,
  });
  return Array.from({ length: FRAMES }, (_, seq) => {
    const at = Date.UTC(2026, 10, 26) + seq * 200;
    const markets = Array.from({ length: SYMBOLS }, (_one, index) => index).filter(() => random() < CHANGED).map(rowOf);
    return Buffer.from(JSON.stringify({ v: 1, epoch: 'b525ec99-4712-40ed-b1ee-5aa488b88ed0', seq, at, type: 'metrics', data: { marketTime: at, markets } }));
  });
}

/** Sends a frame through a client's window; bytes that come out. */
async function deflate(window: DeflateRaw, frame: Buffer): Promise<number> {
  let bytes = 0;
  const take = (chunk: Buffer): void => { bytes += chunk.length; };
  window.on('data', take);
  window.write(frame);
  await new Promise<void>((resolve) => { window.flush(constants.Z_SYNC_FLUSH, resolve); });
  window.off('data', take);
  return bytes;
}

/** What compressing the feed would cost and save: the figures of ADR 17. */
export function feedCompressionRow(): BenchRow {
  const frames = metricsFrames();
  let smaller = 0;
  return {
    id: 'machine.feed-compression', unit: 'µs', runs: 5,
    what: `processor time to compress one of ${FRAMES} metrics frames for one client, whose window lasts (level ${LEVEL})`,
    async measure() {
      const window = createDeflateRaw({ level: LEVEL });
      smaller = 0;
      const before = process.cpuUsage();
      for (const frame of frames) smaller += await deflate(window, frame);
      const { user, system } = process.cpuUsage(before);
      window.close();
      return (user + system) / FRAMES;
    },
    async also() {
      const before = process.memoryUsage.rss();
      const windows = Array.from({ length: CLIENTS }, () => createDeflateRaw({ level: LEVEL }));
      for (const window of windows) await deflate(window, frames[0]!);
      const memory = (process.memoryUsage.rss() - before) / 1_024 / CLIENTS;
      for (const window of windows) window.close();
      return [
        { name: 'a frame as it is', value: frames.reduce((sum, { length }) => sum + length, 0) / FRAMES, unit: 'bytes' },
        { name: 'a frame compressed', value: smaller / FRAMES, unit: 'bytes' },
        { name: 'memory of a client', value: memory, unit: 'KB' },
      ];
    },
  };
}
