import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { nodeDisk } from './disk.ts';
import { download } from './download.ts';
import { connectExchange } from './exchange.ts';
import { verifySeries } from './verify.ts';
import { ArchiveWriter } from './writer.ts';

const HOUR = 3_600_000;
const KEY = { symbol: 'BTCUSDT', interval: '1h' as const };
const FROM = Date.UTC(2018, 1, 7);
const TO = Date.UTC(2018, 1, 13);
const NOW = TO + 5_000;
/** Hours of BTCUSDT around the outage of February 2018: after it they opened at 28 minutes past for almost two days. */
const OUTAGE = { last: Date.UTC(2018, 1, 8), back: 1_518_168_494_789, onGrid: Date.UTC(2018, 1, 11, 4) };
const opens = [
  ...Array.from({ length: (OUTAGE.last - FROM) / HOUR + 1 }, (_, hour) => FROM + hour * HOUR), ...Array.from({ length: 43 }, (_, hour) => OUTAGE.back + hour * HOUR),
  ...Array.from({ length: (TO - OUTAGE.onGrid) / HOUR + 1 }, (_, hour) => OUTAGE.onGrid + hour * HOUR),
];

let server: Server;
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tm-archive-'));
  server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://exchange');
    const [from, limit] = [Number(searchParams.get('startTime')), Number(searchParams.get('limit'))];
    const rows = opens.filter((open) => open >= from).slice(0, limit).map((open) => [open, '1', '2', '1', '1', '1', open + HOUR - 1, '1', 1, '1', '1', '0']);
    response.end(JSON.stringify(pathname.endsWith('/time') ? { serverTime: NOW } : rows));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

test('the history of 2018 is downloaded around the rows that open off the grid: these are told, and their places marked as never there', async () => {
  const source = connectExchange({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, signal: new AbortController().signal });
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: process.pid });
  const ask = () => download({ writer, source, keys: [KEY], range: { from: FROM, to: TO }, concurrency: 1, signal: new AbortController().signal, onProgress: () => undefined });
  const lost = (OUTAGE.onGrid - OUTAGE.last) / HOUR - 1;
  expect(await ask()).toEqual({ candles: (TO - FROM) / HOUR - lost, gaps: lost, empty: [], failed: [] });
  expect(source.offGrid()).toEqual([{ ...KEY, openTimes: opens.filter((open) => open % HOUR !== 0) }]);
  expect(await ask()).toEqual({ candles: 0, gaps: 0, empty: [], failed: [] });
  writer.close();
  expect(verifySeries(writer.archive, KEY).problems).toEqual([]);
});
